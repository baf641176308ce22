//! The egress guard: which targets may be called.
//!
//! Anyone who may subscribe could otherwise point this server at its own network, or at the metadata service of the
//! cloud that it runs in. A URL is vetted when a hook subscribes, so that its owner hears why; every address is vetted
//! again when a connection is opened, which is what protects. Resolving names is left to the connector.

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::Host;

use crate::delivery::networks::{Special, special};
use crate::delivery::{endpoint, own};
use crate::subscription::EndpointUrl;

#[cfg(test)]
mod tests;

/// Decides which targets may be called: public addresses, and the networks that the operator allows.
#[derive(Clone, Debug)]
pub struct Guard {
    https_only: bool,
    allow_networks: Vec<IpNet>,
    deny_networks: Vec<IpNet>,
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
    /// Readers of URLs differ about where it leads.
    #[error(
        "{} is refused: a backslash or a control character in a url is read differently by different programs",
        target.escape_debug()
    )]
    Ambiguous { target: Box<str> },
}

/// What is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Requests without TLS.
    PlainHttp,
    /// Addresses that are not public.
    Address(Special),
    /// Addresses that the operator denies.
    Denied(IpNet),
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
        Self { https_only, allow_networks, deny_networks: Vec::new() }
    }

    /// Refuses these networks besides, whatever else is allowed.
    pub fn denying(self, deny_networks: Vec<IpNet>) -> Self {
        Self { deny_networks, ..self }
    }

    /// Vets the URL of a hook to be, as far as it can be judged without resolving a name.
    ///
    /// # Errors
    /// A [`Refusal`] that tells the hook's owner and the operator what to do.
    pub fn vet_url(&self, url: &EndpointUrl) -> Result<(), Refusal> {
        let target = || url.as_sent().into();
        if is_ambiguous(url.as_sent()) {
            return Err(Refusal::Ambiguous { target: target() });
        }
        let port = url.url().port_or_known_default().unwrap_or_default();
        let scheme = self.vet_scheme(url.url().scheme() == "https");
        let host = match url.url().host() {
            Some(Host::Ipv4(ip)) => self.vet_literal(SocketAddr::new(ip.into(), port)),
            Some(Host::Ipv6(ip)) => self.vet_literal(SocketAddr::new(ip.into(), port)),
            Some(Host::Domain(name)) => self.vet_name(name, port),
            None => Ok(()),
        };
        let reasons: Vec<_> = [scheme, host].into_iter().filter_map(Result::err).collect();
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
        if let Some(denied) = self.deny_networks.iter().find(|network| network.contains(&ip)) {
            return Err(Reason::Denied(*denied));
        }
        if self.allows(ip) {
            return Ok(());
        }
        match special(ip) {
            Some(special) => Err(Reason::Address(special)),
            None => vet_port(address.port(), Some(ip)),
        }
    }

    /// Vets one address as [`Self::vet_address`] does, and asks the system whether it is this machine's own: services
    /// that a firewall hides from everybody else would answer there.
    ///
    /// # Errors
    /// When the system cannot tell, as where there is no way to the address.
    pub fn vet_destination(&self, address: SocketAddr) -> io::Result<Result<(), Reason>> {
        let (vetted, ip) = (self.vet_address(address), address.ip().to_canonical());
        if vetted.is_ok() && !self.allows(ip) && own::is_own(ip)? {
            return Ok(Err(Reason::Address(Special { network: ip.into(), what: own::WHAT })));
        }
        Ok(vetted)
    }

    /// Vets a scheme: with TLS or without.
    ///
    /// # Errors
    /// When plain http is off.
    pub fn vet_scheme(&self, tls: bool) -> Result<(), Reason> {
        if self.https_only && !tls { Err(Reason::PlainHttp) } else { Ok(()) }
    }

    /// An address that a URL spells out. One that cannot be reached now may be later; then it is vetted again.
    fn vet_literal(&self, address: SocketAddr) -> Result<(), Reason> {
        self.vet_destination(address).unwrap_or(Ok(()))
    }

    fn allows(&self, ip: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(&ip))
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

/// Browsers take a backslash for a slash and leave out tabs and newlines; others see another host or another line.
fn is_ambiguous(url: &str) -> bool {
    url.contains(|character: char| character == '\\' || character.is_control())
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
            Self::Denied(_) => f.write_str("addresses that the operator denies"),
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
            Self::Denied(network) => format!("egress.deny_networks without \"{network}\""),
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
