//! Certificates: chains with their keys, and authorities, read from the PEM files that the configuration names.
//!
//! A file that is of no use is refused like any other wrong value of its key. What the certificates are for is left to
//! the front door and to the deliveries.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::{Config, Delivery, Error, Tls};

/// The cryptography, named here and not installed process-wide: another part of the program may use another.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A certificate with those that lead from it to its authority, and its private key; none where neither file is named.
///
/// `keys` are those of the configuration that name the two files.
///
/// # Errors
/// When a file cannot be read or holds nothing of the kind, or the key is another certificate's.
pub fn identity(keys: [&str; 2], files: [&Path; 2]) -> Result<Option<Arc<CertifiedKey>>, Error> {
    let [cert_file, key_file] = files;
    if files.iter().all(|file| file.as_os_str().is_empty()) {
        return Ok(None);
    }
    let chain = certificates(keys[0], cert_file)?;
    let allowed = "a PEM file with an unencrypted private key";
    let refused = |error: &dyn Display| refused(keys[1], key_file, allowed, error);
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| refused(&said(error)))?;
    let identity = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            refused(&format!("it is not the key of {}", cert_file.display()))
        }
        rustls::Error::InvalidCertificate(_) => unusable(keys[0], cert_file, &error),
        error => refused(&error),
    })?;
    Ok(Some(Arc::new(identity)))
}

/// The certificate authorities in a file; none where no file is named.
///
/// # Errors
/// When the file cannot be read, or does not hold certificates that can be trusted.
pub fn authorities(key: &str, file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if !file.as_os_str().is_empty() {
        for certificate in certificates(key, file)? {
            roots.add(certificate).map_err(|error| unusable(key, file, &error))?;
        }
    }
    Ok(roots)
}

impl Config {
    /// Reads the files of certificates and keys that the configuration names, as a start would.
    ///
    /// # Errors
    /// The first that is of no use.
    pub fn check_certificates(&self) -> Result<(), Error> {
        identity(Tls::FILES, [&self.tls.cert_file, &self.tls.key_file])?;
        identity(Delivery::CLIENT_FILES, [&self.delivery.client_cert_file, &self.delivery.client_key_file])?;
        authorities(Delivery::CA_FILE, &self.delivery.ca_file).map(drop)
    }
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => Err(unusable(key, file, &said(pem::Error::NoItemsFound))),
        Ok(chain) => Ok(chain),
        Err(error) => Err(unusable(key, file, &said(error))),
    }
}

fn unusable(key: &str, file: &Path, error: &dyn Display) -> Error {
    refused(key, file, "a PEM file with certificates", error)
}

fn refused(key: &str, file: &Path, allowed: &str, error: &dyn Display) -> Error {
    Error::value(key, format!("{file:?}"), format!("{allowed} ({error})"))
}

/// What is wrong with a file, without a word of what it holds.
fn said(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "there is none in it".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}
