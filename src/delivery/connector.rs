//! The connector: opens every connection to a receiver, and only to addresses that the guard allows.
//!
//! The system's resolver takes `127.1` and `0x7f.1` for addresses. Here a host is turned into addresses once, each is
//! vetted, and the socket is connected to one of those very addresses, so a name that changes its mind between the two
//! gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::attempt::ErrorKind;
use crate::delivery::endpoint::Target;
use crate::delivery::fault;
use crate::delivery::guard::{Guard, LOCALHOST, Reason, is_localhost};
use crate::delivery::handshake::shake_hands;
use crate::delivery::resolver::{Addresses, Resolver};
use crate::delivery::socket::{Socket, Stream};
use crate::delivery::tls::Outgoing;

/// Opens guarded connections, and shares among them what is known of names.
pub struct Connector {
    guard: Arc<Guard>,
    tls: Outgoing,
    /// How long to wait for one address while there are others.
    patience: Duration,
    resolver: Resolver,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the egress guard refuses {0}")]
    Blocked(Reason),
    #[error("the name cannot be resolved: {0}")]
    Dns(io::Error),
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
}

/// How many addresses of a name are tried; some names have hundreds.
const ADDRESSES_TRIED: usize = 4;

impl Connector {
    /// Opens connections to what `guard` allows, secured as `tls` says where they are to be.
    ///
    /// `time` is what an attempt has in all. One address that does not answer gets its share of it, so that there is
    /// some left for the next.
    pub fn new(guard: Arc<Guard>, tls: Outgoing, time: Duration) -> Self {
        let patience = time / ADDRESSES_TRIED as u32;
        Self { guard, tls, patience, resolver: Resolver::default() }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the guard refuses the target, or it cannot be reached.
    pub async fn open(&self, target: &Target) -> Result<Socket, Failure> {
        let (host, port) = target.place();
        self.guard.vet_scheme(target.tls)?;
        let addresses = self.strangers(&self.vetted(host, port).await?)?;
        let tcp = self.connect(&addresses).await.map_err(Failure::Connect)?;
        self.guard.vet_address(tcp.peer_addr().map_err(Failure::Connect)?)?;
        tcp.set_nodelay(true).map_err(Failure::Connect)?;
        if !target.tls {
            return Ok(Stream::Plain(tcp).into());
        }
        let stream = shake_hands(&self.tls.connector(), host, tcp).await.map_err(Failure::Tls)?;
        Ok(Stream::Tls(Box::new(stream)).into())
    }

    /// The addresses of a host, all of them allowed.
    ///
    /// A name with a single refused address is refused as a whole: either it is no public name, or someone is trying
    /// something. `localhost` is the exception, since both of its addresses are known.
    async fn vetted(&self, host: &str, port: u16) -> Result<Addresses, Failure> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            let address = SocketAddr::new(ip, port);
            self.guard.vet_address(address)?;
            return Ok(Rc::new([address]));
        }
        if is_localhost(host) {
            let addresses = LOCALHOST.map(|ip| SocketAddr::new(ip, port));
            let allowed = addresses.into_iter().filter(|address| self.guard.vet_address(*address).is_ok());
            let allowed: Addresses = allowed.collect();
            if allowed.is_empty() {
                self.guard.vet_address(addresses[0])?;
            }
            return Ok(allowed);
        }
        let resolved = self.resolver.resolve(host, port).await;
        let addresses = resolved.map_err(|error| Failure::Dns(fault::of_resolving(error)))?;
        addresses.iter().try_for_each(|address| self.guard.vet_address(*address))?;
        Ok(addresses)
    }

    /// The first addresses to which there is a way. One that turns out to be this machine's own refuses them all.
    fn strangers(&self, addresses: &[SocketAddr]) -> Result<Vec<SocketAddr>, Failure> {
        let mut reachable = Vec::with_capacity(ADDRESSES_TRIED);
        let mut lost = None;
        for address in addresses {
            if reachable.len() == ADDRESSES_TRIED {
                break;
            }
            match self.guard.vet_destination(*address) {
                Ok(vetted) => vetted.map(|()| reachable.push(*address))?,
                Err(error) => lost = Some(error),
            }
        }
        match lost {
            Some(error) if reachable.is_empty() => Err(Failure::Connect(error)),
            _ => Ok(reachable),
        }
    }

    /// Connects to the first address that answers.
    async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let Some((last, others)) = addresses.split_last() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses"));
        };
        for address in others {
            match timeout(self.patience, TcpStream::connect(*address)).await {
                Ok(Err(error)) if fault::is_own(&error) => return Err(error),
                Ok(Err(_)) | Err(_) => {}
                Ok(Ok(tcp)) => return Ok(tcp),
            }
        }
        TcpStream::connect(*last).await.map_err(|error| fault::of_connecting(error, *last))
    }
}

impl Failure {
    /// Whether it is this machine that could not, so that it says nothing about the receiver.
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Dns(error) | Self::Connect(error) if fault::is_own(error))
    }

    /// What the attempt met.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Blocked(_) => ErrorKind::Blocked,
            Self::Dns(_) => ErrorKind::Dns,
            Self::Connect(_) => ErrorKind::Connect,
            Self::Tls(_) => ErrorKind::Tls,
        }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::Blocked(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tls::trusting_the_web;

    fn connector(guard: Arc<Guard>) -> Connector {
        Connector::new(guard, trusting_the_web().into(), Duration::from_secs(1))
    }

    /// What a connector makes of a name for which the resolver has just given these addresses.
    async fn vetted(addresses: &[&str]) -> Result<Addresses, Failure> {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let resolver = Resolver::knowing("example.com", 443, &addresses);
        let guard = Arc::new(Guard::new(true, Vec::new()));
        let connector = Connector { resolver, ..connector(guard) };
        connector.vetted("example.com", 443).await
    }

    #[test]
    fn a_name_with_one_refused_address_is_refused() {
        actix_rt::System::new().block_on(async {
            assert_eq!(vetted(&["8.8.8.8:443", "[2600::1]:443"]).await.unwrap().len(), 2);
            for inside in
                ["10.0.0.1:443", "[::ffff:169.254.169.254]:443", "[64:ff9b::a00:1]:443", "[fd00::1]:443"]
            {
                let failure = vetted(&["8.8.8.8:443", inside]).await.unwrap_err();
                assert_eq!(failure.kind(), ErrorKind::Blocked, "{inside}");
            }
        });
    }

    #[test]
    fn spellings_that_only_the_system_takes_for_addresses_are_vetted_too() {
        let guard = Arc::new(Guard::new(false, Vec::new()));
        actix_rt::System::new().block_on(async {
            for host in ["2130706433", "0x7f.1", "127.1", "0", "::ffff:127.0.0.1", "::1", "localhost."] {
                let failure = connector(guard.clone()).vetted(host, 80).await.unwrap_err();
                // A system whose resolver does not know such a spelling cannot be fooled by it.
                assert!(matches!(failure.kind(), ErrorKind::Blocked | ErrorKind::Dns), "{host}: {failure}");
            }
        });
    }
}
