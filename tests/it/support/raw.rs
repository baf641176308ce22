//! Bytes on a connection, for what no well-behaved client sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::patience::PATIENCE;

/// Opens a connection that gives up waiting when a test would.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the timeout is not zero");
    stream
}

/// Sends these bytes and reads until the server closes; returns the status, or nothing when none came.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let mut stream = connect(address);
    // The server may close before it has read all of it; what it said before that still counts.
    drop(stream.write_all(bytes));
    status(&mut stream)
}

/// The status of the answer that waits on this connection.
pub fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
        if answer.contains(&b'\n') {
            break;
        }
    }
    String::from_utf8_lossy(&answer).strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}
