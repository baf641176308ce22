//! Events: looking at those that were accepted, and samples of them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::event::{IdempotencyKey, Labels, Receipt, Recorded};
use crate::event_type::{BACKLOG_EXCEEDED, DELIVERY_EXHAUSTED, EventType, HOOK_DEACTIVATED, HOOK_RECOVERED};
use crate::filter::Filter;
use crate::id::{AccountNo, EventId, EventNo, MessageId};
use crate::store::history::{self, NEWEST, Period, Topics};
use crate::store::{Answer, Verb};

use super::deliveries::{Delivery, period};
use super::walking::{Between, oldest_first};
use super::{
    Hookyard, Listed, LookupError, Narrowed, Order, Page, PageRequest, Stretch, SubscribeError, Unavailable,
};

/// The most deliveries that are shown with their event.
pub const DELIVERIES_SHOWN: usize = 1_000;

/// An event that was accepted.
#[derive(Clone)]
pub struct Emitted {
    pub receipt: Receipt,
    /// The emitter's data: the bytes of one JSON value; `null` if it was expunged.
    pub data: Bytes,
    /// Whether the data was expunged.
    pub is_expunged: bool,
    pub accepted_at: Timestamp,
    pub labels: Labels,
}

/// An event and what became of it.
#[derive(Clone, Debug)]
pub struct EventHistory {
    pub event: Emitted,
    /// When it had become durable; that is not known for ever, nor across every crash.
    pub synced_at: Option<Timestamp>,
    /// Its deliveries, to the newest hook first: at most [`DELIVERIES_SHOWN`].
    pub deliveries: Vec<Delivery>,
}

/// Narrows a list of events.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    pub event: Option<String>,
    /// Leaves out the router's own events, which tell of other accounts.
    pub hide_own: bool,
    /// Only those accepted then or later.
    pub since: Option<Timestamp>,
    /// Only those accepted before.
    pub until: Option<Timestamp>,
}

/// What a receiver gets, and under which id.
#[derive(Clone)]
pub struct Sample {
    pub id: EventId,
    pub event: String,
    pub timestamp: String,
    /// The bytes of one JSON value.
    pub data: Bytes,
}

