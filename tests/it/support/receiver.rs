//! The far side: an HTTP/1.1 server that records every request as it stood on the wire, and answers as it is told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::patience::{Gate, PATIENCE, until_some};

/// A receiver on a port of its own; dropping it closes the port.
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// How many came before it, to this receiver.
    pub index: usize,
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names and values as they were sent, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When its connection was accepted.
    pub connected: Instant,
    /// When the whole of it was read.
    pub arrived: Instant,
    pub arrived_at: SystemTime,
}

/// What a receiver answers.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    /// A longer body was announced, and the connection closes before it came.
    CutShort,
    /// Bytes that are no HTTP.
    Nonsense,
}

/// The first byte of a connection that speaks TLS, which this receiver does not.
const TLS_HANDSHAKE: u8 = 0x16;

type Answering = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;

struct Desk {
    received: Mutex<Vec<Received>>,
    arrived: Condvar,
    answering: Mutex<Answering>,
    closed: AtomicBool,
}

/// A URL of this machine where nobody listens.
pub fn deserted_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}/", listener.local_addr().expect("it is bound"))
}

impl Receiver {
    /// A receiver that answers these statuses in turn, and the last of them ever after.
    pub fn answering<const N: usize>(statuses: [u16; N]) -> Self {
        Self::answering_with(in_turn(statuses))
    }

    /// A receiver that answers what `answer` says; it may block.
    pub fn answering_with<F, A>(answer: F) -> Self
    where
        F: Fn(&Received) -> A + Send + Sync + 'static,
        A: Into<Answer>,
    {
        Self::listening_on(TcpListener::bind("127.0.0.1:0").expect("a free port"), answer)
    }

    /// A receiver at a port that is not its own choice; waits until it is free.
    pub fn at_port<F, A>(port: u16, answer: F) -> Self
    where
        F: Fn(&Received) -> A + Send + Sync + 'static,
        A: Into<Answer>,
    {
        let listener = until_some("the port is free", || TcpListener::bind(("127.0.0.1", port)).ok());
        Self::listening_on(listener, answer)
    }

    fn listening_on<F, A>(listener: TcpListener, answer: F) -> Self
    where
        F: Fn(&Received) -> A + Send + Sync + 'static,
        A: Into<Answer>,
    {
        let address = listener.local_addr().expect("it is bound");
        let answering: Answering = Arc::new(move |request| answer(request).into());
        let desk = Arc::new(Desk {
            received: Mutex::default(),
            arrived: Condvar::new(),
            answering: Mutex::new(answering),
            closed: AtomicBool::new(false),
        });
        let receiver = Self { address, desk: Arc::clone(&desk) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if desk.closed.load(Ordering::Relaxed) {
                    return;
                }
                let (desk, connected) = (Arc::clone(&desk), Instant::now());
                // A connection that breaks is the sender's business.
                thread::spawn(move || drop(desk.serve(stream, connected)));
            }
        });
        receiver
    }

    /// A receiver that answers 200, but not before the gate is open.
    pub fn holding(gate: &Gate) -> Self {
        let gate = gate.clone();
        Self::answering_with(move |_| {
            gate.pass();
            200
        })
    }

    /// Answers this status from now on.
    pub fn answer_from_now(&self, status: u16) {
        *self.desk.answering.lock().expect("no answering panics") = Arc::new(move |_| status.into());
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Received> {
        self.desk.received().clone()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.desk.received().len()
    }

    /// The `webhook-id` of every request so far.
    pub fn webhook_ids(&self) -> Vec<String> {
        self.desk.received().iter().map(|request| request.webhook_id().to_owned()).collect()
    }

    /// Waits until at least `n` requests have come, and returns all there are.
    #[track_caller]
    pub fn wait_for(&self, n: usize) -> Vec<Received> {
        self.wait_until(&format!("{n} requests have come"), |received| received.len() >= n)
    }

    /// Waits until the requests so far are as `condition` wants, and returns them.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let received = self.desk.received();
        let waited =
            self.desk.arrived.wait_timeout_while(received, PATIENCE, |received| !condition(received));
        let (received, timeout) = waited.expect("no recorder panics");
        let (count, received) = (received.len(), received.clone());
        assert!(!timeout.timed_out(), "waited in vain until {what}; {count} requests came");
        received
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it closes the port.
        drop(TcpStream::connect(self.address));
    }
}

impl Desk {
    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().expect("no recorder panics")
    }

    fn serve(&self, stream: TcpStream, connected: Instant) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        if reader.fill_buf()?.first() == Some(&TLS_HANDSHAKE) {
            return writer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
        while let Some(request) = read_request(&mut reader, connected)? {
            let request = self.record(request);
            let answering = Arc::clone(&self.answering.lock().expect("no answering panics"));
            let answer = answering(&request);
            // A slow receiver is what this simulates, not what a test waits for.
            thread::sleep(answer.delay);
            answer.write(&mut writer)?;
            if answer.ending != Ending::Whole {
                return Ok(());
            }
        }
        Ok(())
    }

    fn record(&self, mut request: Received) -> Received {
        let mut received = self.received();
        request.index = received.len();
        received.push(request.clone());
        self.arrived.notify_all();
        request
    }
}

impl Received {
    /// The value of a header that must be there exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let values = self.values(name);
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        values[0]
    }

    /// Every value of this header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    #[track_caller]
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("JSON is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }
}

impl From<u16> for Answer {
    fn from(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, ending: Ending::Whole }
    }
}

impl Answer {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Announces more than it sends, then closes the connection.
    pub fn cut_short(mut self) -> Self {
        self.ending = Ending::CutShort;
        self
    }

    /// Bytes that are no HTTP.
    pub fn nonsense() -> Self {
        Self { ending: Ending::Nonsense, ..Self::from(200) }
    }

    fn write(&self, writer: &mut TcpStream) -> io::Result<()> {
        if self.ending == Ending::Nonsense {
            return writer.write_all(b"\x00\x01 this is not HTTP\r\n\r\n");
        }
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let missing = if self.ending == Ending::CutShort { 1000 } else { 0 };
        if self.status != 204 {
            head.push_str(&format!("content-length: {}\r\n", self.body.len() + missing));
        }
        head.push_str("\r\n");
        writer.write_all(&[head.as_bytes(), &self.body].concat())
    }
}

fn in_turn<const N: usize>(statuses: [u16; N]) -> impl Fn(&Received) -> u16 + Send + Sync {
    let last = *statuses.last().expect("a receiver needs an answer");
    move |request| statuses.get(request.index).copied().unwrap_or(last)
}

/// The next request of a connection, or nothing at its end.
fn read_request(reader: &mut BufReader<TcpStream>, connected: Instant) -> io::Result<Option<Received>> {
    let Some(first) = read_line(reader)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    while let Some(line) = read_line(reader)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Received {
        index: 0,
        method: method.into(),
        target: target.into(),
        headers,
        body,
        connected,
        arrived: Instant::now(),
        arrived_at: SystemTime::now(),
    }))
}

fn read_line(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}
