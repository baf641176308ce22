//! What of a subscription is confidential: its secrets and the values of its custom headers.

use bincode::Options;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::options;
use crate::clock::Timestamp;
use crate::encryption::{Fingerprint, Keyring, SealedV1};
use crate::store::Error;
use crate::subscription::{CustomHeaders, PreviousSecret, Secret, Subscription};

/// What is confidential of a subscription, as it lies in its value.
#[derive(Serialize, Deserialize)]
pub enum ConfidentialV1 {
    Clear(SecretsV1),
    /// The same, sealed for its place under a master key.
    Sealed(SealedV1),
}

/// What is confidential of a subscription, in clear; wiped from memory when dropped.
#[derive(Serialize, Deserialize)]
pub struct SecretsV1 {
    secret: String,
    /// The secrets before it, newest first, and until when each counts, in milliseconds since the epoch.
    ///
    /// This was an `Option` when there was one at most; that is the same bytes.
    previous: Vec<(String, u64)>,
    /// Names and values.
    headers: Vec<(String, String)>,
}

/// The same, checked.
pub struct Secrets {
    pub secret: Secret,
    pub previous: Vec<PreviousSecret>,
    pub headers: CustomHeaders,
}

impl ConfidentialV1 {
    /// Seals what is confidential of a subscription for its place, where there is a key to seal under.
    pub fn of(subscription: &Subscription, place: &[u8], keyring: &Keyring) -> Self {
        let secrets = SecretsV1::of(subscription);
        if keyring.current().is_none() {
            return Self::Clear(secrets);
        }
        let clear = Zeroizing::new(options().serialize(&secrets).expect("a value serialises into memory"));
        keyring.seal(&clear, place).map_or(Self::Clear(secrets), Self::Sealed)
    }

    /// What it is.
    ///
    /// # Errors
    /// When it is sealed under a key that is not there, or for another place, or breaks the rules.
    pub fn load(self, place: &[u8], keyring: &Keyring) -> Result<Secrets, Error> {
        let secrets = match self {
            Self::Clear(secrets) => secrets,
            Self::Sealed(sealed) => {
                let clear = keyring.open(&sealed, place).map_err(Error::damaged)?;
                options().deserialize(&clear).map_err(Error::damaged)?
            }
        };
        secrets.load().ok_or_else(|| Error::damaged("secrets that break their rules"))
    }

    /// Whether it can be what was written, as far as that shows without a key.
    pub fn seems_whole(self) -> bool {
        match self {
            Self::Clear(secrets) => secrets.load().is_some(),
            Self::Sealed(_) => true,
        }
    }

    /// The key under which it is sealed, if it is.
    pub fn sealed_under(&self) -> Option<Fingerprint> {
        match self {
            Self::Clear(_) => None,
            Self::Sealed(sealed) => Some(sealed.key()),
        }
    }
}

impl SecretsV1 {
    fn of(subscription: &Subscription) -> Self {
        let previous = subscription.previous_secrets.iter();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            secret: subscription.secret.reveal().to_owned(),
            previous: previous.map(|one| (one.secret.reveal().to_owned(), one.until.0)).collect(),
            headers: subscription.headers.reveal().map(owned).collect(),
        }
    }

    /// Those of a subscription that a version wrote which knew no headers.
    pub fn without_headers(secret: String, previous: Vec<(String, u64)>) -> Self {
        Self { secret, previous, headers: Vec::new() }
    }

    fn load(mut self) -> Option<Secrets> {
        let previous = |(secret, until): &(String, u64)| {
            Some(PreviousSecret { secret: secret.parse().ok()?, until: Timestamp(*until) })
        };
        let previous = self.previous.iter().map(previous).collect::<Option<Vec<PreviousSecret>>>()?;
        let headers = CustomHeaders::kept(std::mem::take(&mut self.headers))?;
        Some(Secrets { secret: self.secret.parse().ok()?, previous, headers })
    }
}

impl Drop for SecretsV1 {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.previous.iter_mut().for_each(|(secret, _)| secret.zeroize());
        self.headers.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}
