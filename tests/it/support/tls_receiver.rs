//! A receiver that speaks TLS: what it shows and asks for, and who came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use super::certificates::{Authority, Identity, provider};
use super::patience::until;

/// A receiver on a port of its own, which answers 200.
pub struct TlsReceiver {
    port: u16,
    visits: Arc<Mutex<Vec<Visit>>>,
}

/// A request, and the connection over which it came.
#[derive(Clone, Debug)]
pub struct Visit {
    pub path: String,
    /// Counts the connections.
    pub connection: usize,
    /// The certificate that the sender showed.
    pub certificate: Option<Vec<u8>>,
    /// Whether its session was resumed.
    pub resumed: bool,
}

/// Whether senders are to show a certificate.
pub enum Asking<'a> {
    Nobody,
    /// They have to, one of this authority.
    For(&'a Authority),
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

impl TlsReceiver {
    /// Takes one request for each connection.
    pub fn showing(identity: &Identity, asking: Asking<'_>) -> Self {
        Self::start(identity, asking, false)
    }

    /// Takes as many requests over a connection as come.
    pub fn keeping_connections(identity: &Identity, asking: Asking<'_>) -> Self {
        Self::start(identity, asking, true)
    }

    fn start(identity: &Identity, asking: Asking<'_>, keeps: bool) -> Self {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().expect("the usual ones");
        let builder = match asking {
            Asking::Nobody => builder.with_no_client_auth(),
            Asking::For(authority) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider());
                builder.with_client_cert_verifier(verifier.build().expect("it has an authority"))
            }
        };
        let chain = vec![identity.certificate.clone()];
        let config = Arc::new(builder.with_single_cert(chain, identity.key()).expect("they fit"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let visits: Arc<Mutex<Vec<Visit>>> = Arc::default();
        let book = Arc::clone(&visits);
        thread::spawn(move || {
            for (count, tcp) in listener.incoming().map_while(Result::ok).enumerate() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("the settings are sound");
                let book = Arc::clone(&book);
                // A connection that breaks is the sender's business.
                thread::spawn(move || {
                    let mut reader = BufReader::new(StreamOwned::new(connection, tcp));
                    while serve(&mut reader, count, keeps, &book).is_some() && keeps {}
                });
            }
        });
        Self { port, visits }
    }

    /// Its URL by the one name that this machine has everywhere.
    pub fn url(&self) -> String {
        self.url_of("/")
    }

    pub fn url_of(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub fn visits(&self) -> Vec<Visit> {
        self.visits.lock().expect("no writer panics").clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Visit> {
        until("they have come", || self.visits().len() >= count);
        self.visits()
    }
}

/// Takes a request, notes it, answers it and hangs up unless it is to be kept, so that the next one comes over another
/// connection.
fn serve(
    reader: &mut BufReader<Tls>,
    connection: usize,
    keeps: bool,
    book: &Mutex<Vec<Visit>>,
) -> Option<()> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1)?.to_owned();
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let tls = reader.get_mut();
    let visit = Visit {
        path,
        connection,
        certificate: tls.conn.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec())),
        resumed: tls.conn.handshake_kind() == Some(HandshakeKind::Resumed),
    };
    book.lock().expect("no writer panics").push(visit);
    if keeps {
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
        return tls.flush().ok();
    }
    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    tls.conn.send_close_notify();
    tls.flush().ok()
}
