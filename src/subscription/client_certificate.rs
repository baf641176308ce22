//! Client certificates: what a subscription's requests show to a receiver that asks who calls (mutual TLS).
//!
//! The private key is treated as secrets are: nothing here but `reveal` shows it. Whether a receiver believes the
//! certificate is its own affair; here it is only seen to that it can be shown.

#[cfg(test)]
pub(crate) mod examples;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser;
use zeroize::Zeroizing;

use crate::clock::Timestamp;

/// The most bytes of PEM that are read, of the certificates and of the key.
pub const PEM_BYTES_LIMIT: usize = 16 * 1024;
/// The most certificates of a chain.
pub const CHAIN_LIMIT: usize = 10;
/// The most bytes that the certificates and the key have together, without PEM around them. A chain of three with RSA keys
/// of 4096 bits has some 7000. They are kept in the row of their subscription, and larger rows are not for sled.
pub const CREDENTIAL_BYTES_LIMIT: usize = 7 * 1024;

/// The last second of the year 9999, since the epoch. Certificates are dated up to it (RFC 5280, 4.1.2.5), and texts too.
const LAST_SECOND: i64 = 253_402_300_799;

/// A certificate with those that lead from it to its authority, and its private key. Clones share it.
#[derive(Clone)]
pub struct ClientCertificate(Arc<Credential>);

/// Why these cannot be a subscription's client certificate. Says nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAClientCertificate {
    /// Names the text.
    #[error("{0} has more than {PEM_BYTES_LIMIT} bytes")]
    TooLong(&'static str),
    /// Names the text.
    #[error("{0} is not PEM")]
    NotPem(&'static str),
    #[error("certificate holds no certificate")]
    NoCertificate,
    #[error("certificate holds more than {CHAIN_LIMIT} certificates")]
    TooMany,
    #[error("certificate holds one that cannot be read")]
    Unreadable,
    #[error("key holds no private key, or one that is encrypted")]
    NoKey,
    #[error("key must be RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519")]
    UnsupportedKey,
    #[error("key is not that of the first certificate")]
    OtherKey,
    #[error(
        "certificate and key have more than {CREDENTIAL_BYTES_LIMIT} bytes together, once decoded; an authority's own \
         certificate can be left out, and ECDSA takes less room than RSA"
    )]
    TooLarge,
    #[error("certificate expired at {0}")]
    Expired(Timestamp),
    #[error("a client certificate needs a url that begins with https://")]
    Plain,
}

struct Credential {
    chain: Vec<CertificateDer<'static>>,
    /// In DER.
    key: Zeroizing<Vec<u8>>,
    /// When the first certificate expires.
    not_after: Timestamp,
}

impl ClientCertificate {
    /// Reads a chain of certificates, that of the key first, and the private key, both in PEM.
    ///
    /// # Errors
    /// The first reason why they cannot be used. That the certificate has expired is left to [`Self::vet`].
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, NotAClientCertificate> {
        for (name, text) in [("certificate", certificate), ("key", key)] {
            if text.len() > PEM_BYTES_LIMIT {
                return Err(NotAClientCertificate::TooLong(name));
            }
        }
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let chain = chain.map_err(|_| NotAClientCertificate::NotPem("certificate"))?;
        if chain.len() > CHAIN_LIMIT {
            return Err(NotAClientCertificate::TooMany);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| match error {
            pem::Error::NoItemsFound => NotAClientCertificate::NoKey,
            _ => NotAClientCertificate::NotPem("key"),
        })?;
        let key = Zeroizing::new(Zeroizing::new(key).secret_der().to_vec());
        let bytes = chain.iter().map(|certificate| certificate.len()).sum::<usize>() + key.len();
        if bytes > CREDENTIAL_BYTES_LIMIT {
            return Err(NotAClientCertificate::TooLarge);
        }
        let read = Self::new(chain, key)?;
        read.certified_key()?.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => NotAClientCertificate::OtherKey,
            _ => NotAClientCertificate::Unreadable,
        })?;
        Ok(read)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: Zeroizing<Vec<u8>>,
    ) -> Result<Self, NotAClientCertificate> {
        let expiries: Result<Vec<Timestamp>, _> = chain.iter().map(not_after).collect();
        let not_after = *expiries?.first().ok_or(NotAClientCertificate::NoCertificate)?;
        Ok(Self(Arc::new(Credential { chain, key, not_after })))
    }

    /// Checks that it is still good for something.
    ///
    /// # Errors
    /// When it has expired.
    pub fn vet(&self, now: Timestamp) -> Result<(), NotAClientCertificate> {
        let not_after = self.not_after();
        if not_after < now { Err(NotAClientCertificate::Expired(not_after)) } else { Ok(()) }
    }

    /// The SHA-256 hash of the certificate, in hex.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.0.chain[0]))
    }

    /// The last moment at which the certificate is valid.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// What tells it from all others: a hash of all that is shown of it, in hex.
    pub(crate) fn identity(&self) -> String {
        let shown =
            self.0.chain.iter().fold(Sha256::new(), |hash, one| hash.chain_update(Sha256::digest(one)));
        hex::encode(shown.finalize())
    }

    /// The certificates and the private key, in DER, for the store alone.
    pub(crate) fn reveal(&self) -> (impl ExactSizeIterator<Item = &[u8]>, &[u8]) {
        (self.0.chain.iter().map(|certificate| &certificate[..]), &self.0.key)
    }

    /// What [`Self::reveal`] gave to the store; nothing where it can be no certificate.
    pub(crate) fn kept(chain: Vec<Vec<u8>>, key: Zeroizing<Vec<u8>>) -> Option<Self> {
        Self::new(chain.into_iter().map(CertificateDer::from).collect(), key).ok()
    }

    /// What signs handshakes.
    ///
    /// # Errors
    /// When the key is of a kind that cannot be used.
    pub(crate) fn certified_key(&self) -> Result<CertifiedKey, NotAClientCertificate> {
        let key = PrivateKeyDer::try_from(&self.0.key[..]).ok();
        let key = key.and_then(|key| any_supported_type(&key).ok());
        let key = key.ok_or(NotAClientCertificate::UnsupportedKey)?;
        Ok(CertifiedKey::new(self.0.chain.clone(), key))
    }
}

