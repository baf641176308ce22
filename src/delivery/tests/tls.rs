//! Attempts over TLS, to a server with a certificate of its own making.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::CertifiedKey;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::receiver::Received;
use super::{AMPLE, OK, SHORT, answered, endpoint, failed, request, run};
use crate::attempt::{ErrorKind, Outcome};
use crate::delivery::client::{Client, Settings};
use crate::delivery::guard::Guard;
use crate::delivery::tls::{trusting, trusting_the_web};

/// Serves HTTPS at `address`, for `name`; returns the port and the certificate.
fn https(address: &str, name: &str) -> (u16, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind((address, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, stream) = (config.clone(), stream.unwrap());
            thread::spawn(move || answer(config, stream));
        }
    });
    (port, cert.der().clone())
}

fn answer(config: Arc<ServerConfig>, stream: TcpStream) {
    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut tls = BufReader::new(tls);
    while Received::read(&mut tls).is_some() {
        tls.get_mut().write_all(OK).unwrap();
    }
}

fn outcome(url: &str, tls: Arc<ClientConfig>, timeout: std::time::Duration) -> Outcome {
    let networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
    let guard = Arc::new(Guard::new(true, networks.to_vec()));
    let client = Client::new(Arc::new(Settings::new(timeout, "x-signature", guard, tls).unwrap()));
    run(client.attempt(&endpoint(url), request())).outcome
}

fn trusting_only(certificate: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    trusting(roots)
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted_for_its_name_alone() {
    let (port, certificate) = https("127.0.0.1", "localhost");
    let tls = trusting_only(certificate);
    assert_eq!(outcome(&format!("https://localhost:{port}/"), tls.clone(), AMPLE), answered(200));
    assert_eq!(outcome(&format!("https://localhost.:{port}/"), tls.clone(), AMPLE), answered(200));
    assert_eq!(outcome(&format!("https://127.0.0.1:{port}/"), tls, AMPLE), failed(ErrorKind::Tls));
}

#[test]
fn a_certificate_of_nobody_known_is_a_tls_error() {
    let (port, _) = https("127.0.0.1", "localhost");
    assert_eq!(
        outcome(&format!("https://localhost:{port}/"), trusting_the_web(), AMPLE),
        failed(ErrorKind::Tls)
    );
}

#[test]
fn an_address_in_brackets_can_have_a_certificate() {
    if TcpListener::bind(("::1", 0)).is_err() {
        return; // A machine without IPv6 has nothing to connect to.
    }
    let (port, certificate) = https("::1", "::1");
    assert_eq!(outcome(&format!("https://[::1]:{port}/"), trusting_only(certificate), AMPLE), answered(200));
}

#[test]
fn a_server_that_does_not_speak_tls_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(outcome(&url, trusting_the_web(), AMPLE), failed(ErrorKind::Tls));
}

#[test]
fn a_handshake_that_never_ends_is_a_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    assert_eq!(outcome(&url, trusting_the_web(), SHORT), failed(ErrorKind::Timeout));
}
