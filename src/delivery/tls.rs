//! TLS to receivers: whom to trust, what to show those that ask, and how much to remember of a handshake.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::certificates;
use crate::config::{self, Delivery};
use crate::subscription::{ClientCertificate, NotAClientCertificate};

/// How connections to receivers are secured. Clones share it: what replaces it counts for every connection that is
/// opened from then on.
#[derive(Clone, Debug)]
pub struct Outgoing {
    settings: Arc<ArcSwap<ClientConfig>>,
    /// What is shown instead of what the settings show.
    own: Option<Arc<Own>>,
}

/// A certificate to be shown, and the sessions in which it was: a receiver takes who resumes one for who began it.
#[derive(Debug)]
struct Own {
    identity: Arc<SingleCertAndKey>,
    sessions: Resumption,
}

/// How many sessions are remembered for resumption, which costs less than half of a full handshake. The store counts
/// eight to a server, so this is some two thousand servers.
const SESSIONS: usize = 16 * 1024;
/// How many where a certificate is shown to one server alone.
const OWN_SESSIONS: usize = 8;

impl Outgoing {
    /// What opens the next connection.
    pub fn connector(&self) -> TlsConnector {
        let mut settings = self.settings.load_full();
        if let Some(own) = &self.own {
            let settings = Arc::make_mut(&mut settings);
            settings.client_auth_cert_resolver = own.identity.clone();
            settings.resumption = own.sessions.clone();
        }
        settings.into()
    }

    /// The same, where one server is shown a certificate of a hook's own. It shares no session with any other.
    ///
    /// # Errors
    /// When the key is of a kind that cannot be used.
    pub fn showing(&self, certificate: &ClientCertificate) -> Result<Self, NotAClientCertificate> {
        let own = Own {
            identity: Arc::new(certificate.certified_key()?.into()),
            sessions: Resumption::in_memory_sessions(OWN_SESSIONS),
        };
        Ok(Self { settings: self.settings.clone(), own: Some(Arc::new(own)) })
    }

    /// Puts other settings in force. Connections that are open stay as they are.
    pub fn replace(&self, settings: Arc<ClientConfig>) {
        self.settings.store(settings);
    }
}

impl From<Arc<ClientConfig>> for Outgoing {
    fn from(settings: Arc<ClientConfig>) -> Self {
        Self { settings: Arc::new(ArcSwap::new(settings)), own: None }
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
