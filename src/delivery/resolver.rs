//! Names: what addresses a host has just now.
//!
//! Asks the system's resolver, one question at a time. Which of the addresses may be called is left to the guard.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use crate::delivery::fault;

/// The addresses of a host, those to try first in front.
pub type Addresses = Rc<[SocketAddr]>;

/// Resolves the name that a client's endpoints share.
///
/// A resolver that hangs keeps a thread of the process busy, longer than an attempt lasts. It gets one thread, not one
/// for every connection that waits for it.
#[derive(Default)]
pub struct Resolver(Mutex<Option<Name>>);

/// The name that was last asked for.
struct Name {
    host: Box<str>,
    port: u16,
    lookup: Lookup,
}

enum Lookup {
    /// A thread waits for the resolver, even if nobody waits for the thread any more.
    Asked(JoinHandle<io::Result<Vec<SocketAddr>>>),
    Answered {
        addresses: Addresses,
        at: Instant,
    },
}

/// How long an answer serves further connections, so that a burst asks once.
const ANSWERED_FOR: Duration = Duration::from_secs(1);

impl Resolver {
    /// Resolves a host, or waits for the answer if it is being resolved already.
    ///
    /// # Errors
    /// What the system's resolver says.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Addresses> {
        let mut known = self.0.lock().await;
        let name = match known.as_mut() {
            Some(name) if name.serves(host, port) => name,
            _ => known.insert(Name::ask(host, port)?),
        };
        match &mut name.lookup {
            Lookup::Answered { addresses, .. } => Ok(addresses.clone()),
            Lookup::Asked(thread) => {
                let mut addresses = thread.await.map_err(io::Error::other)??;
                alternate(&mut addresses);
                let addresses: Addresses = addresses.into();
                name.lookup = Lookup::Answered { addresses: addresses.clone(), at: Instant::now() };
                Ok(addresses)
            }
        }
    }

    /// A resolver that has just been given these addresses.
    #[cfg(test)]
    pub fn knowing(host: &str, port: u16, addresses: &[SocketAddr]) -> Self {
        let lookup = Lookup::Answered { addresses: addresses.into(), at: Instant::now() };
        Self(Mutex::new(Some(Name { host: host.into(), port, lookup })))
    }
}

impl Name {
    /// Gives the question to a thread.
    ///
    /// # Errors
    /// When the system has none left; the runtime panics then.
    fn ask(host: &str, port: u16) -> io::Result<Self> {
        let host: Box<str> = host.into();
        let asked = host.clone();
        let resolve = move || Ok((&*asked, port).to_socket_addrs()?.collect());
        let thread = catch_unwind(move || spawn_blocking(resolve));
        let thread = thread.map_err(|_| fault::own(io::ErrorKind::OutOfMemory.into()))?;
        Ok(Self { host, port, lookup: Lookup::Asked(thread) })
    }

    /// Whether what is known, or about to be, is of use now. An answer that nobody fetched may be of any age.
    fn serves(&self, host: &str, port: u16) -> bool {
        let fresh = match &self.lookup {
            Lookup::Asked(thread) => !thread.is_finished(),
            Lookup::Answered { at, .. } => at.elapsed() < ANSWERED_FOR,
        };
        fresh && (&*self.host, self.port) == (host, port)
    }
}

/// Puts an address of the other family second, so that a network without IPv6 does not use up all tries (RFC 8305).
fn alternate(addresses: &mut [SocketAddr]) {
    if let Some(other) = addresses.iter().position(|address| address.is_ipv4() != addresses[0].is_ipv4()) {
        addresses[1..=other].rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_address_is_of_the_other_family() {
        let [a, b, c] = ["[2600::1]:1", "[2600::2]:1", "8.8.8.8:1"].map(|text| text.parse().unwrap());
        let mut addresses = [a, b, c];
        alternate(&mut addresses);
        assert_eq!(addresses, [a, c, b]);
        let mut alone = [a];
        alternate(&mut alone);
        assert_eq!(alone, [a]);
    }

    #[test]
    fn an_answer_that_nobody_fetched_is_not_used_later() {
        actix_rt::System::new().block_on(async {
            let name = Name::ask("127.0.0.1", 80).unwrap();
            assert!(!name.serves("127.0.0.1", 81));
            while let Lookup::Asked(thread) = &name.lookup
                && !thread.is_finished()
            {
                tokio::task::yield_now().await;
            }
            assert!(!name.serves("127.0.0.1", 80));
        });
    }

    #[test]
    fn an_error_is_not_remembered() {
        actix_rt::System::new().block_on(async {
            let resolver = Resolver::default();
            for _ in 0..2 {
                assert!(resolver.resolve("name.invalid", 80).await.is_err());
            }
            assert_eq!(*resolver.resolve("127.0.0.1", 80).await.unwrap(), [([127, 0, 0, 1], 80).into()]);
        });
    }
}
