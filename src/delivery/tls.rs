//! TLS to receivers: whom to trust, what to show those that ask, and how much to remember of a handshake.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::certificates;
use crate::config::{self, Delivery};

/// How connections to receivers are secured. Clones share it: what replaces it counts for every connection that is
/// opened from then on.
#[derive(Clone, Debug)]
pub struct Outgoing(Arc<ArcSwap<ClientConfig>>);

/// How many sessions are remembered for resumption, which costs less than half of a full handshake. The store counts
/// eight to a server, so this is some two thousand servers.
const SESSIONS: usize = 16 * 1024;

impl Outgoing {
    /// What opens the next connection.
    pub fn connector(&self) -> TlsConnector {
        self.0.load_full().into()
    }

    /// Puts other settings in force. Connections that are open stay as they are.
    pub fn replace(&self, settings: Arc<ClientConfig>) {
        self.0.store(settings);
    }
}

impl From<Arc<ClientConfig>> for Outgoing {
    fn from(settings: Arc<ClientConfig>) -> Self {
        Self(Arc::new(ArcSwap::new(settings)))
    }
}

/// The settings that the configuration asks for, with what its files hold now.
///
/// # Errors
/// When a file is of no use.
pub fn configured(delivery: &Delivery) -> Result<Arc<ClientConfig>, config::Error> {
    let mut roots = certificates::authorities(Delivery::CA_FILE, &delivery.ca_file)?;
    if delivery.web_authorities {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let mut settings = trusting(roots);
    let files = [&*delivery.client_cert_file, &*delivery.client_key_file];
    if let Some(identity) = certificates::identity(Delivery::CLIENT_FILES, files)? {
        Arc::make_mut(&mut settings).client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity));
    }
    Ok(settings)
}

/// Settings that trust the certificate authorities of the public web.
#[cfg(test)]
pub fn trusting_the_web() -> Arc<ClientConfig> {
    configured(&Delivery::default()).expect("the default names no files")
}

/// Settings that trust these certificate authorities alone. One value serves all clients of a process.
pub fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(certificates::provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Arc::new(config)
}
