//! The values of blocks: events with their matches, attempts with what follows from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{V1, V2, V3, decode_as, encode_as, version, with_an_end};
use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::event::{Body, Heading, IdempotencyKey, Labels, Recorded};
use crate::event_type::EventType;
use crate::filter::Channel;
use crate::id::{AccountNo, EventNo, Nonce, Seal, SubscriptionNo};
use crate::store::{Error, Follows, Settlement};
use crate::subscription::{Generation, Match};
use crate::trace_context::TraceContext;

/// What stands in the place of an answer that was expunged.
const EXPUNGED: &[u8] = b"EXPUNGED";

/// The events of one commit, or some of them.
pub struct EventBlock<'a> {
    pub commit: u64,
    pub events: Vec<StoredEvent<'a>>,
}

/// An event as it lies in its block.
#[derive(Serialize, Deserialize)]
pub struct StoredEvent<'a> {
    #[serde(borrow)]
    event: EventV1<'a>,
    labels: Option<LabelsV2>,
}

/// An event of before events belonged to traces.
#[derive(Deserialize)]
struct StoredEventV2<'a> {
    #[serde(borrow)]
    event: EventV1<'a>,
    labels: Option<LabelsV1>,
}

/// A block of before events had labels.
#[derive(Deserialize)]
struct EventBlockV1<'a> {
    commit: u64,
    #[serde(borrow)]
    events: Vec<EventV1<'a>>,
}

/// What there is of every event.
#[derive(Serialize, Deserialize)]
struct EventV1<'a> {
    nonce: Nonce,
    account: u32,
    event_type: &'a str,
    timestamp: (u32, u32),
    data: (u32, u32),
    accepted_ms: u64,
    idempotency: Option<[u8; 16]>,
    /// Distances between the numbers of subscriptions, and generations.
    #[serde(deserialize_with = "with_an_end")]
    matches: Vec<(u64, u32)>,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
}

#[derive(Deserialize)]
struct LabelsV1 {
    uid: Option<String>,
    channels: Vec<String>,
    request: Option<[u8; 16]>,
}

#[derive(Serialize, Deserialize)]
struct LabelsV2 {
    uid: Option<String>,
    channels: Vec<String>,
    request: Option<[u8; 16]>,
    trace: Option<TraceV1>,
}

#[derive(Serialize, Deserialize)]
struct TraceV1 {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
    state: Option<String>,
}

/// What one commit settled and moved, or some of it.
#[derive(Default, Serialize, Deserialize)]
pub struct SettlementBlock {
    pub settled: Vec<SettledV2>,
    /// Matches of events that went from the tail to a page, or were given up on before they came to one.
    pub parked: Vec<Moved>,
    /// Deliveries that are due again, or for the first time although the event did not match.
    pub replayed: Vec<Moved>,
    /// When earlier commits had become durable.
    pub synced: Vec<Synced>,
}

/// A settlement block before deliveries were replayed and syncs noted.
#[derive(Deserialize)]
struct SettlementBlockV1 {
    settled: Vec<SettledV1>,
    parked: Vec<Moved>,
}

/// Before it was known which attempts were asked for.
#[derive(Deserialize)]
struct SettlementBlockV2 {
    settled: Vec<SettledV1>,
    parked: Vec<Moved>,
    replayed: Vec<Moved>,
    synced: Vec<Synced>,
}

#[derive(Deserialize)]
struct SettledV1 {
    subscription: u64,
    event: u64,
    generation: u32,
    n: u16,
    at_ms: u64,
    status: u16,
    error: Option<ErrorKind>,
    duration_ms: u32,
    #[serde(with = "serde_bytes")]
    response: Vec<u8>,
    next_due_ms: Option<u64>,
}

/// An attempt as it lies in its block.
#[derive(Serialize, Deserialize)]
pub struct SettledV2 {
    subscription: u64,
    event: u64,
    generation: u32,
    n: u16,
    at_ms: u64,
    /// 0 where no answer came.
    status: u16,
    error: Option<ErrorKind>,
    duration_ms: u32,
    #[serde(with = "serde_bytes")]
    response: Vec<u8>,
    /// When the next attempt is due, if there is to be one.
    next_due_ms: Option<u64>,
    asked: bool,
}

