//! The blocking twin of the face, for programs without a runtime.

use std::io::Write;

use tokio::task::coop::unconstrained;

use crate::account::AccountId;
use crate::attempt::Attempt;
use crate::backup::Summary;
use crate::condition::Condition;
use crate::config::Config;
use crate::event::{Event, Receipt};
use crate::id::{DeliveryId, EventId, HookId};
use crate::subscription::{ClientCertificate, DeliveryPolicy};

use super::{
    BackupError, Delivery, DeliveryQuery, EmitError, Emitted, EndpointError, EventHistory, EventQuery,
    HeadersError, Hook, HookQuery, Hookyard, Hour, LookupError, OpenError, Page, PageRequest, Replay,
    ReplayError, Rotate, RotateError, Rotated, Sample, Subscribe, SubscribeError, Subscribed, Unavailable,
    Which,
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

    /// See [`Hookyard::hook`].
    ///
    /// # Errors
    /// As there.
    pub fn hook(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        wait(self.0.hook(account, id))
    }

    /// See [`Hookyard::hook_hours`].
    ///
    /// # Errors
    /// As there.
    pub fn hook_hours(&self, account: &AccountId, id: HookId) -> Result<Vec<Hour>, LookupError> {
        wait(self.0.hook_hours(account, id))
    }

    /// See [`Hookyard::account_hours`].
    ///
    /// # Errors
    /// As there.
    pub fn account_hours(&self, account: &AccountId) -> Result<Vec<Hour>, LookupError> {
        wait(self.0.account_hours(account))
    }

    /// See [`Hookyard::rotate_secret`].
    ///
    /// # Errors
    /// As there.
    pub fn rotate_secret(
        &self,
        account: &AccountId,
        id: HookId,
        wish: Rotate,
    ) -> Result<Rotated, RotateError> {
        wait(self.0.rotate_secret(account, id, wish))
    }

    /// See [`Hookyard::set_headers`].
    ///
    /// # Errors
    /// As there.
    pub fn set_headers(
        &self,
        account: &AccountId,
        id: HookId,
        headers: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Hook, HeadersError> {
        wait(self.0.set_headers(account, id, headers))
    }

    /// See [`Hookyard::set_condition`].
    ///
    /// # Errors
    /// As there.
    pub fn set_condition(
        &self,
        account: &AccountId,
        id: HookId,
        condition: Option<Condition>,
    ) -> Result<Hook, EndpointError> {
        wait(self.0.set_condition(account, id, condition))
    }

    /// See [`Hookyard::set_delivery`].
    ///
    /// # Errors
    /// As there.
    pub fn set_delivery(
        &self,
        account: &AccountId,
        id: HookId,
        delivery: DeliveryPolicy,
    ) -> Result<Hook, EndpointError> {
        wait(self.0.set_delivery(account, id, delivery))
    }

    /// See [`Hookyard::set_client_certificate`].
    ///
    /// # Errors
    /// As there.
    pub fn set_client_certificate(
        &self,
        account: &AccountId,
        id: HookId,
        certificate: Option<ClientCertificate>,
    ) -> Result<Hook, EndpointError> {
        wait(self.0.set_client_certificate(account, id, certificate))
    }

    /// See [`Hookyard::test`].
    ///
    /// # Errors
    /// As there.
    pub fn test(&self, account: &AccountId, id: HookId) -> Result<Attempt, LookupError> {
        wait(self.0.test(account, id))
    }

    /// See [`Hookyard::events`].
    ///
    /// # Errors
    /// As there.
    pub fn events(
        &self,
        account: &AccountId,
        query: EventQuery,
        page: PageRequest,
    ) -> Result<Page<Emitted>, LookupError> {
        wait(self.0.events(account, query, page))
    }

    /// See [`Hookyard::event`].
    ///
    /// # Errors
    /// As there.
    pub fn event(&self, account: &AccountId, id: EventId) -> Result<EventHistory, LookupError> {
        wait(self.0.event(account, id))
    }

    /// See [`Hookyard::samples`].
    ///
    /// # Errors
    /// As there.
    pub fn samples(
        &self,
        account: &AccountId,
        event: &str,
        limit: usize,
    ) -> Result<Vec<Sample>, SubscribeError> {
        wait(self.0.samples(account, event, limit))
    }

    /// See [`Hookyard::deliveries`].
    ///
    /// # Errors
    /// As there.
    pub fn deliveries(
        &self,
        account: &AccountId,
        query: DeliveryQuery,
        page: PageRequest,
    ) -> Result<Page<Delivery>, LookupError> {
        wait(self.0.deliveries(account, query, page))
    }

    /// See [`Hookyard::delivery`].
    ///
    /// # Errors
    /// As there.
    pub fn delivery(&self, account: &AccountId, id: DeliveryId) -> Result<Delivery, LookupError> {
        wait(self.0.delivery(account, id))
    }

    /// See [`Hookyard::retry`].
    ///
    /// # Errors
    /// As there.
    pub fn retry(&self, account: &AccountId, id: DeliveryId) -> Result<Delivery, ReplayError> {
        wait(self.0.retry(account, id))
    }

    /// See [`Hookyard::replay`].
    ///
    /// # Errors
    /// As there.
    pub fn replay(&self, account: &AccountId, id: HookId, replay: Replay) -> Result<usize, ReplayError> {
        wait(self.0.replay(account, id, replay))
    }

    /// See [`Hookyard::replay_event`].
    ///
    /// # Errors
    /// As there.
    pub fn replay_event(
        &self,
        account: &AccountId,
        id: EventId,
        hook: Option<HookId>,
    ) -> Result<usize, ReplayError> {
        wait(self.0.replay_event(account, id, hook))
    }

    /// See [`Hookyard::backup`].
    ///
    /// # Errors
    /// As there.
    pub fn backup(&self, to: impl Write + Send + 'static) -> Result<Summary, BackupError> {
        wait(self.0.backup(to))
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