impl Hookyard {
    /// An account's events, newest first.
    ///
    /// # Errors
    /// When there is no such account, or the cursor is none of this list.
    pub async fn events(
        &self,
        account: &AccountId,
        query: EventQuery,
        page: PageRequest,
    ) -> Result<Page<Emitted>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let below = match page.cursor {
            None => EventNo(u64::MAX),
            Some(cursor) => {
                let id: EventId = cursor.parse().map_err(|_| LookupError::Cursor)?;
                EventNo(self.0.seal.open(&id).0)
            }
        };
        let Ok(event_type) = query.event.map(|name| name.parse()).transpose() else {
            return Ok(Page::empty());
        };
        let (topics, above) = (Topics::of_type(event_type), EventNo(0));
        let accepted = period(query.since, query.until);
        let (hide_own, limit) = (query.hide_own, page.limit);
        let query = history::EventQuery { account, topics, hide_own, accepted, above, below, limit };
        let listed = self.look_back(move |reader| reader.events(&query)).await?;
        let items = listed.items.iter().map(|event| Emitted::of(event)).collect();
        Ok(Page::part(items, listed.more, |event: &Emitted| event.receipt.id.to_string()))
    }

    /// An event by its id, with its deliveries.
    ///
    /// # Errors
    /// When the account has none with this id.
    pub async fn event(&self, account: &AccountId, id: EventId) -> Result<EventHistory, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let event = self.recorded(account, id).await?.ok_or(LookupError::NotFound)?;
        let query = history::DeliveryQuery {
            account,
            subscription: None,
            event: Some(event.no),
            topics: Topics::default(),
            hide_own: false,
            status: None,
            accepted: Period::ALWAYS,
            above: EventNo(0),
            below: NEWEST,
            limit: DELIVERIES_SHOWN,
        };
        let no = event.no;
        let (deliveries, synced_at) =
            self.look_back(move |reader| Ok((reader.deliveries(&query)?, reader.synced_at(no)?))).await?;
        let now = self.0.store.now();
        let deliveries = deliveries.items.into_iter().map(|one| Delivery::of(one, &self.0.seal, now));
        Ok(EventHistory { event: Emitted::of(&event), synced_at, deliveries: deliveries.collect() })
    }

    /// A stretch of an account's events.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn list_events(
        &self,
        account: &AccountId,
        narrowed: &Narrowed,
        stretch: Stretch<EventId>,
    ) -> Result<Listed<Emitted>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let Stretch { order, behind, limit } = stretch.map(|id| EventNo(self.0.seal.open(&id).0));
        let read = |Between { above, below }: Between| {
            let Narrowed { topics, accepted, hide_own } = narrowed.clone();
            let query = history::EventQuery { account, topics, hide_own, accepted, above, below, limit };
            self.look_back(move |reader| reader.events(&query))
        };
        let Listed { items, more } = match order {
            Order::Descending => {
                read(Between { above: EventNo(0), below: behind.unwrap_or(EventNo(u64::MAX)) }).await?
            }
            Order::Ascending => {
                let newest = self.newest_event().await?;
                oldest_first(
                    behind.unwrap_or_default(),
                    newest,
                    limit,
                    |event| event.no,
                    |event| event.body.bytes.len(),
                    read,
                )
                .await?
            }
        };
        Ok(Listed { items: items.iter().map(|event| Emitted::of(event)).collect(), more })
    }

    /// An event by its id in either API, or by its uid for as long as that is remembered.
    ///
    /// # Errors
    /// When the account has no such event.
    pub async fn find_event(&self, account: &AccountId, named: &str) -> Result<Emitted, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let id = named.parse::<MessageId>().map(EventId::of).or_else(|_| named.parse::<EventId>());
        let found = match (id, named.parse()) {
            (Ok(id), _) => self.recorded(account, id).await?,
            (Err(_), Ok(uid)) => {
                match self.commit(Verb::Find(IdempotencyKey::of_uid(account, &uid))).await? {
                    Answer::Event(found) => found,
                    _ => return Err(Unavailable::Store.into()),
                }
            }
            (Err(_), Err(_)) => None,
        };
        found.map(|event| Emitted::of(&event)).ok_or(LookupError::NotFound)
    }

    /// What a hook for this event type gets: the account's newest events of it, or else the catalogue's example.
    ///
    /// # Errors
    /// When the event type or the account is unknown.
    pub async fn samples(
        &self,
        account: &AccountId,
        event: &str,
        limit: usize,
    ) -> Result<Vec<Sample>, SubscribeError> {
        let wanted = self.wanted_type(event)?;
        // Of what a pattern stands for, one type is shown.
        let event_type = self.some_event_type(&Filter::one(wanted.clone())).unwrap_or(wanted);
        let no = self.0.registry.account(account);
        let account = no.ok_or_else(|| SubscribeError::UnknownAccount(account.clone()))?;
        let query = history::EventQuery {
            account,
            topics: Topics::of_type(Some(event_type.clone())),
            hide_own: false,
            accepted: Period::ALWAYS,
            above: EventNo(0),
            below: EventNo(u64::MAX),
            limit,
        };
        let recent = self.look_back(move |reader| reader.events(&query)).await?;
        let mut samples: Vec<Sample> = recent
            .items
            .iter()
            .filter(|event| !event.body.is_expunged())
            .map(|event| Sample::of(event))
            .collect();
        if samples.is_empty() {
            samples.push(self.example(event_type.as_str()));
        }
        Ok(samples)
    }

    /// The catalogue's example of an event type, as of now; its id is always the same.
    pub(super) fn example(&self, event: &str) -> Sample {
        let config = self.config();
        let declared = config.event_types.iter().find(|spec| spec.name == event);
        let data = match declared.map(|spec| &spec.example) {
            Some(example) => example.to_string(),
            None => example_of_own(event).to_string(),
        };
        let digest = Sha256::new().chain_update("example ").chain_update(event).finalize();
        Sample {
            id: EventId::from_bytes(digest[..20].try_into().expect("a SHA-256 digest has 32 bytes")),
            event: event.to_owned(),
            timestamp: Timestamp::now().to_string(),
            data: data.into(),
        }
    }

    /// The first event type of the catalogue that a hook wants, to try it out.
    pub(super) fn some_event_type(&self, wanted: &Filter) -> Option<EventType> {
        let config = self.config();
        let mut names = config.event_types.iter().map(|spec| spec.name.as_str());
        names.find(|name| wanted.has_type(name))?.parse().ok()
    }

    /// An event of the ledger; the number in an id is only a hint, which the nonce must confirm.
    pub(super) async fn recorded(
        &self,
        account: AccountNo,
        id: EventId,
    ) -> Result<Option<Arc<Recorded>>, Unavailable> {
        let no = EventNo(self.0.seal.open(&id).0);
        let event = self.read(move |reader| reader.event(no)).await?;
        Ok(event.filter(|event| event.id == id && event.account == account))
    }
}

