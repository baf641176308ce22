//! Emitting: an event is validated, gets its body and a credit, and goes to the router.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::credit::Room;
use crate::event::{Body, Draft, Event, Idempotency, IdempotencyKey, Receipt, Recorded};
use crate::event_type::{EventType, NotAnEventType, OWN_PREFIX};
use crate::id::AccountNo;
use crate::metrics::events::Refusal;
use crate::schema::Mismatch;
use crate::store::{Answer, Duplicate};
use crate::subscription::Subscription;
use crate::traces::Accepting;

use super::catalogue::UnknownType;
use super::reloading::Live;
use super::{Emitted, Hookyard, Unavailable};

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    #[error(
        "unknown event \"{name}\"; known are {known}. Declare it as an [[event_type]], or set events.unknown = \"accept\""
    )]
    UnknownEvent { name: String, known: String },
    #[error("names that begin with {OWN_PREFIX} are the router's own events; nobody else emits them")]
    OwnEvent,
    #[error("event: {0}")]
    EventType(#[from] NotAnEventType),
    #[error("timestamp must be an RFC 3339 date-time such as 2025-01-15T10:30:00Z")]
    Timestamp,
    #[error("an idempotency key has 1 to {limit} characters")]
    IdempotencyKey { limit: usize },
    /// The data does not match the schema of its type, which is asked for.
    #[error("data does not match the schema of \"{event}\": {mismatch}")]
    Schema { event: String, mismatch: Mismatch },
    #[error("data has {size} bytes; the limit is {limit}")]
    DataTooLarge { size: usize, limit: usize },
    #[error("a batch has at most {limit} events")]
    BatchTooLarge { limit: usize },
    #[error("an event with this idempotency key and other content was accepted before")]
    Conflict,
    #[error("there is no account \"{0}\"")]
    UnknownAccount(AccountId),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Events that keep all rules.
struct Drafts {
    drafts: Vec<Draft>,
    /// Whose credit they take: a batch for several accounts takes that of the first.
    account: AccountNo,
    bytes: usize,
    spans: Accepting,
}

/// What an emitter does where there is no room.
enum Patience {
    Waits,
    TriesAgain,
}

impl EmitError {
    /// What it counts as.
    fn refusal(&self) -> Refusal {
        match self {
            Self::Unavailable(Unavailable::Full) => Refusal::Full,
            Self::Unavailable(Unavailable::Store | Unavailable::Disk) => Refusal::Store,
            Self::Unavailable(Unavailable::ShuttingDown) => Refusal::ShuttingDown,
            Self::Conflict => Refusal::Conflict,
            _ => Refusal::Invalid,
        }
    }
}

impl From<UnknownType> for EmitError {
    fn from(error: UnknownType) -> Self {
        match error {
            UnknownType::Unknown { name, known } => Self::UnknownEvent { name, known },
            UnknownType::Own => Self::OwnEvent,
            UnknownType::Malformed(error) => Self::EventType(error),
        }
    }
}

impl Hookyard {
    /// Accepts one event; waits for a moment in which there is room for it.
    ///
    /// When it returns `Ok`, the event survives a crash of the process and a power cut, and is delivered to every hook
    /// that it matched. An event whose idempotency key is known is not accepted again: its first receipt comes back.
    ///
    /// # Errors
    /// When the event breaks a rule, or nothing can be accepted.
    pub async fn emit(&self, event: Event) -> Result<Receipt, EmitError> {
        self.emit_batch(vec![event]).await.map(only)
    }

    /// Accepts all of these events or none; the receipts come in their order.
    ///
    /// # Errors
    /// As [`Self::emit`]; a single conflict of idempotency keys refuses the whole batch.
    pub async fn emit_batch(&self, events: Vec<Event>) -> Result<Vec<Receipt>, EmitError> {
        self.accept(events, Patience::Waits).await.map(receipts)
    }

    /// [`Self::emit`] for those who would rather try again than wait.
    ///
    /// # Errors
    /// As [`Self::emit`], and [`Unavailable::Full`] when too much is in flight.
    pub async fn try_emit(&self, event: Event) -> Result<Receipt, EmitError> {
        self.try_emit_batch(vec![event]).await.map(only)
    }

    /// [`Self::emit_batch`] for those who would rather try again than wait.
    ///
    /// # Errors
    /// As [`Self::emit_batch`], and [`Unavailable::Full`] when too much is in flight.
    pub async fn try_emit_batch(&self, events: Vec<Event>) -> Result<Vec<Receipt>, EmitError> {
        self.accept(events, Patience::TriesAgain).await.map(receipts)
    }

    /// [`Self::try_emit`], which shows the event that was accepted, or the earlier one that this repeats.
    ///
    /// # Errors
    /// As [`Self::try_emit`].
    pub async fn try_accept(&self, event: Event) -> Result<Emitted, EmitError> {
        let mut events = self.accept(vec![event], Patience::TriesAgain).await?;
        let (event, _) = events.pop().expect("one event comes to one");
        Ok(Emitted::of(&event))
    }

    /// [`Self::try_accept`] for one of its account's hooks alone, whatever that hook wants and others do.
    ///
    /// # Errors
    /// As [`Self::try_emit`].
    pub async fn try_accept_for(&self, hook: &Subscription, event: Event) -> Result<Emitted, EmitError> {
        self.try_accept(Event { only: Some(hook.no), ..event }).await
    }

    async fn accept(
        &self,
        events: Vec<Event>,
        patience: Patience,
    ) -> Result<Vec<(Arc<Recorded>, Duplicate)>, EmitError> {
        let (count, credits) = (events.len(), &self.0.credits);
        let accepted = async {
            let Drafts { drafts, account, bytes, spans } = self.drafts(events)?;
            let appended = async {
                let room = match patience {
                    Patience::Waits => credits.room(account, drafts.len(), bytes).await,
                    Patience::TriesAgain => credits.room_now(account, drafts.len(), bytes),
                };
                self.append(drafts, room.map_err(Unavailable::from)?).await
            };
            let appended = appended.await;
            spans.end(appended.as_deref().map_err(|error| error.refusal().as_str()));
            appended
        };
        accepted.await.inspect_err(|error| self.figures().events.refuse(error.refusal(), count))
    }

    async fn append(
        &self,
        drafts: Vec<Draft>,
        room: Room,
    ) -> Result<Vec<(Arc<Recorded>, Duplicate)>, EmitError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let credit = self.0.credits.turn(room).await.map_err(Unavailable::from)?;
        let (reply, answer) = oneshot::channel();
        self.desk()?.emit(drafts, credit, reply);
        match self.answer(answer).await?.pop() {
            Some(Answer::Appended(events)) => Ok(events),
            Some(Answer::Conflict) => Err(EmitError::Conflict),
            _ => Err(Unavailable::Store.into()),
        }
    }

    fn drafts(&self, events: Vec<Event>) -> Result<Drafts, EmitError> {
        let live = self.0.live.load_full();
        let limit = live.config.limits.batch_events;
        if events.len() > limit {
            return Err(EmitError::BatchTooLarge { limit });
        }
        let now = Timestamp::now();
        let drafts: Result<Vec<Draft>, EmitError> =
            events.into_iter().map(|event| self.draft(event, now, &live)).collect();
        let mut drafts = drafts?;
        let spans = self.0.traces.accept(&mut drafts);
        let account = drafts.first().map(|draft| draft.account).unwrap_or_default();
        let bytes = drafts.iter().map(|draft| draft.body.bytes.len()).sum();
        Ok(Drafts { drafts, account, bytes, spans })
    }

    fn draft(&self, event: Event, now: Timestamp, live: &Live) -> Result<Draft, EmitError> {
        let limits = &live.config.limits;
        let event_type = self.emitted_type(&event, live)?;
        let (size, limit) = (event.data.len(), limits.data_bytes);
        if size > limit {
            return Err(EmitError::DataTooLarge { size, limit });
        }
        if live.config.events.validate {
            self.vet_data(&event_type, &event.data, live)?;
        }
        let registry = &self.0.registry;
        let account = registry.account(&event.account).ok_or(EmitError::UnknownAccount(event.account))?;
        let timestamp_given = event.timestamp.is_some();
        let timestamp = match event.timestamp {
            Some(given) if Timestamp::parse(&given).is_none() => return Err(EmitError::Timestamp),
            Some(given) => given,
            None => now.to_string(),
        };
        let labelled = event.labels.as_ref().and_then(|labels| labels.key(account));
        let idempotency = match event.idempotency_key {
            _ if labelled.is_some() => labelled.map(|key| Idempotency { key, timestamp_given }),
            Some(key) if !(1..=limits.name_chars).contains(&key.chars().count()) => {
                return Err(EmitError::IdempotencyKey { limit: limits.name_chars });
            }
            Some(key) => Some(Idempotency { key: IdempotencyKey::of(account, &key), timestamp_given }),
            None => None,
        };
        let body = Body::build(&event_type, &timestamp, &event.data);
        Ok(Draft {
            account,
            event_type,
            body,
            accepted_at: now,
            idempotency,
            labels: event.labels,
            only: event.only,
        })
    }
}