/// When a certificate expires, to the second.
fn not_after(certificate: &CertificateDer<'_>) -> Result<Timestamp, NotAClientCertificate> {
    match X509CertificateParser::new().with_deep_parse_extensions(false).parse(certificate) {
        Ok(([], read)) => {
            let seconds = read.validity().not_after.timestamp().clamp(0, LAST_SECOND);
            Ok(Timestamp(seconds as u64 * 1000))
        }
        _ => Err(NotAClientCertificate::Unreadable),
    }
}

/// The key in constant time.
impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.chain == other.0.chain && bool::from(self.0.key.ct_eq(&other.0.key))
    }
}

impl Eq for ClientCertificate {}

/// Without the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, date_time_ymd};

    use super::examples::{ONE, OTHER, one, other};
    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
    }

    fn key_of(key: &KeyPair) -> String {
        pem("PRIVATE KEY", key.serialized_der())
    }

    /// A certificate of this key, signed with it.
    fn made(key: &KeyPair, params: &CertificateParams) -> String {
        pem("CERTIFICATE", params.self_signed(key).unwrap().der())
    }

    fn until(year: i32) -> CertificateParams {
        let mut params = CertificateParams::new(["hookyard.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        params
    }

    fn refused(certificate: &str, key: &str) -> NotAClientCertificate {
        ClientCertificate::from_pem(certificate, key).unwrap_err()
    }

    #[test]
    fn keys_of_each_kind_that_rustls_takes_can_be_used_and_are_kept() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let read = ClientCertificate::from_pem(&made(&key, &until(2121)), &key_of(&key)).unwrap();
            let (chain, kept) = read.reveal();
            let chain = chain.map(<[u8]>::to_vec).collect();
            let kept = ClientCertificate::kept(chain, Zeroizing::new(kept.to_vec())).unwrap();
            assert_eq!(kept, read);
            assert!(kept.certified_key().unwrap().keys_match().is_ok());
        }
    }

    #[test]
    fn it_is_told_by_what_openssl_says_of_it() {
        let fingerprint = "c9e5999f09add14862e5fdc36986f740d0aa74806611be34b2e7be84f2eaa9e5";
        assert_eq!(one().fingerprint(), fingerprint);
        assert_eq!(one().not_after().to_string(), "9966-11-06T00:24:00Z");
        assert_eq!(format!("{:?}", one()), format!("ClientCertificate({fingerprint})"));
    }

    #[test]
    fn one_is_another_if_anything_that_is_shown_of_it_differs() {
        let longer = ClientCertificate::from_pem(&[ONE[0], OTHER[0]].concat(), ONE[1]).unwrap();
        assert_eq!(longer.fingerprint(), one().fingerprint());
        assert_ne!(longer.identity(), one().identity());
        assert_ne!(longer, one());
        assert_ne!(other(), one());
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        use NotAClientCertificate as Not;
        let begin = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let unended = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for (certificate, key, why) in [
            ("", ONE[1], Not::NoCertificate),
            ("not a certificate", ONE[1], Not::NoCertificate),
            (ONE[1], ONE[1], Not::NoCertificate),
            (unended, ONE[1], Not::NotPem("certificate")),
            (&begin("CERTIFICATE"), ONE[1], Not::Unreadable),
            (&[ONE[0], &begin("CERTIFICATE")].concat(), ONE[1], Not::Unreadable),
            (&ONE[0].repeat(CHAIN_LIMIT + 1), ONE[1], Not::TooMany),
            (&" ".repeat(PEM_BYTES_LIMIT + 1), ONE[1], Not::TooLong("certificate")),
            (ONE[0], "", Not::NoKey),
            (ONE[0], ONE[0], Not::NoKey),
            (ONE[0], &begin("ENCRYPTED PRIVATE KEY"), Not::NoKey),
            (ONE[0], &begin("PRIVATE KEY").replace("AAAA", "!!!!"), Not::NotPem("key")),
            (ONE[0], &begin("PRIVATE KEY"), Not::UnsupportedKey),
            (ONE[0], &begin("EC PRIVATE KEY"), Not::UnsupportedKey),
            (ONE[0], &" ".repeat(PEM_BYTES_LIMIT + 1), Not::TooLong("key")),
            (ONE[0], OTHER[1], Not::OtherKey),
        ] {
            assert_eq!(refused(certificate, key), why, "{certificate} {key}");
        }
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![rcgen::SanType::URI("a".repeat(4_000).try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let large = made(&key, &params);
        assert!(ClientCertificate::from_pem(&large, &key_of(&key)).is_ok());
        assert_eq!(refused(&large.repeat(2), &key_of(&key)), Not::TooLarge);
    }

    #[test]
    fn one_that_has_expired_is_good_for_nothing() {
        let key = KeyPair::generate().unwrap();
        let short = ClientCertificate::from_pem(&made(&key, &until(2000)), &key_of(&key)).unwrap();
        let expiry = Timestamp(946_684_800_000);
        assert_eq!(short.not_after(), expiry);
        assert_eq!(short.vet(expiry), Ok(()));
        let later = Timestamp(expiry.0 + 1);
        assert_eq!(short.vet(later), Err(NotAClientCertificate::Expired(expiry)));
    }
}
