//! Encryption at rest: master keys, and what is sealed under them.
//!
//! A seal is XChaCha20-Poly1305 under a random nonce of 24 bytes, so that any number of texts can be sealed under one
//! key. What is sealed says under which key, by the key's fingerprint, and can be opened only together with the
//! associated data that it was sealed with. Which texts are sealed, and when, is left to the store.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A master key: 32 random bytes. It is wiped from memory when the last clone is dropped.
#[derive(Clone)]
pub struct MasterKey {
    fingerprint: Fingerprint,
    cipher: XChaCha20Poly1305,
}

/// Names a master key without giving it away: the first 64 bits of a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint([u8; 8]);

/// The text is no master key. Does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64 or hex, such as `openssl rand -base64 32` makes")]
pub struct NotAMasterKey;

/// The key that seals, if any does, and those that open as well.
#[derive(Clone, Default)]
pub struct Keyring {
    current: Option<MasterKey>,
    previous: Vec<MasterKey>,
}

/// What was sealed: under which key, with which nonce, and what came of it.
#[derive(PartialEq, Serialize, Deserialize)]
pub struct SealedV1 {
    key: Fingerprint,
    nonce: [u8; NONCE_BYTES],
    #[serde(with = "serde_bytes")]
    text: Vec<u8>,
}

/// Why a seal cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    #[error("it is sealed under the master key {0}, which is not given")]
    UnknownKey(Fingerprint),
    /// It is damaged, or it was sealed for another place.
    #[error("it is not what was sealed here")]
    Altered,
}

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// What is hashed before a key, so that its fingerprint is no hash of it that is used elsewhere.
const FINGERPRINT_OF: &[u8] = b"hookyard master key\0";

impl MasterKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let hash = Sha256::new().chain_update(FINGERPRINT_OF).chain_update(bytes).finalize();
        let fingerprint = *hash.first_chunk().expect("a SHA-256 digest has 32 bytes");
        Self { fingerprint: Fingerprint(fingerprint), cipher: XChaCha20Poly1305::new(bytes.into()) }
    }

    /// The name of the key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl FromStr for MasterKey {
    type Err = NotAMasterKey;

    fn from_str(text: &str) -> Result<Self, NotAMasterKey> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if text.len() == 2 * KEY_BYTES {
            hex::decode_to_slice(text, &mut *bytes).map_err(|_| NotAMasterKey)?;
            return Ok(Self::new(&bytes));
        }
        let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).map(Zeroizing::new);
        let decoded = decoded.map_err(|_| NotAMasterKey)?;
        if decoded.len() != KEY_BYTES {
            return Err(NotAMasterKey);
        }
        bytes.copy_from_slice(&decoded);
        Ok(Self::new(&bytes))
    }
}

impl Keyring {
    /// Seals under `current`, or not at all; opens what is sealed under any of them.
    pub fn new(current: Option<MasterKey>, previous: Vec<MasterKey>) -> Self {
        Self { current, previous }
    }

    /// The key that seals.
    pub fn current(&self) -> Option<Fingerprint> {
        self.current.as_ref().map(MasterKey::fingerprint)
    }

    /// The keys that open, the current one first.
    pub fn known(&self) -> impl Iterator<Item = Fingerprint> {
        self.keys().map(MasterKey::fingerprint)
    }

    /// Seals under the current key; nothing where there is none.
    pub fn seal(&self, clear: &[u8], associated: &[u8]) -> Option<SealedV1> {
        let MasterKey { fingerprint, cipher } = self.current.as_ref()?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let text = cipher.encrypt(&nonce.into(), Payload { msg: clear, aad: associated });
        let text = text.expect("the cipher takes a text of any length that there is");
        Some(SealedV1 { key: *fingerprint, nonce, text })
    }

    /// Opens what was sealed with the same associated data.
    ///
    /// # Errors
    /// When its key is not among these, or it is not what was sealed.
    pub fn open(&self, sealed: &SealedV1, associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let key = self.keys().find(|key| key.fingerprint == sealed.key);
        let key = key.ok_or(NotOpened::UnknownKey(sealed.key))?;
        let payload = Payload { msg: &sealed.text, aad: associated };
        let clear = key.cipher.decrypt(&sealed.nonce.into(), payload);
        clear.map(Zeroizing::new).map_err(|_| NotOpened::Altered)
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        self.current.iter().chain(&self.previous)
    }
}

impl SealedV1 {
    /// The key under which it is sealed.
    pub fn key(&self) -> Fingerprint {
        self.key
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::new(&[byte; KEY_BYTES])
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_or_hex() {
        let bytes = [7; KEY_BYTES];
        for text in [STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes), hex::encode(bytes)] {
            assert_eq!(text.parse::<MasterKey>().unwrap().fingerprint(), key(7).fingerprint(), "{text}");
        }
        let (short, long) = (STANDARD.encode([7; 31]), STANDARD.encode([7; 33]));
        for bad in ["", "secret", &short, &long, &"z".repeat(64), &hex::encode([7; 31])] {
            assert_eq!(bad.parse::<MasterKey>().unwrap_err(), NotAMasterKey, "{bad}");
        }
    }

    #[test]
    fn what_is_sealed_is_opened_under_its_key_in_its_place_alone() {
        let ring = Keyring::new(Some(key(1)), Vec::new());
        let sealed = ring.seal(b"marker", b"place 1").unwrap();
        assert_eq!(ring.open(&sealed, b"place 1").unwrap().as_slice(), b"marker");
        assert!(!sealed.text.windows(6).any(|part| part == b"marker"));
        assert_eq!(ring.open(&sealed, b"place 2"), Err(NotOpened::Altered));

        let rotated = Keyring::new(Some(key(2)), vec![key(3), key(1)]);
        assert_eq!(rotated.open(&sealed, b"place 1").unwrap().as_slice(), b"marker");
        assert_eq!(rotated.seal(b"marker", b"").unwrap().key(), key(2).fingerprint());
        let other = Keyring::new(Some(key(2)), Vec::new());
        assert_eq!(other.open(&sealed, b"place 1"), Err(NotOpened::UnknownKey(key(1).fingerprint())));
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let ring = Keyring::new(Some(key(1)), Vec::new());
        let sealed = || ring.seal(b"marker", b"place").unwrap();
        let length = sealed().text.len();
        for at in 0..length {
            let mut altered = sealed();
            altered.text[at] ^= 1;
            assert_eq!(ring.open(&altered, b"place"), Err(NotOpened::Altered), "{at}");
        }
        let mut altered = sealed();
        altered.nonce[0] ^= 1;
        assert_eq!(ring.open(&altered, b"place"), Err(NotOpened::Altered));
    }

    #[test]
    fn no_two_seals_are_alike_and_without_a_current_key_there_is_none() {
        let ring = Keyring::new(Some(key(1)), Vec::new());
        assert_ne!(ring.seal(b"a", b"").unwrap().text, ring.seal(b"a", b"").unwrap().text);
        assert!(Keyring::new(None, vec![key(1)]).seal(b"a", b"").is_none());
    }

    #[test]
    fn keys_are_hidden_from_debug() {
        assert_eq!(format!("{:?}", key(1)), "MasterKey(***)");
        assert_eq!(format!("{:?}", Keyring::new(Some(key(1)), vec![key(2)])), "Keyring(***)");
    }
}
