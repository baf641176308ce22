//! Attempts over TLS, to servers with certificates of their own making, and to some that mean harm.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::hostile::MEMORY;
use super::receiver::Received;
use super::{AMPLE, OK, SHORT, answered, endpoint, failed, memory, request, run};
use crate::attempt::{ErrorKind, Outcome};
use crate::delivery::client::{Client, Settings};
use crate::delivery::guard::Guard;
use crate::delivery::tls::{trusting, trusting_the_web};

/// What an attempt may hold in memory before it has agreed on TLS, whatever the server says.
const HANDSHAKE: usize = 64 * 1024;
/// What one that is answered briefly may hold, its connection included.
const ORDINARY: usize = 40 * 1024;

type Tls = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// A certificate authority that only these tests know.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// The settings of a server with a certificate for `name`, changed as `change` says.
    fn vouching_for(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> ServerConfig {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serving(vec![certificate.der().clone()], &key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }

    fn trusted(&self) -> Arc<ClientConfig> {
        trusting(self.roots())
    }
}

fn serving(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap()
}

/// Serves every connection at `address` as `serve` says; returns the port and how many there have been.
fn listening(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (serve, accepted) = (Arc::new(serve), Arc::new(AtomicUsize::new(0)));
    let count = accepted.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let (serve, stream) = (serve.clone(), stream.unwrap());
            thread::spawn(move || serve(stream));
        }
    });
    (port, accepted)
}

/// Serves HTTPS at `address`, answering every request as `answer` does.
fn https_answering(
    address: &str,
    config: ServerConfig,
    answer: impl Fn(&mut Tls) + Send + Sync + 'static,
) -> (u16, Arc<AtomicUsize>) {
    let config = Arc::new(config);
    listening(address, move |stream| {
        let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let mut tls = BufReader::new(tls);
        while Received::read(&mut tls).is_some() {
            answer(&mut tls);
        }
    })
}

fn https(address: &str, config: ServerConfig) -> u16 {
    https_answering(address, config, |tls| tls.get_mut().write_all(OK).unwrap()).0
}

fn client(tls: Arc<ClientConfig>, timeout: Duration) -> Client {
    let networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
    let guard = Arc::new(Guard::new(true, networks.to_vec()));
    Client::new(Arc::new(Settings::new(timeout, "x-signature", guard, tls).unwrap()), Rc::default())
}

/// What an attempt with a client of its own meets, in little memory.
fn outcome(url: &str, tls: Arc<ClientConfig>, timeout: Duration) -> Outcome {
    run(async {
        let client = client(tls, timeout);
        let (attempt, most) = memory::during(client.attempt(&endpoint(url), request())).await;
        let bound = if matches!(attempt.outcome, Outcome::Answered { .. }) { ORDINARY } else { HANDSHAKE };
        assert!(most <= bound, "{url}: {most} bytes");
        attempt.outcome
    })
}

