//! Certificate authorities of a test's own, and what they certify.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An authority that nobody knows who is not told of it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: CertificateDer<'static>,
}

/// A certificate and its private key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("it signs itself").der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Certifies that a key is that of `name`, now.
    pub fn certify(&self, name: &str) -> Identity {
        self.certify_from(name, 1975)
    }

    /// Certifies a key with a certificate that has expired.
    pub fn certify_long_ago(&self, name: &str) -> Identity {
        self.certify_from(name, 1875)
    }

    fn certify_from(&self, name: &str, year: i32) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name or an address");
        (params.not_before, params.not_after) =
            (date_time_ymd(year.max(1950), 1, 1), date_time_ymd(year + 120, 1, 1));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("it signs").der().clone();
        Identity { certificate, key }
    }

    /// Writes its certificate to a file.
    pub fn write(&self, directory: &Path) -> PathBuf {
        write(&directory.join("ca.pem"), "CERTIFICATE", &self.certificate)
    }

    /// Whoever trusts this authority alone.
    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("it is an authority's");
        Arc::new(roots)
    }
}

impl Identity {
    /// What the hooks API takes of it.
    pub fn wish(&self) -> Value {
        let key = pem("PRIVATE KEY", self.key.serialized_der());
        json!({"certificate": pem("CERTIFICATE", &self.certificate), "key": key})
    }

    /// Its certificate's hash.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.certificate))
    }

    /// Writes it to the two files of this name, which may be there already.
    pub fn write(&self, directory: &Path, name: &str) -> [PathBuf; 2] {
        let certificate = directory.join(format!("{name}.pem"));
        let key = directory.join(format!("{name}.key"));
        [
            write(&certificate, "CERTIFICATE", &self.certificate),
            write(&key, "PRIVATE KEY", self.key.serialized_der()),
        ]
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("it is a key")
    }
}

/// A file's path as TOML has it.
pub fn toml(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// The cryptography of both sides.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn write(path: &Path, label: &str, der: &[u8]) -> PathBuf {
    fs::write(path, pem(label, der)).expect("the directory is writable");
    path.to_owned()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
