//! Secrets: giving a hook a new one.

use std::fmt;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::id::HookId;
use crate::router;
use crate::store::Address;
use crate::subscription::{NotASecret, Secret};

use super::{Hook, Hookyard, Unavailable};

/// How long requests are signed with both secrets after a rotation, unless told otherwise.
pub const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest time for which they are.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A wish for a new secret.
#[derive(Clone)]
pub struct Rotate {
    /// The new secret; a generated one when absent.
    pub secret: Option<String>,
    /// How long the old one signs too, at most [`LONGEST_OVERLAP`].
    pub overlap: Duration,
    /// How many old secrets may sign then, this one among them: further ones are forgotten. At most ten are
    /// kept.
    pub kept: usize,
}

/// The answer to [`Rotate`].
#[derive(Clone, Debug)]
pub struct Rotated {
    pub hook: Hook,
    pub secret: Secret,
}

/// Why a secret was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error(transparent)]
    Secret(#[from] NotASecret),
    #[error("overlap is at most {}", humantime::format_duration(LONGEST_OVERLAP))]
    Overlap,
    /// The account has no hook with this id.
    #[error("not found")]
    NotFound,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Without what is secret.
impl fmt::Debug for Rotate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotate")
            .field("overlap", &self.overlap)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

impl Default for Rotate {
    fn default() -> Self {
        Self { secret: None, overlap: DEFAULT_OVERLAP, kept: 1 }
    }
}

impl Hookyard {
    /// Gives a hook a new secret, and every hook of its URL that shares the old one.
    ///
    /// When it returns, the new secret is durable; requests that start from then on are signed with it, and until the
    /// overlap ends with the old one as well.
    ///
    /// # Errors
    /// When the secret or the overlap is refused, the account has no such hook, or nothing can be changed now.
    pub async fn rotate_secret(
        &self,
        account: &AccountId,
        id: HookId,
        wish: Rotate,
    ) -> Result<Rotated, RotateError> {
        let secret = wish.secret.map(|secret| secret.parse()).transpose()?.unwrap_or_else(Secret::generate);
        if wish.overlap > LONGEST_OVERLAP {
            return Err(RotateError::Overlap);
        }
        let account = self.0.registry.account(account).ok_or(RotateError::NotFound)?;
        let subscription = self.record(account, id).await?.ok_or(RotateError::NotFound)?.no;
        let at = Address { account, subscription };
        let overlap_until = Timestamp::now().after(wish.overlap);
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(router::Rotate { at, secret, overlap_until, kept: wish.kept, reply });
        let subscription = *self.answer(answer).await?.ok_or(RotateError::NotFound)?;
        let secret = subscription.secret.clone();
        Ok(Rotated { hook: self.with_tally(subscription).await?, secret })
    }
}
