//! Events: what is emitted, the body that receivers get, and the receipt that the emitter gets.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::event_type::EventType;
use crate::filter::Channel;
use crate::id::{AccountNo, EventId, EventNo, SubscriptionNo};
use crate::label::Uid;
use crate::subscription::Matches;
use crate::trace_context::TraceContext;

/// The longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_LIMIT: usize = 128;

/// An event as its emitter describes it.
///
/// `data` is any JSON value; its bytes reach the receivers as they are given here.
#[derive(Clone)]
pub struct Event {
    pub(crate) event_type: String,
    pub(crate) data: Bytes,
    pub(crate) timestamp: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) account: AccountId,
    pub(crate) labels: Option<Box<Labels>>,
    /// Whether its type need not be one that is declared.
    pub(crate) is_of_any_type: bool,
    /// The one hook that it is for, whatever others want.
    pub(crate) only: Option<SubscriptionNo>,
}

/// What an emitter may attach to an event beside its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// What else the event may be called by, for as long as idempotency keys are remembered.
    pub uid: Option<Uid>,
    /// The channels that it is on, in order.
    pub channels: Vec<Channel>,
    /// The request that brought it, where a repetition is told by that and not by its content.
    pub request: Option<IdempotencyKey>,
    /// The trace that it belongs to, which its deliveries carry on.
    pub trace: Option<TraceContext>,
}

/// The body of the delivered request, built once per event: `{"event":…,"timestamp":…,"data":…}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    pub bytes: Bytes,
    /// Where in `bytes` the emitter's timestamp stands, without its quotes.
    pub timestamp: Range<u32>,
    /// Where in `bytes` the emitter's data stands.
    pub data: Range<u32>,
}

/// An event that was validated and has its body, on its way to the ledger.
#[derive(Clone, Debug)]
pub struct Draft {
    pub account: AccountNo,
    pub event_type: EventType,
    pub body: Body,
    pub accepted_at: Timestamp,
    pub idempotency: Option<Idempotency>,
    pub labels: Option<Box<Labels>>,
    /// The one subscription that it is for, whatever others want.
    pub only: Option<SubscriptionNo>,
}

/// What makes a second emit of an event a repetition of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub key: IdempotencyKey,
    /// Whether the emitter gave a timestamp; one that was filled in is not compared.
    pub timestamp_given: bool,
}

/// The first 128 bits of SHA-256 over account and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(pub [u8; 16]);

/// An event in the ledger, durable, with the subscriptions that it matched when it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub no: EventNo,
    pub id: EventId,
    pub account: AccountNo,
    pub event_type: EventType,
    pub body: Body,
    pub accepted_at: Timestamp,
    pub idempotency: Option<IdempotencyKey>,
    pub labels: Option<Box<Labels>>,
    pub matches: Matches,
}

/// What is said of an event without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    pub no: EventNo,
    pub id: EventId,
    pub account: AccountNo,
    pub event_type: EventType,
    pub accepted_at: Timestamp,
    pub labels: Option<Box<Labels>>,
}

impl Heading {
    /// The channels that the event is on.
    pub fn channels(&self) -> &[Channel] {
        Labels::channels(&self.labels)
    }
}

/// What an emitter gets: the event is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Receipt {
    pub id: EventId,
    pub event: EventType,
    pub timestamp: String,
    /// How many hooks the event matched, paused ones included.
    pub matched: usize,
    /// Whether an earlier event with the same idempotency key is the one this receipt is for.
    pub duplicate: bool,
}