/// A delivery that a commit moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub event: u64,
    pub subscription: u64,
}

/// When a commit had become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    pub commit: u64,
    pub at_ms: u64,
}

impl<'a> EventBlock<'a> {
    /// The events of a block that begins at `first`, newest first.
    pub fn newest_first(&self, first: u64) -> impl Iterator<Item = (EventNo, &StoredEvent<'a>)> {
        self.events.iter().enumerate().rev().map(move |(index, event)| (EventNo(first + index as u64), event))
    }

    /// The block as bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode_as(V3, &(self.commit, &self.events))
    }

    /// The block of these bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        match version(bytes)? {
            V1 => {
                let EventBlockV1 { commit, events } = decode_as(V1, bytes)?;
                let events = events.into_iter().map(|event| StoredEvent { event, labels: None }).collect();
                Ok(Self { commit, events })
            }
            V2 => {
                let (commit, events): (u64, Vec<StoredEventV2<'_>>) = decode_as(V2, bytes)?;
                Ok(Self { commit, events: events.into_iter().map(StoredEvent::from).collect() })
            }
            _ => {
                let (commit, events) = decode_as(V3, bytes)?;
                Ok(Self { commit, events })
            }
        }
    }
}

impl Moved {
    /// The delivery that was moved.
    pub fn delivery(&self) -> (EventNo, SubscriptionNo) {
        (EventNo(self.event), SubscriptionNo(self.subscription))
    }
}

impl SettlementBlock {
    /// Whether nothing was settled or moved.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.parked.is_empty() && self.replayed.is_empty()
    }

    /// The block as bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode_as(V3, self)
    }

    /// The block of these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match version(bytes)? {
            V1 => {
                let SettlementBlockV1 { settled, parked } = decode_as(V1, bytes)?;
                Ok(Self { settled: with_triggers(settled), parked, ..Self::default() })
            }
            V2 => {
                let SettlementBlockV2 { settled, parked, replayed, synced } = decode_as(V2, bytes)?;
                Ok(Self { settled: with_triggers(settled), parked, replayed, synced })
            }
            _ => decode_as(V3, bytes),
        }
    }
}

impl<'a> From<StoredEventV2<'a>> for StoredEvent<'a> {
    fn from(StoredEventV2 { event, labels }: StoredEventV2<'a>) -> Self {
        let of_no_trace =
            |LabelsV1 { uid, channels, request }| LabelsV2 { uid, channels, request, trace: None };
        Self { event, labels: labels.map(of_no_trace) }
    }
}

impl<'a> StoredEvent<'a> {
    /// An event with the nonce of its id.
    pub fn of(event: &'a Recorded, nonce: Nonce) -> Self {
        let labels = event.labels.as_deref().map(LabelsV2::of);
        let event = EventV1 {
            nonce,
            account: event.account.0,
            event_type: event.event_type.as_str(),
            timestamp: (event.body.timestamp.start, event.body.timestamp.end),
            data: (event.body.data.start, event.body.data.end),
            accepted_ms: event.accepted_at.0,
            idempotency: event.idempotency.map(|key| key.0),
            matches: distances(event.matches.iter().copied()),
            body: &event.body.bytes,
        };
        Self { event, labels }
    }

    /// About how many bytes it takes.
    pub fn weight(event: &Recorded) -> usize {
        let labels = event.labels.as_deref().map_or(0, |labels| {
            let channels = labels.channels.iter().map(|channel| channel.as_str().len() + 1);
            let uid = labels.uid.as_ref().map_or(0, |uid| uid.as_str().len());
            channels.sum::<usize>() + uid + labels.trace.as_ref().map_or(0, weight_of_trace) + 20
        });
        event.body.bytes.len() + event.event_type.as_str().len() + event.matches.len() * 3 + labels + 64
    }

