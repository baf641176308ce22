//! TLS: whom to trust, and how much to remember of a handshake.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// How many sessions are remembered for resumption, which costs less than half of a full handshake. The store counts
/// eight to a server, so this is some two thousand servers.
const SESSIONS: usize = 16 * 1024;

/// Settings that trust the certificate authorities of the public web. One value serves all clients of a process.
pub fn trusting_the_web() -> Arc<ClientConfig> {
    trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// Settings that trust these certificate authorities alone.
///
/// The cryptography is named here and not installed process-wide: another part of the program may use another.
pub fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Arc::new(config)
}
