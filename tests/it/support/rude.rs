//! A receiver that is no HTTP server: it reads a request, and does with the connection what a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A rude receiver on a port of its own; it listens until the test's process ends.
pub struct Rude {
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Rude {
    /// Does this with every connection on which it has read a request, and closes it.
    pub fn meeting(meet: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (accepted, meet) = (Arc::new(AtomicUsize::new(0)), Arc::new(meet));
        let count = Arc::clone(&accepted);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let meet = Arc::clone(&meet);
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    // What is no request, such as a TLS handshake, is met as it is.
                    let _ = read_request(&mut reader);
                    meet(reader.get_mut());
                });
            }
        });
        Self { port, accepted }
    }

    /// Says this, and no more.
    pub fn saying(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::meeting(move |stream| {
            // A sender that hangs up has heard enough.
            drop(stream.write_all(bytes.as_ref()));
            linger(stream);
        })
    }

    /// Says this, and then the other for as long as somebody listens.
    pub fn without_end(beginning: &'static str, again: &'static str) -> Self {
        Self::meeting(move |stream| {
            let again = again.repeat(8192 / again.len() + 1);
            let mut listens = stream.write_all(beginning.as_bytes()).is_ok();
            while listens {
                listens = stream.write_all(again.as_bytes()).is_ok();
            }
        })
    }

    /// Its URL with this scheme.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Waits until the other side hangs up, which would lose what it has not yet read if we were first.
pub fn linger(stream: &mut TcpStream) {
    drop(stream.read_to_end(&mut Vec::new()));
}

fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    // A handshake has no lines.
    if reader.fill_buf()?.first() == Some(&0x16) {
        return Ok(());
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim_end().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])
}
