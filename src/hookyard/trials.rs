//! Trials: test deliveries, with which somebody tries an endpoint out.

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::attempt::Attempt;
use crate::delivery::endpoint::Request;
use crate::event::Body;
use crate::id::{EventId, HookId};
use crate::router;
use crate::shard;

use super::{Hookyard, LookupError};

impl Hookyard {
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
        let some = self.some_event_type(&subscription.filter);
        let first = || subscription.filter.event_types()?.first().cloned();
        let event_type = some.or_else(first).ok_or(LookupError::NotFound)?;
        let example = self.example(event_type.as_str());
        let body = Body::build(&event_type, &example.timestamp, &example.data);
        let (id, sequence, trace) = (EventId::random(), None, None);
        let request = Request { id, body, n: 1, asked: true, sequence, test: true, trace };
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
