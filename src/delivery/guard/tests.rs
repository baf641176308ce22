//! Which URLs and addresses the guard refuses, and what it says about them.

use proptest::prelude::*;

use super::*;

fn strict() -> Guard {
    Guard::new(true, Vec::new())
}

fn allowing(networks: &[&str]) -> Guard {
    Guard::new(false, networks.iter().map(|network| network.parse().unwrap()).collect())
}

fn refused(guard: &Guard, url: &str) -> String {
    guard.vet_url(&url.parse().unwrap()).unwrap_err().to_string()
}

fn allows(guard: &Guard, url: &str) -> bool {
    guard.vet_url(&url.parse().unwrap()).is_ok()
}

/// An IPv4 address in so many parts, each in base ten, sixteen or eight.
fn spelled(ip: u32, parts: u32, bases: [u8; 4]) -> String {
    let part = |place: u32| {
        let last = place + 1 == parts;
        let number =
            if last { ip & (u32::MAX >> (8 * place)) } else { ip.to_be_bytes()[place as usize].into() };
        match bases[place as usize] % 3 {
            0 => format!("{number}"),
            1 => format!("{number:#x}"),
            _ => format!("0{number:o}"),
        }
    };
    (0..parts).map(part).collect::<Vec<_>>().join(".")
}

proptest! {
    #[test]
    fn an_address_is_judged_alike_in_every_spelling(ip: u32, parts in 1_u32..=4, bases: [u8; 4]) {
        let url = format!("https://{}/", spelled(ip, parts, bases));
        let mapped = format!("https://[::ffff:{:x}:{:x}]/", ip >> 16, ip & 0xffff);
        let special = special(Ipv4Addr::from(ip).into()).is_some();
        prop_assert_eq!(allows(&strict(), &url), !special, "{}", url);
        prop_assert_eq!(allows(&strict(), &mapped), !special, "{}", mapped);
    }

    #[test]
    fn an_ipv6_address_that_carries_another_is_refused(ip: u32, network: u16, universal: bool) {
        let (high, low) = (ip >> 16, ip & 0xffff);
        let network = 0x2600 | network & 0xff;
        let mark = if universal { "200:5efe" } else { "0:5efe" };
        for address in [
            format!("::{high:x}:{low:x}"),
            format!("64:ff9b::{high:x}:{low:x}"),
            format!("64:ff9b:1::{high:x}:{low:x}"),
            format!("2002:{high:x}:{low:x}::1"),
            format!("2001:0:{high:x}:{low:x}::1"),
            format!("{network:x}::{mark}:{high:x}:{low:x}"),
        ] {
            prop_assert!(!allows(&strict(), &format!("https://[{address}]/")), "{}", address);
        }
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    assert_eq!(
        refused(&strict(), "http://127.0.0.1:9000/"),
        "http://127.0.0.1:9000/ is refused: plain http and loopback addresses are off. Trying it out? start with \
         --dev. In production set egress.https_only = false and egress.allow_networks = [\"127.0.0.0/8\"]."
    );
}

#[test]
fn a_refusal_names_only_what_applies() {
    assert_eq!(
        refused(&strict(), "http://example.com/"),
        "http://example.com/ is refused: plain http is off. Trying it out? start with --dev. In production set \
         egress.https_only = false."
    );
    assert_eq!(
        refused(&strict(), "https://192.168.1.2/"),
        "https://192.168.1.2/ is refused: private addresses are off. Trying it out? start with --dev. In \
         production set egress.allow_networks = [\"192.168.0.0/16\"]."
    );
    assert!(refused(&strict(), "https://[fe80::1]/").ends_with("egress.allow_networks = [\"fe80::/10\"]."));
    assert!(refused(&strict(), "https://8.8.8.8:25/").ends_with("egress.allow_networks = [\"8.8.8.8/32\"]."));
}

#[test]
fn a_url_that_others_might_read_differently_is_refused() {
    for url in [
        "https://example.com\\@127.0.0.1/",
        "https:\\\\example.com",
        "https://exa\tmple.com/",
        "https://a.example/\n",
        "https://a.example/\u{85}",
    ] {
        let refusal = strict().vet_url(&url.parse().unwrap()).unwrap_err();
        assert_eq!(refusal, Refusal::Ambiguous { target: url.into() });
        assert!(!refusal.to_string().contains(char::is_control), "{url:?}");
    }
}

#[test]
fn every_spelling_of_loopback_is_refused() {
    for host in
        ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "%31%32%37.0.0.1", "[::ffff:127.0.0.1]", "[::1]"]
    {
        let url = format!("https://{host}/");
        assert!(refused(&strict(), &url).contains("loopback addresses are off"), "{host}");
    }
    for host in ["localhost", "LOCALHOST", "localhost.", "a.localhost", "a.LocalHost."] {
        let url = format!("https://{host}/");
        assert!(refused(&strict(), &url).contains("[\"127.0.0.0/8\"]"), "{host}");
    }
    assert!(allows(&strict(), "https://localhost.example.com/"));
    assert!(allows(&strict(), "https://notlocalhost/"));
}