fn local(port: u16) -> String {
    format!("https://localhost:{port}/")
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted_for_its_name_alone() {
    let authority = Authority::new();
    let port = https("127.0.0.1", authority.vouching_for("localhost", |_| {}));
    let tls = authority.trusted();
    assert_eq!(outcome(&local(port), tls.clone(), AMPLE), answered(200));
    assert_eq!(outcome(&format!("https://localhost.:{port}/"), tls.clone(), AMPLE), answered(200));
    assert_eq!(outcome(&format!("https://127.0.0.1:{port}/"), tls.clone(), AMPLE), failed(ErrorKind::Tls));
    assert_eq!(outcome(&format!("https://a.localhost:{port}/"), tls, AMPLE), failed(ErrorKind::Tls));
}

#[test]
fn a_connection_serves_one_attempt_after_another_and_the_server_is_told_of_its_end() {
    let authority = Authority::new();
    let config = Arc::new(authority.vouching_for("localhost", |_| {}));
    let (sender, ends) = mpsc::channel();
    let (port, accepted) = listening("127.0.0.1", move |stream| {
        let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let mut tls = BufReader::new(tls);
        for _ in 0..2 {
            Received::read(&mut tls).unwrap();
            tls.get_mut().write_all(OK).unwrap();
        }
        // Without a word it would be an error.
        sender.send(tls.read(&mut [0]).map_err(|error| error.kind())).unwrap();
    });
    run(async {
        let (client, endpoint) = (client(authority.trusted(), AMPLE), endpoint(&local(port)));
        for _ in 0..2 {
            assert_eq!(client.attempt(&endpoint, request()).await.outcome, answered(200));
        }
    });
    assert_eq!(ends.recv().unwrap(), Ok(0));
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_certificate_out_of_its_time_is_a_tls_error() {
    let authority = Authority::new();
    let of_years = |from: i32, to: i32| {
        authority.vouching_for("localhost", |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        })
    };
    for (from, to, met) in [
        (2020, 2021, failed(ErrorKind::Tls)),
        (2120, 2121, failed(ErrorKind::Tls)),
        (2020, 2121, answered(200)),
    ] {
        let port = https("127.0.0.1", of_years(from, to));
        assert_eq!(outcome(&local(port), authority.trusted(), AMPLE), met, "{from} to {to}");
    }
}

#[test]
fn a_certificate_of_nobody_known_is_a_tls_error() {
    let (known, stranger) = (Authority::new(), Authority::new());
    let port = https("127.0.0.1", stranger.vouching_for("localhost", |_| {}));
    for tls in [known.trusted(), trusting_the_web()] {
        assert_eq!(outcome(&local(port), tls, AMPLE), failed(ErrorKind::Tls), "an unknown authority");
    }
    let key = KeyPair::generate().unwrap();
    let itself = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let port = https("127.0.0.1", serving(vec![itself.der().clone()], &key));
    assert_eq!(outcome(&local(port), known.trusted(), AMPLE), failed(ErrorKind::Tls), "signed by itself");
}

#[test]
fn an_address_in_brackets_can_have_a_certificate() {
    if TcpListener::bind(("::1", 0)).is_err() {
        return; // A machine without IPv6 has nothing to connect to.
    }
    let authority = Authority::new();
    let port = https("::1", authority.vouching_for("::1", |_| {}));
    assert_eq!(outcome(&format!("https://[::1]:{port}/"), authority.trusted(), AMPLE), answered(200));
}

#[test]
fn a_server_that_does_not_speak_tls_is_a_tls_error() {
    for hello in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x15\x03\x03\0\x02\x02\x28", // An alert: the handshake has failed.
        b"\x16\x03\x03\xff\xff",       // A record longer than any may be.
        b"\x17\x03\x03\0\x01x",        // Data before the handshake.
        b"",
    ] {
        let (port, _) = listening("127.0.0.1", move |mut stream| {
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(hello));
        });
        assert_eq!(outcome(&local(port), trusting_the_web(), AMPLE), failed(ErrorKind::Tls), "{hello:?}");
    }
}

#[test]
fn tls_where_none_is_expected_is_a_protocol_error() {
    let port = https("127.0.0.1", Authority::new().vouching_for("localhost", |_| {}));
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let settings =
        Settings::new(AMPLE, "x-signature", Arc::new(Guard::new(false, networks)), trusting_the_web());
    let client = Client::new(Arc::new(settings.unwrap()), Rc::default());
    let url = format!("http://localhost:{port}/");
    assert_eq!(run(client.attempt(&endpoint(&url), request())).outcome, failed(ErrorKind::Protocol));
}

#[test]
fn a_handshake_that_never_ends_is_a_timeout() {
    let (silent, _) = listening("127.0.0.1", |mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let (dribbling, _) = listening("127.0.0.1", |mut stream| {
        for byte in [0x16, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb].into_iter().chain(std::iter::repeat(0)) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(SHORT / 50);
        }
    });
    for port in [silent, dribbling] {
        assert_eq!(outcome(&local(port), trusting_the_web(), SHORT), failed(ErrorKind::Timeout));
    }
}

