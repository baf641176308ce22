//! Hooks: subscribing, unsubscribing, looking, pausing and resuming.

use std::fmt;

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::clock::{Now, Timestamp};
use crate::condition::Condition;
use crate::event_type::{NotAnEventType, OWN};
use crate::filter::Filter;
use crate::id::{AccountNo, HookId, SubscriptionNo};
use crate::router::index::State;
use crate::router::{self, SetPaused, Unsubscribe};
use crate::store::writer::Verbs;
use crate::store::{Address, Edit, Error as StoreError, Reader, Tally};
use crate::subscription::{
    ClientCertificate, DeliveryPolicy, EndpointUrl, NotAClientCertificate, NotADeliveryPolicy, NotASecret,
    NotAnEndpoint, NotHeaders, Secret, Status, Subscription,
};

use super::catalogue::UnknownType;
use super::{EndpointError, Hookyard, LookupError, Order, Page, PageRequest, Unavailable};

/// How many hooks one commit forgets of an account that is deleted.
const UNSUBSCRIBED_AT_ONCE: usize = 1_000;

/// A wish to subscribe: events of one type, to one URL, for one account.
#[derive(Clone)]
pub struct Subscribe {
    pub account: AccountId,
    pub url: String,
    pub event: String,
    /// The secret to sign with; one is shared with the account's hooks of this URL, or generated, when absent.
    pub secret: Option<String>,
    /// Names and values of headers that its requests carry beside those of hookyard: for a new hook, or one that comes
    /// back after it was deactivated, which keeps its own when absent. An active or paused one keeps its own in any case.
    pub headers: Option<Vec<(String, String)>>,
    /// What must hold of an event's data for a new hook to get it; one that there is keeps to what was said of it.
    pub condition: Option<Condition>,
    /// How a new hook is served; likewise.
    pub delivery: DeliveryPolicy,
    /// What a new hook shows receivers that ask who calls; likewise.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether a deactivated hook that comes back also sends what was parked.
    pub replay: bool,
}

/// The answer to [`Subscribe`].
#[derive(Clone, Debug)]
pub struct Subscribed {
    pub hook: Hook,
    pub secret: Secret,
    pub change: Change,
}

/// What subscribing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There was no such hook.
    Created,
    /// It was active already.
    Nothing,
    /// It was paused.
    Resumed,
    /// It was deactivated.
    Reactivated,
}

/// A subscription with the figures that the hooks API shows.
#[derive(Clone, Debug)]
pub struct Hook {
    pub subscription: Subscription,
    /// Deliveries that wait or are being attempted.
    pub pending: u64,
    /// Those of them that were asked for again, or came back with the hook, and have not been attempted since.
    pub replaying: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    pub last_attempt_at: Option<Timestamp>,
    pub next_attempt_at: Option<Timestamp>,
}

/// Names the hooks to unsubscribe.
#[derive(Clone, Debug)]
pub enum Which {
    Id(HookId),
    /// The hook of this URL and event, or all hooks of this URL.
    Url {
        url: String,
        event: Option<String>,
    },
}

/// Narrows a list of hooks.
#[derive(Clone, Debug, Default)]
pub struct HookQuery {
    pub url: Option<String>,
    pub event: Option<String>,
    pub active: Option<bool>,
    /// `active`, `paused` or `deactivated`.
    pub status: Option<String>,
}

