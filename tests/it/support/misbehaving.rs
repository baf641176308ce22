//! Receivers that break off, or take for ever.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// The URL of one that takes each request and resets the connection.
pub fn resetting() -> String {
    serving(|mut stream| {
        read_some(&mut stream)?;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))
    })
}

/// The URL of one that answers 200 at once and then a byte a second.
pub fn dribbling() -> String {
    serving(|mut stream| {
        read_some(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
        loop {
            stream.write_all(b".")?;
            // This is what it does, not what a test waits for.
            thread::sleep(Duration::from_secs(1));
        }
    })
}

/// Reads what comes first, which is a whole request or enough of it.
fn read_some(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 4096])? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn serving(serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            // A connection that breaks is what it is about.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    url
}
