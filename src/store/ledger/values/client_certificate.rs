//! The client certificate of a subscription, with its private key, as it lies in the subscription's value.

use bincode::Options;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use zeroize::{Zeroize, Zeroizing};

use super::options;
use crate::encryption::{Keyring, SealedV1};
use crate::store::Error;
use crate::subscription::ClientCertificate;

/// A certificate and its key.
#[derive(PartialEq, Serialize, Deserialize)]
pub enum ClientCertificateV1 {
    Clear(CredentialV1),
    /// The same, sealed for its place under a master key.
    Sealed(SealedV1),
}

/// A certificate and its key, in clear; the key is wiped from memory when dropped.
#[derive(PartialEq, Serialize, Deserialize)]
pub struct CredentialV1 {
    /// In DER, the certificate first.
    chain: Vec<ByteBuf>,
    /// In DER.
    key: ByteBuf,
}

impl ClientCertificateV1 {
    /// Seals a certificate and its key for a place, where there is a key to seal under.
    pub fn of(certificate: &ClientCertificate, place: &[u8], keyring: &Keyring) -> Self {
        let (chain, key) = certificate.reveal();
        let chain = chain.map(|one| ByteBuf::from(one.to_vec())).collect();
        let credential = CredentialV1 { chain, key: ByteBuf::from(key.to_vec()) };
        if keyring.current().is_none() {
            return Self::Clear(credential);
        }
        let clear = Zeroizing::new(options().serialize(&credential).expect("a value serialises into memory"));
        keyring.seal(&clear, &within(place)).map_or(Self::Clear(credential), Self::Sealed)
    }

    /// What it is.
    ///
    /// # Errors
    /// When it is sealed under a key that is not there, or for another place, or is no certificate.
    pub fn load(self, place: &[u8], keyring: &Keyring) -> Result<ClientCertificate, Error> {
        let credential: CredentialV1 = match self {
            Self::Clear(credential) => credential,
            Self::Sealed(sealed) => {
                let clear = keyring.open(&sealed, &within(place)).map_err(Error::damaged)?;
                options().deserialize(&clear).map_err(Error::damaged)?
            }
        };
        credential.load().ok_or_else(|| Error::damaged("a client certificate that cannot be read"))
    }

    /// Whether it can be what was written, as far as that shows without a key.
    pub fn seems_whole(self) -> bool {
        match self {
            Self::Clear(credential) => credential.load().is_some(),
            Self::Sealed(_) => true,
        }
    }
}

impl CredentialV1 {
    fn load(mut self) -> Option<ClientCertificate> {
        let chain = std::mem::take(&mut self.chain).into_iter().map(ByteBuf::into_vec).collect();
        ClientCertificate::kept(chain, Zeroizing::new(std::mem::take(&mut *self.key)))
    }
}

/// The place of a subscription's client certificate, which is not that of its secrets.
fn within(place: &[u8]) -> Vec<u8> {
    [b"client certificate\0", place].concat()
}

impl Drop for CredentialV1 {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
