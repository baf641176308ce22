//! Own addresses: whether an address is this machine's, whatever interface it is on.
//!
//! Asks the system which address it would call from. A packet to an address of its own would come from that very
//! address (RFC 6724, rule 1; Linux does the same for IPv4). It is asked each time, since addresses come and go.
//! What a router in front translates into an address of ours looks like any other and is not known here, nor is a
//! whole network that a route of type `local` with a source of its own gives to this machine.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// What such addresses are called, in the plural.
pub const WHAT: &str = "addresses of this machine itself";

/// Any port will do: nothing is sent to it.
const DISCARD: u16 = 9;

/// Whether the address is this machine's own.
///
/// Connecting a datagram socket sends nothing and waits for nobody.
///
/// # Errors
/// When there is no way to the address, or no socket to be had.
pub fn is_own(ip: IpAddr) -> io::Result<bool> {
    let target = SocketAddr::new(ip, DISCARD);
    let socket = Socket::new(Domain::for_address(target), Type::DGRAM, None)?;
    socket.connect(&target.into())?;
    let source = socket.local_addr()?.as_socket();
    Ok(source.is_some_and(|source| source.ip() == ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_an_interface_is_own_and_its_neighbour_is_not() {
        assert!(is_own("127.0.0.1".parse().unwrap()).unwrap());
        // Where there is no way to the network at all, it cannot be told.
        assert!(!is_own("192.0.2.1".parse().unwrap()).unwrap_or(false));
    }
}