    /// The event at `no`.
    pub fn load(&self, no: EventNo, seal: &Seal) -> Option<Recorded> {
        let within = |(start, end): (u32, u32)| {
            (start <= end && end as usize <= self.event.body.len()).then_some(start..end)
        };
        let timestamp = within(self.event.timestamp)?;
        std::str::from_utf8(&self.event.body[timestamp.start as usize..timestamp.end as usize]).ok()?;
        Some(Recorded {
            no,
            id: seal.close(no.0, self.event.nonce),
            account: AccountNo(self.event.account),
            event_type: self.event.event_type.parse::<EventType>().ok()?,
            body: Body {
                bytes: bytes::Bytes::copy_from_slice(self.event.body),
                timestamp,
                data: within(self.event.data)?,
            },
            accepted_at: self.accepted_at(),
            idempotency: self.idempotency(),
            labels: self.labels.as_ref().map(LabelsV2::load).transpose().ok()?.map(Box::new),
            matches: Arc::new(self.matches().collect()),
        })
    }

    /// What is said of the event at `no`.
    pub fn heading(&self, no: EventNo, seal: &Seal) -> Result<Heading, Error> {
        Ok(Heading {
            no,
            id: seal.close(no.0, self.event.nonce),
            account: self.account(),
            event_type: self.event.event_type.parse().map_err(Error::damaged)?,
            accepted_at: self.accepted_at(),
            labels: self.labels.as_ref().map(LabelsV2::load).transpose()?.map(Box::new),
        })
    }

    /// The account that it belongs to.
    pub fn account(&self) -> AccountNo {
        AccountNo(self.event.account)
    }

    /// The name of its type.
    pub fn event_type(&self) -> &str {
        self.event.event_type
    }

    /// Its data.
    pub fn data(&self) -> &[u8] {
        let (start, end) = self.event.data;
        self.event.body.get(start as usize..end as usize).unwrap_or_default()
    }

    /// How many bytes its body has.
    pub fn body_bytes(&self) -> usize {
        self.event.body.len()
    }

    /// The subscriptions that it matched, ascending.
    pub fn matched(&self) -> impl Iterator<Item = SubscriptionNo> + '_ {
        self.matches().map(|matched| matched.subscription)
    }

    fn matches(&self) -> impl Iterator<Item = Match> + '_ {
        self.event.matches.iter().scan(0, |before, (distance, generation)| {
            *before += distance;
            Some(Match { subscription: SubscriptionNo(*before), generation: Generation(*generation) })
        })
    }

    /// The same event without what it says, and without the matches that are to come no more.
    pub fn expunged(self, to_come: &BTreeSet<SubscriptionNo>) -> Self {
        let matches = distances(self.matches().filter(|matched| !to_come.contains(&matched.subscription)));
        let Self { event, labels } = self;
        let body = event.body.get(..event.data.0 as usize).unwrap_or_default();
        let end = body.len() as u32;
        Self { event: EventV1 { matches, body, data: (end, end), ..event }, labels }
    }

    /// Whether it says nothing any more.
    pub fn is_expunged(&self) -> bool {
        self.event.data.0 == self.event.data.1
    }

    /// The same event with other matches, ascending by subscription.
    pub fn matching(self, matches: impl IntoIterator<Item = Match>) -> Self {
        let Self { event, labels } = self;
        Self { event: EventV1 { matches: distances(matches), ..event }, labels }
    }

    /// Whether it is on one of these channels, if there are any.
    pub fn is_on_one_of(&self, channels: &[Channel]) -> bool {
        let mut names = self.labels.iter().flat_map(|labels| &labels.channels);
        channels.is_empty() || names.any(|name| channels.iter().any(|channel| channel.as_str() == name))
    }

    /// When it was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        Timestamp(self.event.accepted_ms)
    }

    /// The hash of its idempotency key.
    pub fn idempotency(&self) -> Option<IdempotencyKey> {
        self.event.idempotency.map(IdempotencyKey)
    }
}

impl LabelsV2 {
    fn of(labels: &Labels) -> Self {
        Self {
            uid: labels.uid.as_ref().map(ToString::to_string),
            channels: labels.channels.iter().map(ToString::to_string).collect(),
            request: labels.request.map(|key| key.0),
            trace: labels.trace.as_ref().map(TraceV1::of),
        }
    }