#[test]
fn an_allowed_network_is_allowed_in_every_spelling_and_on_every_port() {
    let guard = allowing(&["127.0.0.0/8"]);
    for target in ["127.0.0.1:9000", "[::ffff:127.0.0.1]", "localhost:22", "a.localhost", "0x7f.1:25"] {
        assert!(allows(&guard, &format!("http://{target}/")), "{target}");
    }
    assert!(!allows(&guard, "http://10.0.0.1/"));
    assert!(!allows(&guard, "http://[::1]/"));
    assert!(allows(&allowing(&["::1/128"]), "http://localhost/"));
}

#[test]
fn a_denied_network_is_refused_although_it_is_public_or_allowed() {
    let denied = ["8.8.8.0/24", "127.0.0.2/32"].map(|network| network.parse().unwrap());
    let guard = allowing(&["127.0.0.0/8"]).denying(denied.to_vec());
    assert!(refused(&guard, "http://8.8.8.8/").ends_with(
        "addresses that the operator denies are off. Trying it out? start with --dev. In \
                        production set egress.deny_networks without \"8.8.8.0/24\"."
    ));
    assert!(!allows(&guard, "http://[::ffff:8.8.8.8]/"));
    assert!(!allows(&guard, "http://127.0.0.2/"));
    assert!(allows(&guard, "http://127.0.0.1/"));
    assert!(allows(&guard, "http://8.8.9.8/"));
}

#[test]
fn ports_of_other_services_are_refused_where_the_network_is_not_allowed() {
    assert!(allows(&strict(), "https://example.com:8443/"));
    assert!(allows(&strict(), "https://8.8.8.8:80/"));
    assert!(!allows(&strict(), "https://example.com:25/"));
    assert!(!allows(&strict(), "https://8.8.8.8:22/"));
    assert!(!allows(&strict(), "https://8.8.8.8:0/"));
    let guard = allowing(&["8.8.8.0/24"]);
    assert!(allows(&guard, "https://8.8.8.8:22/"));
    assert!(allows(&guard, "https://example.com:25/"), "its addresses are not known yet");
    let elsewhere = SocketAddr::from(([1, 1, 1, 1], 25));
    assert_eq!(guard.vet_address(elsewhere), Err(Reason::Port { of: Some(elsewhere.ip()) }));
}

#[test]
fn a_url_that_no_request_can_carry_is_refused() {
    let url = "https://exa`mple.com/";
    assert_eq!(
        refused(&strict(), url),
        format!("{url} is refused: its host or path has characters that no HTTP request can carry")
    );
    assert!(allows(&strict(), "https://example.com/a?b={c}|d^e'#f"));
    assert!(allows(&strict(), "https://müller.example/ü?ü#ü"));
}