/// The data is no JSON value.
#[derive(Debug, thiserror::Error)]
#[error("data is not a JSON value: {0}")]
pub struct NotJson(#[from] serde_json::Error);

impl Event {
    /// An event of the account `default` with anything that serialises to JSON as its data.
    ///
    /// # Errors
    /// When `data` cannot be serialised.
    pub fn new(event_type: impl Into<String>, data: &impl Serialize) -> Result<Self, NotJson> {
        Ok(Self::of_json(event_type.into(), serde_json::to_vec(data)?.into()))
    }

    /// An event of the account `default` whose data is JSON text already; its bytes are kept, white space inside it,
    /// key order, number spelling and escapes included.
    ///
    /// # Errors
    /// When `data` is not one JSON value.
    pub fn raw(event_type: impl Into<String>, data: impl Into<Bytes>) -> Result<Self, NotJson> {
        let data = data.into();
        let value: &RawValue = serde_json::from_slice(&data)?;
        let value = data.slice_ref(value.get().as_bytes());
        Ok(Self::of_json(event_type.into(), value))
    }

    /// An event whose data is known to be one JSON value without white space around it.
    pub(crate) fn of_json(event_type: String, data: Bytes) -> Self {
        let account = AccountId::default_account();
        Self {
            event_type,
            data,
            timestamp: None,
            idempotency_key: None,
            account,
            labels: None,
            is_of_any_type: false,
            only: None,
        }
    }

    /// Makes it an event of another account.
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = account;
        self
    }

    /// Gives it a timestamp, in RFC 3339, that receivers get as it is written here.
    pub fn timestamp(mut self, timestamp: impl Into<String>) -> Self {
        self.timestamp = Some(timestamp.into());
        self
    }

    /// Puts it on channels, beside those that it is on.
    pub fn channels(mut self, channels: impl IntoIterator<Item = Channel>) -> Self {
        let on = &mut self.labels.get_or_insert_default().channels;
        on.extend(channels);
        on.sort();
        on.dedup();
        self
    }

    /// Gives it an id of the emitter's own, which no other event of its account may have for as long as idempotency
    /// keys are remembered. It takes the place of an idempotency key.
    pub fn uid(mut self, uid: Uid) -> Self {
        self.labels.get_or_insert_default().uid = Some(uid);
        self
    }

    /// Makes it part of a trace: the requests that deliver it say so in `traceparent` and `tracestate`.
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.labels.get_or_insert_default().trace = Some(context);
        self
    }

    /// Accepts it whatever its type is called, declared or not.
    pub fn of_any_type(mut self) -> Self {
        self.is_of_any_type = true;
        self
    }

    /// Tells a repetition of it by the request that brings it, whatever is in it; of the account with this number.
    #[cfg(feature = "server")]
    pub(crate) fn repeated_by(mut self, account: AccountNo, request: &str) -> Self {
        self.labels.get_or_insert_default().request = Some(IdempotencyKey::of_request(account, request));
        self
    }

    /// Gives it a key under which it is accepted once: repeating it yields the first receipt.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// Without the data.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Event");
        fields.field("event_type", &self.event_type).field("account", &self.account);
        fields.field("data", &format_args!("{} bytes", self.data.len())).finish_non_exhaustive()
    }
}

/// Without the data.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.bytes.len())
    }
}

