//! The egress guard: which targets may be called.
//!
//! Anyone who may subscribe could otherwise point this server at its own network, or at the metadata service of the
//! cloud that it runs in. A URL is vetted when a hook subscribes, so that its owner hears why; every address is vetted
//! again when a connection is opened, which is what protects. Resolving names is left to the connector.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::Host;

use crate::delivery::endpoint;
use crate::delivery::networks::{Special, special};
use crate::subscription::EndpointUrl;

/// Decides which targets may be called: public addresses, and the networks that the operator allows.
#[derive(Clone, Debug)]
pub struct Guard {
    https_only: bool,
    allow_networks: Vec<IpNet>,
}

/// A URL may not be a hook's. The message says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The configuration has it switched off.
    #[error("{}", SwitchedOff(.target, .reasons))]
    SwitchedOff { target: Box<str>, reasons: Vec<Reason> },
    /// No HTTP request can carry it.
    #[error("{target} is refused: its host or path has characters that no HTTP request can carry")]
    Unsendable { target: Box<str> },
}

/// What is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Requests without TLS.
    PlainHttp,
    /// Addresses that are not public.
    Address(&'static Special),
    /// Ports of services other than the web's; allowed where the network is.
    Port { of: Option<IpAddr> },
}

/// The refusal as a sentence, and the advice.
struct SwitchedOff<'a>(&'a str, &'a [Reason]);

/// Ports below this belong to mail, shells, databases' elders and the like, which a request could talk into something.
const FIRST_FREE_PORT: u16 = 1024;
const WEB_PORTS: [u16; 2] = [80, 443];

impl Guard {
    /// Allows what is public and, besides, every address in `allow_networks`; plain http only if not `https_only`.
    pub fn new(https_only: bool, allow_networks: Vec<IpNet>) -> Self {
        Self { https_only, allow_networks }
    }

    /// Vets the URL of a hook to be, as far as it can be judged without resolving a name.
    ///
    /// # Errors
    /// A [`Refusal`] that tells the hook's owner and the operator what to do.
    pub fn vet_url(&self, url: &EndpointUrl) -> Result<(), Refusal> {
        let port = url.url().port_or_known_default().unwrap_or_default();
        let scheme = self.vet_scheme(url.url().scheme() == "https");
        let host = match url.url().host() {
            Some(Host::Ipv4(ip)) => self.vet_address(SocketAddr::new(ip.into(), port)),
            Some(Host::Ipv6(ip)) => self.vet_address(SocketAddr::new(ip.into(), port)),
            Some(Host::Domain(name)) => self.vet_name(name, port),
            None => Ok(()),
        };
        let reasons: Vec<_> = [scheme, host].into_iter().filter_map(Result::err).collect();
        let target = || url.as_sent().into();
        if !reasons.is_empty() {
            return Err(Refusal::SwitchedOff { target: target(), reasons });
        }
        endpoint::target(url).map(|_| ()).ok_or_else(|| Refusal::Unsendable { target: target() })
    }

    /// Vets one address. An IPv4-mapped one is judged as the IPv4 address that it stands for.
    ///
    /// # Errors
    /// Why it may not be called.
    pub fn vet_address(&self, address: SocketAddr) -> Result<(), Reason> {
        let ip = address.ip().to_canonical();
        if self.allow_networks.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        match special(ip) {
            Some(special) => Err(Reason::Address(special)),
            None => vet_port(address.port(), Some(ip)),
        }
    }

    /// Vets a scheme: with TLS or without.
    ///
    /// # Errors
    /// When plain http is off.
    pub fn vet_scheme(&self, tls: bool) -> Result<(), Reason> {
        if self.https_only && !tls { Err(Reason::PlainHttp) } else { Ok(()) }
    }

    /// A name is judged by its addresses when a connection is opened. Until then only `localhost` can be told, and
    /// the port where no network is allowed that the name could turn out to be in.
    fn vet_name(&self, name: &str, port: u16) -> Result<(), Reason> {
        if is_localhost(name) {
            let vetted = LOCALHOST.map(|ip| self.vet_address(SocketAddr::new(ip, port)));
            return if vetted.iter().any(Result::is_ok) { Ok(()) } else { vetted[0] };
        }
        if self.allow_networks.is_empty() { vet_port(port, None) } else { Ok(()) }
    }
}

/// What `localhost` and the names below it stand for, whatever a resolver says (RFC 6761).
pub(super) const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Whether the name is `localhost` or below it.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

fn vet_port(port: u16, of: Option<IpAddr>) -> Result<(), Reason> {
    if port >= FIRST_FREE_PORT || WEB_PORTS.contains(&port) { Ok(()) } else { Err(Reason::Port { of }) }
}

/// `plain http`, `loopback addresses`: what is off.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainHttp => f.write_str("plain http"),
            Self::Address(special) => f.write_str(special.what),
            Self::Port { .. } => f.write_str("ports below 1024 other than 80 and 443"),
        }
    }
}

impl Reason {
    /// The setting that would allow it.
    fn setting(&self) -> String {
        match self {
            Self::PlainHttp => "egress.https_only = false".to_owned(),
            Self::Address(special) => format!("egress.allow_networks = [\"{}\"]", special.network),
            Self::Port { of: Some(ip) } => format!("egress.allow_networks = [\"{}\"]", IpNet::from(*ip)),
            Self::Port { of: None } => "egress.allow_networks to the network of its address".to_owned(),
        }
    }
}

impl fmt::Display for SwitchedOff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(target, reasons) = self;
        let what = reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join(" and ");
        let verb = if **reasons == [Reason::PlainHttp] { "is" } else { "are" };
        let settings = reasons.iter().map(Reason::setting).collect::<Vec<_>>().join(" and ");
        write!(
            f,
            "{target} is refused: {what} {verb} off. Trying it out? start with --dev. In production set {settings}."
        )
    }
}

#[cfg(test)]
mod tests {
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
        assert!(
            refused(&strict(), "https://[fe80::1]/").ends_with("egress.allow_networks = [\"fe80::/10\"].")
        );
        assert!(
            refused(&strict(), "https://8.8.8.8:25/").ends_with("egress.allow_networks = [\"8.8.8.8/32\"].")
        );
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
}
