//! TLS at the front door: the certificate that it shows, which can change while it is open, and how it is served.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::stalling;
use super::{
    CONNECTIONS_PER_WORKER, HEAD_TIMEOUT, KEEP_ALIVE, STALL_TIMEOUT, STOP_TIMEOUT_SECONDS, app, serve,
};
use crate::certificates;
use crate::config::{self, Tls};
use crate::hookyard::Hookyard;

/// The certificate that a front door shows, with its private key. Clones share it.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<Shown>);

#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

/// How long a handshake may take; as long as the head of a request.
const HANDSHAKE_TIMEOUT: Duration = HEAD_TIMEOUT;

impl Certificate {
    /// Reads the files that `[tls]` names; none where it names none.
    ///
    /// # Errors
    /// When they are of no use.
    pub fn read(tls: &Tls) -> Result<Option<Self>, config::Error> {
        let identity = certificates::identity(Tls::FILES, [&tls.cert_file, &tls.key_file])?;
        Ok(identity.map(|identity| Self(Arc::new(Shown(ArcSwap::new(identity))))))
    }

    /// Shows another one to whoever connects from now on; says whether it is another one indeed.
    pub fn replace(&self, other: &Self) -> bool {
        let other = other.0.0.load_full();
        self.0.0.swap(Arc::clone(&other)).cert != other.cert
    }

    /// TLS 1.2 and 1.3, for HTTP/1.1 alone: the limits of this door are those of its connections.
    fn settings(&self) -> io::Result<ServerConfig> {
        let settings = ServerConfig::builder_with_provider(certificates::provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let mut settings = settings.with_no_client_auth().with_cert_resolver(self.0.clone());
        settings.alpn_protocols = vec![b"http/1.1".to_vec()];
        settings.ticketer = Ticketer::new().map_err(io::Error::other)?;
        Ok(settings)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// A connection, with the address that it comes from.
async fn connected(
    tls: TlsStream<TcpStream>,
) -> Result<(TlsStream<TcpStream>, Option<SocketAddr>), TlsError<io::Error, DispatchError>> {
    let tcp = tls.get_ref().0;
    // It is a matter of speed alone.
    drop(tcp.set_nodelay(true));
    let from = tcp.peer_addr().ok();
    Ok((tls, from))
}

/// [`run`](super::run) over TLS, with this certificate. Plain requests are hung up on.
///
/// # Errors
/// When the listener cannot be used.
pub async fn run_tls(
    listener: TcpListener,
    hookyard: Hookyard,
    certificate: Certificate,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut acceptor = Acceptor::new(certificate.settings()?);
    acceptor.set_handshake_timeout(HANDSHAKE_TIMEOUT);
    // Those who connect and say nothing hold up nobody else.
    max_concurrent_tls_connect(CONNECTIONS_PER_WORKER);
    let server = Server::build();
    let stopping = server.graceful_shutdown_signal();
    // The framework's own server would offer HTTP/2 as well.
    let served = move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(HEAD_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            .on_connect_ext(|tls: &TlsStream<TcpStream>, extensions| {
                extensions.insert(stalling::Watch::of(tls.get_ref().0, STALL_TIMEOUT));
            })
            .h1(map_config(app(&hookyard).into_factory(), |()| AppConfig::default()));
        let accepted = acceptor.clone().map_init_err(drop).map_err(TlsError::into_service_error);
        accepted.and_then(connected).and_then(http.map_err(TlsError::Service))
    };
    let server = server
        .max_concurrent_connections(CONNECTIONS_PER_WORKER)
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .disable_signals()
        .listen("front door", listener, served)?
        .run();
    serve(server, shutdown).await
}