#[test]
fn a_handshake_without_end_is_a_tls_error() {
    // A server's hello of 64 KiB, and one record after another of it.
    const HELLO: [u8; 9] = [0x16, 3, 3, 0x3f, 0xff, 2, 0, 0xff, 0xff];
    let (port, _) = listening("127.0.0.1", |mut stream| {
        let mut record = [0; 5 + 0x3fff];
        record[..HELLO.len()].copy_from_slice(&HELLO);
        while stream.write_all(&record).is_ok() {
            record[5..].fill(0);
        }
    });
    assert_eq!(outcome(&local(port), trusting_the_web(), AMPLE), failed(ErrorKind::Tls));
}

#[test]
fn a_chain_of_many_certificates_is_a_tls_error() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().der().clone();
    let chain = |length: usize| serving(vec![certificate.clone(); length], &key);
    assert_eq!(outcome(&local(https("127.0.0.1", chain(5))), authority.trusted(), AMPLE), answered(200));
    let many = 60_000 / certificate.len();
    assert_eq!(
        outcome(&local(https("127.0.0.1", chain(many))), authority.trusted(), AMPLE),
        failed(ErrorKind::Tls)
    );
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_is_a_tls_error() {
    let authority = Authority::new();
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(authority.roots().into(), provider.clone());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    assert_eq!(
        outcome(&local(https("127.0.0.1", config)), authority.trusted(), AMPLE),
        failed(ErrorKind::Tls)
    );
}

#[test]
fn a_connection_that_breaks_under_tls_has_a_name() {
    let authority = Authority::new();
    let meeting = |answer: fn(&mut Tls)| {
        let (port, _) = https_answering("127.0.0.1", authority.vouching_for("localhost", |_| {}), answer);
        outcome(&local(port), authority.trusted(), AMPLE)
    };
    let garbage = |tls: &mut Tls| drop(tls.get_mut().sock.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
    assert_eq!(meeting(garbage), failed(ErrorKind::Tls), "plain text in the middle");
    let alert = |tls: &mut Tls| drop(tls.get_mut().sock.write_all(b"\x15\x03\x03\0\x02\x02\x28"));
    assert_eq!(meeting(alert), failed(ErrorKind::Tls), "an alert that is not encrypted");
    let cut = |tls: &mut Tls| drop(tls.get_mut().sock.shutdown(std::net::Shutdown::Both));
    assert_eq!(meeting(cut), failed(ErrorKind::Connect), "an end without a goodbye");
    let goodbye = |tls: &mut Tls| {
        tls.get_mut().conn.send_close_notify();
        drop(tls.get_mut().flush());
    };
    assert_eq!(meeting(goodbye), failed(ErrorKind::Connect), "a goodbye instead of an answer");
}

#[test]
fn a_response_without_end_is_cut_off_under_tls_too() {
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n";
    let cases = [
        ("", failed(ErrorKind::Protocol)),
        ("HTTP/1.1 200 OK\r\nx: ", failed(ErrorKind::Protocol)),
        (body, answered(200)),
    ];
    for (begin, outcome) in cases {
        let authority = Authority::new();
        let config = authority.vouching_for("localhost", |_| {});
        let (port, accepted) = https_answering("127.0.0.1", config, move |tls| {
            drop(tls.get_mut().write_all(begin.as_bytes()));
            while tls.get_mut().write_all(&[b'x'; 16 * 1024]).is_ok() {}
        });
        run(async {
            let client = client(authority.trusted(), AMPLE);
            for _ in 0..2 {
                let (attempt, most) =
                    memory::during(client.attempt(&endpoint(&local(port)), request())).await;
                assert_eq!(attempt.outcome, outcome);
                assert!(most <= ORDINARY + MEMORY, "{begin:?}: {most} bytes");
            }
        });
        assert_eq!(accepted.load(Ordering::SeqCst), 2, "the connection is not used again");
    }
}
