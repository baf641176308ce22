//! The blocking twin of the face, for programs without a runtime.

use tokio::task::coop::unconstrained;

use crate::account::AccountId;
use crate::config::Config;
use crate::event::{Event, Receipt};
use crate::id::HookId;

use super::{
    EmitError, Hook, HookQuery, Hookyard, LookupError, OpenError, Page, PageRequest, Subscribe,
    SubscribeError, Subscribed, Unavailable, Which,
};

/// The calls of [`Hookyard`] for programs without a runtime: each waits on the calling thread.
#[derive(Clone)]
pub struct Blocking(pub(super) Hookyard);

impl Blocking {
    /// See [`Hookyard::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        wait(Hookyard::open(config)).map(Self)
    }

    /// See [`Hookyard::emit`].
    ///
    /// # Errors
    /// As there.
    pub fn emit(&self, event: Event) -> Result<Receipt, EmitError> {
        wait(self.0.emit(event))
    }

    /// See [`Hookyard::emit_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn emit_batch(&self, events: Vec<Event>) -> Result<Vec<Receipt>, EmitError> {
        wait(self.0.emit_batch(events))
    }

    /// See [`Hookyard::subscribe`].
    ///
    /// # Errors
    /// As there.
    pub fn subscribe(&self, wish: Subscribe) -> Result<Subscribed, SubscribeError> {
        wait(self.0.subscribe(wish))
    }

    /// See [`Hookyard::unsubscribe`].
    ///
    /// # Errors
    /// As there.
    pub fn unsubscribe(&self, account: &AccountId, which: Which) -> Result<usize, Unavailable> {
        wait(self.0.unsubscribe(account, which))
    }

    /// See [`Hookyard::hooks`].
    ///
    /// # Errors
    /// As there.
    pub fn hooks(
        &self,
        account: &AccountId,
        query: HookQuery,
        page: PageRequest,
    ) -> Result<Page<Hook>, LookupError> {
        wait(self.0.hooks(account, query, page))
    }

    /// See [`Hookyard::pause`].
    ///
    /// # Errors
    /// As there.
    pub fn pause(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        wait(self.0.pause(account, id))
    }

    /// See [`Hookyard::resume`].
    ///
    /// # Errors
    /// As there.
    pub fn resume(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        wait(self.0.resume(account, id))
    }

    /// See [`Hookyard::shutdown`].
    pub fn shutdown(&self) {
        wait(self.0.shutdown());
    }
}

/// Waits on the calling thread.
///
/// On a thread of a tokio runtime it takes no part in the budget of its task: that is renewed when the task yields,
/// which one that blocks never does, so the call would wait forever once it is spent.
fn wait<T>(call: impl Future<Output = T>) -> T {
    pollster::block_on(unconstrained(call))
}