    fn load(&self) -> Result<Labels, Error> {
        let channels = self.channels.iter().map(|name| name.parse().map_err(Error::damaged));
        Ok(Labels {
            uid: self.uid.as_ref().map(|uid| uid.parse().map_err(Error::damaged)).transpose()?,
            channels: channels.collect::<Result<_, Error>>()?,
            request: self.request.map(IdempotencyKey),
            trace: self.trace.as_ref().map(TraceV1::load).transpose()?,
        })
    }
}

impl TraceV1 {
    fn of(context: &TraceContext) -> Self {
        Self {
            trace_id: context.trace_id(),
            parent_id: context.parent_id(),
            flags: context.flags(),
            state: context.tracestate().map(str::to_owned),
        }
    }

    fn load(&self) -> Result<TraceContext, Error> {
        let context = TraceContext::of(self.trace_id, self.parent_id, self.flags);
        let context = context.ok_or_else(|| Error::damaged("a trace without an id"))?;
        Ok(self.state.iter().fold(context, |context, state| context.with_tracestate(state)))
    }
}

/// About how many bytes the place in a trace takes.
fn weight_of_trace(context: &TraceContext) -> usize {
    context.tracestate().map_or(0, str::len) + 30
}

/// Settlements of before it was known which attempts were asked for: none counts as such.
fn with_triggers(settled: Vec<SettledV1>) -> Vec<SettledV2> {
    settled.into_iter().map(SettledV2::from).collect()
}

impl From<SettledV1> for SettledV2 {
    fn from(stored: SettledV1) -> Self {
        let SettledV1 {
            subscription,
            event,
            generation,
            n,
            at_ms,
            status,
            error,
            duration_ms,
            response,
            next_due_ms,
        } = stored;
        Self {
            subscription,
            event,
            generation,
            n,
            at_ms,
            status,
            error,
            duration_ms,
            response,
            next_due_ms,
            asked: false,
        }
    }
}

/// Matches as they are kept: distances between the numbers of subscriptions, and generations.
fn distances(matches: impl IntoIterator<Item = Match>) -> Vec<(u64, u32)> {
    let mut before = 0;
    let distances = matches.into_iter().map(|matched| {
        let distance = matched.subscription.0 - before;
        before = matched.subscription.0;
        (distance, matched.generation.0)
    });
    distances.collect()
}

impl SettledV2 {
    /// A settlement as it is kept.
    pub fn of(settlement: Settlement) -> Self {
        let Attempt { n, at, asked, outcome, duration_ms, response } = settlement.attempt;
        let (status, error) = match outcome {
            Outcome::Answered { status, .. } => (status, None),
            Outcome::Failed(kind) => (0, Some(kind)),
        };
        Self {
            subscription: settlement.at.subscription.0,
            event: settlement.event.0,
            generation: settlement.generation.0,
            n,
            at_ms: at.0,
            status,
            error,
            duration_ms,
            response: response.into(),
            next_due_ms: match settlement.follows {
                Follows::Done | Follows::GivenUp => None,
                Follows::Retry { due, .. } => Some(due.0),
            },
            asked,
        }
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        self.response.len() + 40
    }

    /// The delivery that it settled.
    pub fn delivery(&self) -> (EventNo, SubscriptionNo) {
        (EventNo(self.event), SubscriptionNo(self.subscription))
    }

    /// When the attempt began.
    pub fn at(&self) -> Timestamp {
        Timestamp(self.at_ms)
    }

    /// The attempt, but for what the receiver asked for: that is in what followed.
    pub fn attempt(self) -> Attempt {
        let outcome = match self.error {
            Some(kind) => Outcome::Failed(kind),
            None => Outcome::Answered { status: self.status, retry_after: None },
        };
        let (at, response) = (self.at(), self.response.into());
        Attempt { n: self.n, at, asked: self.asked, outcome, duration_ms: self.duration_ms, response }
    }

    /// Forgets what was answered.
    pub fn expunge(&mut self) {
        self.response = EXPUNGED.into();
    }

    /// How many attempts there were, this one included.
    pub fn attempts(&self) -> u16 {
        self.n
    }
}