/// Why a subscription was not made.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error(transparent)]
    Url(#[from] NotAnEndpoint),
    /// The egress guard refuses the target; says what to do.
    #[error("{0}")]
    Blocked(String),
    #[error(transparent)]
    Secret(#[from] NotASecret),
    #[error(transparent)]
    Headers(#[from] NotHeaders),
    #[error(transparent)]
    Delivery(#[from] NotADeliveryPolicy),
    #[error(transparent)]
    ClientCertificate(#[from] NotAClientCertificate),
    #[error(
        "unknown event \"{name}\"; known are {known}. Declare it as an [[event_type]], or set events.unknown = \"accept\""
    )]
    UnknownEvent { name: String, known: String },
    #[error("there is no such event of the router's own; there are {}", OWN.join(", "))]
    OwnEvent,
    #[error("event: {0}")]
    EventType(#[from] NotAnEventType),
    #[error("there is no account \"{0}\"")]
    UnknownAccount(AccountId),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Subscribe {
    /// A wish of the account `default`.
    pub fn new(url: impl Into<String>, event: impl Into<String>) -> Self {
        let account = AccountId::default_account();
        let (url, event, delivery) = (url.into(), event.into(), DeliveryPolicy::default());
        let (secret, headers, condition, client_certificate) = (None, None, None, None);
        Self { account, url, event, secret, headers, condition, delivery, client_certificate, replay: false }
    }
}

/// Without what is secret.
impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, url, event, replay, .. } = self;
        let mut fields = f.debug_struct("Subscribe");
        fields.field("account", account).field("url", url).field("event", event).field("replay", replay);
        fields.finish_non_exhaustive()
    }
}

impl From<UnknownType> for SubscribeError {
    fn from(error: UnknownType) -> Self {
        match error {
            UnknownType::Unknown { name, known } => Self::UnknownEvent { name, known },
            UnknownType::Own => Self::OwnEvent,
            UnknownType::Malformed(error) => Self::EventType(error),
        }
    }
}

impl Hookyard {
    /// Makes a hook, or finds the one that there is: one account, URL and event have one hook.
    ///
    /// When it returns, the hook is durable, and every event that is emitted from then on matches it. A paused one is
    /// resumed, a deactivated one comes back with its failures forgotten.
    ///
    /// # Errors
    /// When the URL, the event, the secret, a header, the delivery policy or the client certificate is refused, or nothing
    /// can be accepted.
    pub async fn subscribe(&self, wish: Subscribe) -> Result<Subscribed, SubscribeError> {
        let event_type = self.wanted_type(&wish.event)?;
        let url = self.endpoint(&wish.url)?;
        let secret = wish.secret.map(|secret| secret.parse()).transpose()?;
        let headers = wish.headers.map(|headers| self.custom_headers(headers)).transpose()?;
        wish.delivery.vet()?;
        self.vet_certificate(wish.client_certificate.as_ref(), &url)?;
        let registry = &self.0.registry;
        let account = registry.account(&wish.account).ok_or(SubscribeError::UnknownAccount(wish.account))?;
        let (reply, answer) = oneshot::channel();
        let Subscribe { condition, delivery, client_certificate, replay, .. } = wish;
        self.router()?.do_send(router::Subscribe {
            account,
            url,
            filter: Filter::one(event_type),
            secret,
            headers,
            condition,
            delivery,
            client_certificate,
            replay,
            reply,
        });
        let subscribed = self.answer(answer).await?;
        let change = match subscribed.was {
            None => Change::Created,
            Some(State::Active) => Change::Nothing,
            Some(State::Paused) => Change::Resumed,
            Some(State::Deactivated) => Change::Reactivated,
        };
        let secret = subscribed.subscription.secret.clone();
        let hook = match change {
            Change::Created => Hook::of(*subscribed.subscription, Tally::default(), self.0.store.now()),
            _ => self.with_tally(*subscribed.subscription).await?,
        };
        Ok(Subscribed { hook, secret, change })
    }

    /// Forgets hooks and all that waits for them; returns how many there were.
    ///
    /// When it returns, nothing is in flight to them and nothing new will be.
    ///
    /// # Errors
    /// When nothing can be changed now.
    pub async fn unsubscribe(&self, account: &AccountId, which: Which) -> Result<usize, Unavailable> {
        let Some(account) = self.0.registry.account(account) else {
            return Ok(0);
        };
        let which = match which {
            Which::Id(id) => self.record(account, id).await?.map(|found| router::Which::No(found.no)),
            Which::Url { url, event } => named(&url, event.as_deref()),
        };
        let Some(which) = which else {
            // What is gone may have gone with a commit that is not durable yet, or never will be.
            self.commit_all(Verbs::new()).await?;
            return Ok(0);
        };
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(Unsubscribe { account, which, reply });
        self.answer(answer).await
    }

    /// An account's hooks, newest first.
    ///
    /// # Errors
    /// When there is no such account, or the cursor is none of this list.
    pub async fn hooks(
        &self,
        account: &AccountId,
        query: HookQuery,
        page: PageRequest,
    ) -> Result<Page<Hook>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let behind = match page.cursor {
            None => None,
            Some(cursor) => {
                let id: HookId = cursor.parse().map_err(|_| LookupError::Cursor)?;
                Some(SubscriptionNo(self.0.seal.open(&id).0))
            }
        };
        let (limit, now) = (page.limit, self.0.store.now());
        let hooks = self.read(move |reader| {
            let mut found = Vec::new();
            reader.subscriptions(account, Order::Descending, behind, &mut |subscription| {
                if query.accepts(&subscription) {
                    found.push(subscription);
                }
                found.len() <= limit
            })?;
            let tallies = reader.tallies(&found)?;
            Ok(found
                .into_iter()
                .zip(tallies)
                .map(|(subscription, tally)| Hook::of(subscription, tally, now))
                .collect())
        });
        Ok(Page::of(hooks.await?, limit, |hook: &Hook| hook.subscription.id.to_string()))
    }

    /// A hook by its id.
    ///
    /// # Errors
    /// When the account has none with this id.
    pub async fn hook(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let subscription = self.record(account, id).await?.ok_or(LookupError::NotFound)?;
        Ok(self.with_tally(subscription).await?)
    }

    /// Pauses a hook: it keeps what it matches, attempts in flight finish, and nothing new starts.
    ///
    /// # Errors
    /// When the account has none with this id, or nothing can be changed now.
    pub async fn pause(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        self.set_paused(account, id, true).await
    }

    /// Resumes a paused hook: what waits is sent, overdue retries at once.
    ///
    /// # Errors
    /// As [`Self::pause`].
    pub async fn resume(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        self.set_paused(account, id, false).await
    }

    /// Replaces what must hold of an event's data for a hook to get it.
    ///
    /// When it returns, it is durable, and counts for what is emitted from then on.
    ///
    /// # Errors
    /// When the account has no such hook, or nothing can be changed now.
    pub async fn set_condition(
        &self,
        account: &AccountId,
        id: HookId,
        condition: Option<Condition>,
    ) -> Result<Hook, EndpointError> {
        let change = |edit: &mut Edit| edit.condition = condition;
        let subscription = self.edit_endpoint(account, id, None, change).await?;
        Ok(self.with_tally(subscription).await?)
    }

    /// Replaces what is said of how a hook is served.
    ///
    /// When it returns, it is durable, and requests that start from then on keep to it.
    ///
    /// # Errors
    /// When the policy says what it may not, the account has no such hook, or nothing can be changed now.
    pub async fn set_delivery(
        &self,
        account: &AccountId,
        id: HookId,
        delivery: DeliveryPolicy,
    ) -> Result<Hook, EndpointError> {
        let change = |edit: &mut Edit| edit.delivery = delivery;
        let subscription = self.edit_endpoint(account, id, None, change).await?;
        Ok(self.with_tally(subscription).await?)
    }

    /// Replaces the client certificate of a hook: what a receiver gets to see that asks who calls. Without one, it sees what
    /// the configuration says, if that says anything.
    ///
    /// When it returns, it is durable, and requests that start from then on go over connections on which no other was
    /// shown.
    ///
    /// # Errors
    /// When the certificate has expired, the hook's URL begins with `http://`, the account has no such hook, or nothing
    /// can be changed now.
    pub async fn set_client_certificate(
        &self,
        account: &AccountId,
        id: HookId,
        certificate: Option<ClientCertificate>,
    ) -> Result<Hook, EndpointError> {
        certificate.iter().try_for_each(|given| given.vet(self.0.store.now().wall))?;
        let change = |edit: &mut Edit| edit.client_certificate = certificate;
        let subscription = self.edit_endpoint(account, id, None, change).await?;
        Ok(self.with_tally(subscription).await?)
    }

    /// Forgets a few of an account's hooks; says whether there were any.
    pub(super) async fn unsubscribe_some(&self, account: AccountNo) -> Result<bool, Unavailable> {
        let some = self.read(move |reader| {
            let mut some = router::Numbers::new();
            reader.subscriptions(account, Order::Descending, None, &mut |subscription| {
                some.push(subscription.no);
                some.len() < UNSUBSCRIBED_AT_ONCE
            })?;
            Ok(some)
        });
        let some = some.await?;
        if some.is_empty() {
            return Ok(false);
        }
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(Unsubscribe { account, which: router::Which::These(some), reply });
        self.answer(answer).await?;
        Ok(true)
    }

    async fn set_paused(&self, account: &AccountId, id: HookId, paused: bool) -> Result<Hook, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let subscription = self.record(account, id).await?.ok_or(LookupError::NotFound)?;
        let at = Address { account, subscription: subscription.no };
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(SetPaused { at, paused, reply });
        let subscription = self.answer(answer).await?.ok_or(LookupError::NotFound)?;
        Ok(self.with_tally(*subscription).await?)
    }

    pub(super) fn endpoint(&self, url: &str) -> Result<EndpointUrl, SubscribeError> {
        if url.chars().count() > self.config().limits.url_chars {
            return Err(NotAnEndpoint::TooLong.into());
        }
        let url: EndpointUrl = url.parse()?;
        self.0.guard.vet_url(&url).map_err(|refusal| SubscribeError::Blocked(refusal.to_string()))?;
        Ok(url)
    }

    /// The record of a hook; the number in an id is only a hint, which the nonce must confirm.
    pub(super) async fn record(
        &self,
        account: AccountNo,
        id: HookId,
    ) -> Result<Option<Subscription>, Unavailable> {
        let subscription = SubscriptionNo(self.0.seal.open(&id).0);
        let at = Address { account, subscription };
        let record = self.read(move |reader| reader.subscription(at)).await?;
        Ok(record.filter(|record| record.id == id))
    }

    pub(super) async fn with_tally(&self, subscription: Subscription) -> Result<Hook, Unavailable> {
        let now = self.0.store.now();
        self.read(move |reader| Hook::read(reader, subscription, now)).await
    }
}