/// What stands in the place of data that is not shown.
const NULL: Bytes = Bytes::from_static(b"null");

/// The example of an event type of the router's own; null of another.
fn example_of_own(event: &str) -> Value {
    let hook = json!({"id": EXAMPLE_HOOK, "url": "https://example.com/hook", "event": "new_lead"});
    let at = "2026-01-15T10:30:00Z";
    match event {
        HOOK_DEACTIVATED => {
            json!({"hook": hook, "account": "default", "reason": EXAMPLE_REASON, "deactivated_at": at})
        }
        HOOK_RECOVERED => json!({"hook": hook, "account": "default", "recovered_at": at}),
        DELIVERY_EXHAUSTED => {
            let (id, event_id) = ("dlv_0000000000000000000000000Ex", "evt_0000000000000000000000000Ex");
            let delivery = json!({"id": id, "event_id": event_id, "event": "new_lead", "attempts": 4});
            json!({"hook": hook, "account": "default", "delivery": delivery, "reason": EXAMPLE_REASON, "exhausted_at": at})
        }
        BACKLOG_EXCEEDED => {
            json!({"hook": hook, "account": "default", "pending": 10_412, "threshold": 10_000, "counted_at": at})
        }
        _ => Value::Null,
    }
}

const EXAMPLE_HOOK: &str = "hook_0000000000000000000000000Ex";
const EXAMPLE_REASON: &str = "all 4 attempts failed, the last with status 500";

/// Without the data.
impl fmt::Debug for Emitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { receipt, data, is_expunged, accepted_at, labels } = self;
        let mut fields = f.debug_struct("Emitted");
        fields.field("receipt", receipt).field("data", &format_args!("{} bytes", data.len()));
        fields
            .field("is_expunged", is_expunged)
            .field("accepted_at", accepted_at)
            .field("labels", labels)
            .finish()
    }
}

/// Without the data.
impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, event, timestamp, data } = self;
        let mut fields = f.debug_struct("Sample");
        fields.field("id", id).field("event", event).field("timestamp", timestamp);
        fields.field("data", &format_args!("{} bytes", data.len())).finish()
    }
}

impl Emitted {
    /// The same without its data, and without what holds it in memory.
    pub fn without_data(self) -> Self {
        Self { data: NULL, ..self }
    }

    pub(super) fn of(event: &Recorded) -> Self {
        let labels = event.labels.as_deref().cloned().unwrap_or_default();
        let is_expunged = event.body.is_expunged();
        Self {
            receipt: event.receipt(false),
            data: if is_expunged { NULL } else { event.body.data_bytes() },
            is_expunged,
            accepted_at: event.accepted_at,
            labels,
        }
    }
}

impl Sample {
    fn of(event: &Recorded) -> Self {
        Self {
            id: event.id,
            event: event.event_type.to_string(),
            timestamp: event.body.timestamp().to_owned(),
            data: event.body.data_bytes(),
        }
    }
}
