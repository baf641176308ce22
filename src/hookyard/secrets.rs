//! Secrets: rotating one, and trying out an endpoint that is to know it.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::delivery::endpoint::Request;
use crate::event::Body;
use crate::id::{EventId, HookId};
use crate::router;
use crate::shard;
use crate::store::Address;
use crate::subscription::{NotASecret, Secret};

use super::{Hook, Hookyard, LookupError, Unavailable};

/// How long requests are signed with both secrets after a rotation, unless told otherwise.
pub const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest time for which they are.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A wish for a new secret.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// The new secret; a generated one when absent.
    pub secret: Option<String>,
    /// How long the old one signs too, at most [`LONGEST_OVERLAP`].
    pub overlap: Duration,
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

impl Default for Rotate {
    fn default() -> Self {
        Self { secret: None, overlap: DEFAULT_OVERLAP }
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
        self.router()?.do_send(router::Rotate { at, secret, overlap_until, reply });
        let subscription = *self.answer(answer).await?.ok_or(RotateError::NotFound)?;
        let secret = subscription.secret.clone();
        Ok(Rotated { hook: self.with_tally(subscription).await?, secret })
    }

    /// Sends the catalogue's example to a hook once, marked as a test, and says what came of it.
    ///
    /// Neither its health nor its schedule changes, and nothing is recorded. A paused or deactivated hook is tried as
    /// well.
    ///
    /// # Errors
    /// When the account has no such hook, or it is deleted meanwhile, or nothing is delivered any more.
    pub async fn test(&self, account: &AccountId, id: HookId) -> Result<Attempt, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let subscription = self.record(account, id).await?.ok_or(LookupError::NotFound)?;
        let event_type = subscription.filter.event_types().first().ok_or(LookupError::NotFound)?;
        let example = self.example(event_type.as_str());
        let body = Body::build(event_type, &example.timestamp, &example.data).bytes;
        let request = Request { id: EventId::random(), body, n: 1, test: true };
        // The semaphore is never closed.
        let _turn = self.0.tests.acquire().await.map_err(|_| self.gone())?;
        let (reply, answer) = oneshot::channel();
        let wish = shard::Try { subscription: Box::new(subscription), request, reply };
        self.router()?.do_send(router::Try(wish));
        match answer.await {
            Ok(attempt) => Ok(attempt),
            // The hook was deleted meanwhile, unless nothing is delivered any more.
            Err(_) => Err(self.router().map_or_else(LookupError::from, |_| LookupError::NotFound)),
        }
    }
}
