//! What of a subscription is confidential: its secrets and the values of its custom headers.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::clock::Timestamp;
use crate::subscription::{CustomHeaders, PreviousSecret, Secret, Subscription};

/// What is confidential of a subscription, as it lies in its value.
#[derive(Serialize, Deserialize)]
pub enum ConfidentialV1 {
    Clear(SecretsV1),
}

/// What is confidential of a subscription, in clear; wiped from memory when dropped.
#[derive(Serialize, Deserialize)]
pub struct SecretsV1 {
    secret: String,
    /// The secret before it, and until when it counts, in milliseconds since the epoch.
    previous: Option<(String, u64)>,
    /// Names and values.
    headers: Vec<(String, String)>,
}

/// The same, checked.
pub struct Secrets {
    pub secret: Secret,
    pub previous: Option<PreviousSecret>,
    pub headers: CustomHeaders,
}

impl SecretsV1 {
    /// Those of a subscription.
    pub fn of(subscription: &Subscription) -> Self {
        let previous = subscription.previous_secret.as_ref();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            secret: subscription.secret.reveal().to_owned(),
            previous: previous.map(|previous| (previous.secret.reveal().to_owned(), previous.until.0)),
            headers: subscription.headers.reveal().map(owned).collect(),
        }
    }

    /// Those of a subscription that a version wrote which knew no headers.
    pub fn without_headers(secret: String, previous: Option<(String, u64)>) -> Self {
        Self { secret, previous, headers: Vec::new() }
    }

    /// What they are; nothing where they break their rules.
    pub fn load(mut self) -> Option<Secrets> {
        let previous = match &self.previous {
            None => None,
            Some((secret, until)) => {
                Some(PreviousSecret { secret: secret.parse().ok()?, until: Timestamp(*until) })
            }
        };
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