impl Hookyard {
    /// Holds data against the schema of its type, if there is one: that which was declared at run time, or else the
    /// configuration's.
    fn vet_data(&self, event_type: &EventType, data: &[u8], live: &Live) -> Result<(), EmitError> {
        let declared = self.0.declarations.schema(event_type.as_str());
        let Some(schema) = declared.or_else(|| live.schemas.get(event_type.as_str()).cloned()) else {
            return Ok(());
        };
        // It was read once already, to see that it is JSON; numbers that are beyond all others are none here.
        let data = serde_json::from_slice(data);
        let mismatch = |error: serde_json::Error| Mismatch { path: String::new(), why: error.to_string() };
        let checked = data.map_err(mismatch).and_then(|data| schema.check(&data));
        checked.map_err(|mismatch| EmitError::Schema { event: event_type.to_string(), mismatch })
    }

    /// The type of an event that is emitted.
    fn emitted_type(&self, event: &Event, live: &Live) -> Result<EventType, UnknownType> {
        match live.catalogue.event_type(&event.event_type) {
            Err(UnknownType::Unknown { .. }) if event.is_of_any_type => {
                event.event_type.parse().map_err(UnknownType::Malformed)
            }
            found => self.or_declared(&event.event_type, found),
        }
    }
}

fn receipts(events: Vec<(Arc<Recorded>, Duplicate)>) -> Vec<Receipt> {
    events.iter().map(|(event, duplicate)| event.receipt(*duplicate)).collect()
}

fn only(mut receipts: Vec<Receipt>) -> Receipt {
    receipts.pop().expect("one event has one receipt")
}
