//! Faults of this machine: what keeps it from trying, and says nothing about a receiver.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// An error that only looks like a receiver's.
#[derive(Debug, thiserror::Error)]
#[error("this machine cannot: {0}")]
struct Own(io::Error);

/// No more open files, in this process or at all; no memory for a socket.
const CODES: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];

/// Whether this error is this machine's own.
pub fn is_own(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| CODES.contains(&code))
        || error.get_ref().is_some_and(|inner| inner.is::<Own>())
}

/// Says of an error that it is this machine's own.
pub fn own(error: io::Error) -> io::Error {
    io::Error::other(Own(error))
}

/// An error of connecting to `address`. That there is no address to connect from means that all ports are in use,
/// unless there is no way to that address at all, as to one of IPv6 where there is none.
pub fn of_connecting(error: io::Error, address: SocketAddr) -> io::Error {
    if error.kind() == io::ErrorKind::AddrNotAvailable && has_way_to(address) {
        return own(error);
    }
    error
}

/// An error of the resolver, which says that a name is unknown where it cannot even ask.
pub fn of_resolving(error: io::Error) -> io::Error {
    match UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
        Err(reason) if is_own(&reason) => own(reason),
        _ => error,
    }
}

/// Whether there is an address of this machine from which that one can be reached. Nothing is sent.
fn has_way_to(address: SocketAddr) -> bool {
    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    };
    socket.is_ok_and(|socket| socket.connect(address).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_the_receivers_affair() {
        for code in [libc::ECONNREFUSED, libc::ECONNRESET, libc::ENETUNREACH, libc::ETIMEDOUT] {
            assert!(!is_own(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in CODES {
            assert!(is_own(&io::Error::from_raw_os_error(code)), "{code}");
        }
    }

    #[test]
    fn without_a_port_to_connect_from_it_is_own_where_there_is_a_way() {
        let error = || io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
        assert!(is_own(&of_connecting(error(), ([127, 0, 0, 1], 9).into())));
        // Discard-only addresses are routed nowhere.
        let nowhere = SocketAddr::from(([0x100, 0, 0, 0, 0, 0, 0, 1], 9));
        assert_eq!(is_own(&of_connecting(error(), nowhere)), has_way_to(nowhere));
        assert!(!is_own(&of_connecting(io::Error::from_raw_os_error(libc::ECONNREFUSED), nowhere)));
    }

    #[test]
    fn an_unknown_name_is_the_receivers_affair_while_files_can_be_opened() {
        assert!(!is_own(&of_resolving(io::Error::other("no such name"))));
    }
}
