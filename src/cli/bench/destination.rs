//! Where the deliveries of a scenario go: a receiver of the bench, which knows what arrived, or a URL that
//! was given.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use url::{Position, Url};

use super::part::Role;
use super::part::arrivals::{Arrived, Expected};
use super::part::receiver::{Fault, Order};
use super::template::path_of;
use super::workshop::{Hand, Workshop};

/// Where deliveries go.
pub enum Destination {
    Receiver { hand: Hand, addresses: Vec<SocketAddr> },
    Elsewhere(Url),
}

/// Where hooks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Each on a port of its own.
    Ports(u32),
    /// All on one port, each on a path of its own.
    Paths,
}

impl Destination {
    /// A receiver in a process of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn receiver(workshop: &Workshop, place: Place) -> anyhow::Result<Self> {
        let mut hand = workshop.hand(Role::Receiver)?;
        let ports = match place {
            Place::Ports(ports) => ports.max(1),
            Place::Paths => 1,
        };
        let addresses = hand.ask(&Order::Listen(ports))?;
        Ok(Self::Receiver { hand, addresses })
    }

    /// The URL of a hook.
    pub fn url(&self, hook: u32) -> String {
        match self {
            Self::Receiver { addresses, .. } => match addresses.get(hook as usize) {
                Some(address) => format!("http://{address}/"),
                None => format!("{}{}", self.base(), path_of(hook)),
            },
            Self::Elsewhere(url) if hook == 0 => url.to_string(),
            Self::Elsewhere(url) => {
                let mut url = url.clone();
                url.query_pairs_mut().append_pair("hook", &hook.to_string());
                url.into()
            }
        }
    }

    /// What the URLs of hooks begin with that are on paths.
    pub fn base(&self) -> String {
        match self {
            Self::Receiver { addresses, .. } => format!("http://{}", addresses[0]),
            Self::Elsewhere(url) => url[..Position::AfterPath].trim_end_matches('/').to_owned(),
        }
    }

    /// Where requests go that look like deliveries: the address, and what they call the host and the path.
    ///
    /// # Errors
    /// When the URL is not one that a load generator can call.
    pub fn address(&self) -> anyhow::Result<(SocketAddr, String, String)> {
        match self {
            Self::Receiver { addresses, .. } => Ok((addresses[0], addresses[0].to_string(), "/".to_owned())),
            Self::Elsewhere(url) => {
                anyhow::ensure!(url.scheme() == "http", "the load generator itself calls http:// URLs alone");
                let addresses = url.socket_addrs(|| None).with_context(|| format!("cannot find {url}"))?;
                let address = *addresses.first().with_context(|| format!("{url} has no address"))?;
                let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
                Ok((address, host, url[Position::BeforePath..Position::AfterQuery].to_owned()))
            }
        }
    }

    /// The process of the receiver, if it is the bench's.
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Receiver { hand, .. } => Some(hand.id()),
            Self::Elsewhere(_) => None,
        }
    }

    /// Counts what comes from now on.
    ///
    /// # Errors
    /// When the receiver has ended.
    pub fn expect(&mut self, expected: Expected, fault: Option<Fault>) -> anyhow::Result<()> {
        if let Self::Receiver { hand, .. } = self {
            hand.ask::<Value>(&Order::Expect { expected, fault })?;
        }
        Ok(())
    }

    /// Waits until all came that is expected, and checks that each came once; nothing is known of what went
    /// elsewhere.
    ///
    /// # Errors
    /// When something did not come, came twice, or came that should not have.
    pub fn each_once(&mut self, patience: Duration) -> anyhow::Result<Option<Arrived>> {
        match self {
            Self::Elsewhere(_) => Ok(None),
            Self::Receiver { hand, .. } => {
                let patience_ms = patience.as_millis() as u64;
                let arrived: Arrived = hand.ask(&Order::Await { patience_ms })?;
                arrived.each_once().map(Some)
            }
        }
    }
}