impl Hook {
    fn of(subscription: Subscription, tally: Tally, now: Now) -> Self {
        let Tally { pending, replaying, dead, last_attempt_at, next_attempt_at, .. } = tally;
        // What came back from the dead has been due since before its hook was there.
        let next_attempt_at = next_attempt_at.map(|due| now.on_the_wall(due).max(subscription.created_at));
        Self { subscription, pending, replaying, dead, last_attempt_at, next_attempt_at }
    }

    fn read(reader: &dyn Reader, subscription: Subscription, now: Now) -> Result<Self, StoreError> {
        let tally = reader.tallies(std::slice::from_ref(&subscription))?;
        Ok(Self::of(subscription, tally.first().copied().unwrap_or_default(), now))
    }
}

impl HookQuery {
    fn accepts(&self, subscription: &Subscription) -> bool {
        let Subscription { url, filter, status, .. } = subscription;
        let same_url = |wanted: &String| {
            wanted.parse::<EndpointUrl>().is_ok_and(|wanted| wanted.normalized() == url.normalized())
        };
        let has_event = |wanted: &String| filter.has_type(wanted);
        self.url.as_ref().is_none_or(same_url)
            && self.event.as_ref().is_none_or(has_event)
            && self.active.is_none_or(|wanted| wanted == (*status == Status::Active))
            && self.status.as_ref().is_none_or(|wanted| wanted == status.as_str())
    }
}

/// What a URL and an event name; nothing where no hook can have them.
fn named(url: &str, event: Option<&str>) -> Option<router::Which> {
    let url = url.parse().ok()?;
    let filter = match event {
        None => None,
        Some(event) => Some(Filter::one(event.parse().ok()?)),
    };
    Some(router::Which::Url(url, filter))
}
