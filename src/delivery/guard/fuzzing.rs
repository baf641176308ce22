//! Fuzzing of the guard: what it lets through leads where it was told.

use std::ffi::CString;

use super::*;

/// Vets any text as the URL of a hook, with everything switched off and with everything switched on.
pub fn url_guard(input: &[u8]) {
    let Some(url) = std::str::from_utf8(input).ok().and_then(|text| text.parse::<EndpointUrl>().ok()) else {
        return;
    };
    let again: EndpointUrl = url.normalized().parse().expect("what is normal is a URL");
    assert_eq!(again.normalized(), url.normalized(), "normal is normal");

    let everything = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
    let (strict, open) = (Guard::new(true, Vec::new()), Guard::new(false, everything.to_vec()));
    if strict.vet_url(&url).is_ok() {
        assert_eq!(url.url().scheme(), "https");
        assert!(open.vet_url(&url).is_ok(), "what is allowed is allowed by those who allow more");
        leads_there(&strict, &url);
        leads_there(&strict, &again);
    } else if open.vet_url(&url).is_ok() {
        leads_there(&open, &url);
    }
}

/// Holds the host and port that the connector reads against those that the guard has read.
fn leads_there(guard: &Guard, url: &EndpointUrl) {
    let target = endpoint::target(url).expect("what the guard lets through can be sent");
    assert_eq!(target.tls, url.url().scheme() == "https");
    let (host, port) = target.place();
    assert_eq!(Some(port), url.url().port_or_known_default());
    let ip = match url.url().host().expect("it has a host") {
        Host::Ipv4(ip) => IpAddr::from(ip),
        Host::Ipv6(ip) => IpAddr::from(ip),
        Host::Domain(name) => {
            assert_eq!(host, name);
            assert!(!is_an_address(host), "the system takes a name for an address");
            return;
        }
    };
    assert_eq!(host.parse(), Ok(ip));
    assert_eq!(guard.vet_address(SocketAddr::new(ip, port)), Ok(()));
}

/// Whether the system's resolver would not ask anybody about this host, since it reads it as an address.
fn is_an_address(host: &str) -> bool {
    let host = CString::new(host).expect("a host has no NUL");
    // SAFETY: all zeroes are a valid `addrinfo`.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_flags = libc::AI_NUMERICHOST;
    let mut found = std::ptr::null_mut();
    // SAFETY: the host ends in NUL, the hints live through the call, and what is found is freed once.
    unsafe {
        let status = libc::getaddrinfo(host.as_ptr(), std::ptr::null(), &hints, &mut found);
        if status == 0 {
            libc::freeaddrinfo(found);
        }
        status == 0
    }
}