impl Body {
    /// Builds the delivered body: no white space outside `data`, the members in the documented order.
    pub fn build(event_type: &EventType, timestamp: &str, data: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(event_type.as_str().len() + timestamp.len() + data.len() + 48);
        bytes.extend_from_slice(br#"{"event":"#);
        serde_json::to_writer(&mut bytes, event_type).expect("a string serialises into memory");
        bytes.extend_from_slice(br#","timestamp":""#);
        let timestamp_at = bytes.len() as u32;
        bytes.extend_from_slice(timestamp.as_bytes());
        let timestamp = timestamp_at..bytes.len() as u32;
        bytes.extend_from_slice(br#"","data":"#);
        let data_at = bytes.len() as u32;
        bytes.extend_from_slice(data);
        let data = data_at..bytes.len() as u32;
        bytes.push(b'}');
        Self { bytes: bytes.into(), timestamp, data }
    }

    /// The emitter's data, byte for byte.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.data.start as usize..self.data.end as usize]
    }

    /// The same, sharing the body's memory.
    pub fn data_bytes(&self) -> Bytes {
        self.bytes.slice(self.data.start as usize..self.data.end as usize)
    }

    /// The same without the data, which is never empty otherwise.
    pub fn expunged(&self) -> Self {
        let (bytes, end) = (self.bytes.slice(..self.data.start as usize), self.data.start);
        Self { bytes, timestamp: self.timestamp.clone(), data: end..end }
    }

    /// Whether the data was expunged.
    pub fn is_expunged(&self) -> bool {
        self.data.is_empty()
    }

    /// The event's timestamp as it is sent.
    pub fn timestamp(&self) -> &str {
        let range = self.timestamp.start as usize..self.timestamp.end as usize;
        std::str::from_utf8(&self.bytes[range]).expect("a timestamp was text when the body was built")
    }
}

impl Labels {
    /// The key under which an event with these labels is accepted once, if there is one.
    pub(crate) fn key(&self, account: AccountNo) -> Option<IdempotencyKey> {
        let by_uid = self.uid.as_ref().map(|uid| IdempotencyKey::of_uid(account, uid));
        by_uid.or(self.request)
    }

    /// The channels among these labels, if there are any.
    pub fn channels(labels: &Option<Box<Self>>) -> &[Channel] {
        labels.as_ref().map_or(&[], |labels| &labels.channels)
    }

    /// The trace among these labels, if there is one.
    pub fn trace(labels: &Option<Box<Self>>) -> Option<&TraceContext> {
        labels.as_ref()?.trace.as_ref()
    }
}

impl Draft {
    /// The channels that the event is on.
    pub fn channels(&self) -> &[Channel] {
        Labels::channels(&self.labels)
    }

    /// Whether this is the same event as `first`, whose idempotency key it repeats. What was expunged is not compared.
    pub fn repeats(&self, first: &Recorded) -> bool {
        if let Some(labels) =
            self.labels.as_ref().filter(|labels| labels.uid.is_some() || labels.request.is_some())
        {
            let request = first.labels.as_ref().and_then(|labels| labels.request);
            return labels.request.is_some() && labels.request == request;
        }
        let given = self.idempotency.is_some_and(|idempotency| idempotency.timestamp_given);
        self.event_type == first.event_type
            && (first.body.is_expunged() || self.body.data() == first.body.data())
            && (!given || self.body.timestamp() == first.body.timestamp())
    }
}

impl IdempotencyKey {
    /// The hash of `key` among the keys of `account`.
    pub fn of(account: AccountNo, key: &str) -> Self {
        let digest = Sha256::new().chain_update(account.0.to_be_bytes()).chain_update(key).finalize();
        Self(digest[..16].try_into().expect("a SHA-256 digest has 32 bytes"))
    }

    /// The hash of an event's uid among those of `account`; no other kind of key has the same.
    pub fn of_uid(account: AccountNo, uid: &Uid) -> Self {
        Self::of_kind("uid", account, uid.as_str())
    }

    /// The hash of a request that brings an event of `account`.
    pub fn of_request(account: AccountNo, request: &str) -> Self {
        Self::of_kind("request", account, request)
    }

    fn of_kind(kind: &str, account: AccountNo, text: &str) -> Self {
        let digest = Sha256::new().chain_update([0]).chain_update(kind).chain_update([0]);
        let digest = digest.chain_update(account.0.to_be_bytes()).chain_update(text).finalize();
        Self(digest[..16].try_into().expect("a SHA-256 digest has 32 bytes"))
    }
}

impl Recorded {
    /// The channels that the event is on.
    pub fn channels(&self) -> &[Channel] {
        Labels::channels(&self.labels)
    }

    /// The receipt for this event.
    pub fn receipt(&self, duplicate: bool) -> Receipt {
        Receipt {
            id: self.id,
            event: self.event_type.clone(),
            timestamp: self.body.timestamp().to_owned(),
            matched: self.matches.len(),
            duplicate,
        }
    }
}

#[cfg(test)]
impl Recorded {
    /// An event of which a test cares for its number and its matches alone.
    pub fn numbered(no: u64, matches: Matches) -> std::sync::Arc<Self> {
        let event_type: EventType = "new_lead".parse().unwrap();
        std::sync::Arc::new(Self {
            no: EventNo(no),
            id: EventId::from_bytes([0; 20]),
            account: AccountNo(1),
            body: Body::build(&event_type, "2025-01-15T10:30:00Z", b"null"),
            event_type,
            accepted_at: Timestamp(no),
            idempotency: None,
            labels: None,
            matches,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_documented_members_in_order_and_nothing_else() {
        let name: EventType = "new \"lead\"".parse().unwrap();
        let body = Body::build(&name, "2025-01-15T10:30:00Z", br#"{ "b":1.0, "a":"\u00e9" }"#);
        let expected =
            r#"{"event":"new \"lead\"","timestamp":"2025-01-15T10:30:00Z","data":{ "b":1.0, "a":"\u00e9" }}"#;
        assert_eq!(body.bytes, expected.as_bytes());
        assert_eq!(body.data(), br#"{ "b":1.0, "a":"\u00e9" }"#);
        assert_eq!(body.timestamp(), "2025-01-15T10:30:00Z");
    }

    #[test]
    fn debug_shows_no_data() {
        let event = Event::raw("new_lead", r#""marker""#).unwrap();
        let body = Body::build(&"new_lead".parse().unwrap(), "2025-01-15T10:30:00Z", &event.data);
        let shown = format!("{event:?} {body:?}");
        assert!(shown.contains("new_lead") && !shown.contains("marker"), "{shown}");
    }

    #[test]
    fn raw_data_keeps_its_bytes_and_must_be_json() {
        let event = Event::raw("new_lead", " {\"a\":1e2, \"a\":0.10} ").unwrap();
        assert_eq!(event.data, "{\"a\":1e2, \"a\":0.10}");
        assert!(Event::raw("new_lead", "{").is_err());
        assert!(Event::raw("new_lead", "1 2").is_err());
    }
}
