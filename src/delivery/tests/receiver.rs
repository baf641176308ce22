//! A receiver on a socket of its own, as polite or as rude as a test needs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// Listens until the test's process ends, a thread per connection.
pub struct Receiver {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    requests: mpsc::Receiver<Received>,
}

/// A request as it was received.
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A connection on which a request has been read.
pub struct Connection(BufReader<TcpStream>);

impl Receiver {
    /// Answers every request with these bytes and keeps the connection open.
    pub fn answering(answer: &'static [u8]) -> Self {
        Self::serving(move |connection, _| connection.say(answer))
    }

    /// Serves every request as `serve` says, which also gets the request's number, from 1.
    pub fn serving(serve: impl Fn(&mut Connection, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (sender, requests) = mpsc::channel();
        let (count, served, serve) = (accepted.clone(), Arc::new(AtomicUsize::new(0)), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let mut connection = Connection(BufReader::new(stream.unwrap()));
                let (sender, served, serve) = (sender.clone(), served.clone(), serve.clone());
                thread::spawn(move || {
                    while let Some(request) = Received::read(&mut connection.0) {
                        let n = served.fetch_add(1, Ordering::SeqCst) + 1;
                        let _ = sender.send(request);
                        serve(&mut connection, n);
                    }
                });
            }
        });
        Self { address, accepted, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The next request that was received.
    pub fn request(&self) -> Received {
        self.requests.recv().unwrap()
    }
}

impl Received {
    /// Reads a request; nothing when the other side has hung up.
    pub fn read(from: &mut impl BufRead) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut lines = lines.into_iter();
        let line = lines.next()?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.to_owned()))
        });
        let mut received = Self { line, headers: headers.collect(), body: Vec::new() };
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        received.body.resize(length, 0);
        from.read_exact(&mut received.body).ok()?;
        Some(received)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| &*header.1)
    }
}

impl Connection {
    pub fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Whether the other side still takes bytes.
    pub fn try_say(&mut self, bytes: &[u8]) -> bool {
        self.0.get_mut().write_all(bytes).is_ok()
    }

    pub fn wait_for_hang_up(&mut self) {
        let _ = self.0.read_to_end(&mut Vec::new());
    }

    pub fn hang_up(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Both).unwrap();
    }

    /// Ends the connection with a reset: what a process that is killed leaves behind.
    pub fn reset(&mut self) {
        use std::os::fd::AsRawFd;
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        let size = size_of::<libc::linger>() as libc::socklen_t;
        let fd = self.0.get_mut().as_raw_fd();
        // SAFETY: the descriptor is open, and the option's value is a `linger` of the given size.
        let set = unsafe {
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size)
        };
        assert_eq!(set, 0);
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        let nothing = TcpStream::connect(nobody.local_addr().unwrap());
        drop(std::mem::replace(self.0.get_mut(), nothing.unwrap()));
    }
}

/// The URL of a port at which nobody listens.
pub fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}
