//! The blocking twin of the face, for programs without a runtime.

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
        pollster::block_on(Hookyard::open(config)).map(Self)
    }

    /// See [`Hookyard::emit`].
    ///
    /// # Errors
    /// As there.
    pub fn emit(&self, event: Event) -> Result<Receipt, EmitError> {
        pollster::block_on(self.0.emit(event))
    }

    /// See [`Hookyard::emit_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn emit_batch(&self, events: Vec<Event>) -> Result<Vec<Receipt>, EmitError> {
        pollster::block_on(self.0.emit_batch(events))
    }

    /// See [`Hookyard::subscribe`].
    ///
    /// # Errors
    /// As there.
    pub fn subscribe(&self, wish: Subscribe) -> Result<Subscribed, SubscribeError> {
        pollster::block_on(self.0.subscribe(wish))
    }

    /// See [`Hookyard::unsubscribe`].
    ///
    /// # Errors
    /// As there.
    pub fn unsubscribe(&self, account: &AccountId, which: Which) -> Result<usize, Unavailable> {
        pollster::block_on(self.0.unsubscribe(account, which))
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
        pollster::block_on(self.0.hooks(account, query, page))
    }

    /// See [`Hookyard::pause`].
    ///
    /// # Errors
    /// As there.
    pub fn pause(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        pollster::block_on(self.0.pause(account, id))
    }

    /// See [`Hookyard::resume`].
    ///
    /// # Errors
    /// As there.
    pub fn resume(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        pollster::block_on(self.0.resume(account, id))
    }

    /// See [`Hookyard::shutdown`].
    pub fn shutdown(&self) {
        pollster::block_on(self.0.shutdown());
    }
}
