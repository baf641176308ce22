//! The values of blocks: events with their matches, attempts with what follows from them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{V1, V2, decode_as, encode_as, version, with_an_end};
use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::event::{Body, Heading, IdempotencyKey, Recorded};
use crate::event_type::EventType;
use crate::id::{AccountNo, EventNo, Nonce, Seal, SubscriptionNo};
use crate::store::{Error, Follows, Settlement};
use crate::subscription::{Generation, Match};

/// The events of one commit, or some of them.
#[derive(Serialize, Deserialize)]
pub struct EventBlock<'a> {
    pub commit: u64,
    #[serde(borrow)]
    pub events: Vec<EventV1<'a>>,
}

/// An event as it lies in its block.
#[derive(Serialize, Deserialize)]
pub struct EventV1<'a> {
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

/// What one commit settled and moved, or some of it.
#[derive(Default, Serialize, Deserialize)]
pub struct SettlementBlock {
    pub settled: Vec<SettledV1>,
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

/// An attempt as it lies in its block.
#[derive(Serialize, Deserialize)]
pub struct SettledV1 {
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
    /// When the next attempt is due; none once delivered.
    next_due_ms: Option<u64>,
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
    pub fn newest_first(&self, first: u64) -> impl Iterator<Item = (EventNo, &EventV1<'a>)> {
        self.events.iter().enumerate().rev().map(move |(index, event)| (EventNo(first + index as u64), event))
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
        encode_as(V2, self)
    }

    /// The block of these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match version(bytes)? {
            V1 => {
                let SettlementBlockV1 { settled, parked } = decode_as(V1, bytes)?;
                Ok(Self { settled, parked, ..Self::default() })
            }
            _ => decode_as(V2, bytes),
        }
    }
}

impl<'a> EventV1<'a> {
    /// An event with the nonce of its id.
    pub fn of(event: &'a Recorded, nonce: Nonce) -> Self {
        Self {
            nonce,
            account: event.account.0,
            event_type: event.event_type.as_str(),
            timestamp: (event.body.timestamp.start, event.body.timestamp.end),
            data: (event.body.data.start, event.body.data.end),
            accepted_ms: event.accepted_at.0,
            idempotency: event.idempotency.map(|key| key.0),
            matches: distances(event.matches.iter().copied()),
            body: &event.body.bytes,
        }
    }

    /// About how many bytes it takes.
    pub fn weight(event: &Recorded) -> usize {
        event.body.bytes.len() + event.event_type.as_str().len() + event.matches.len() * 3 + 64
    }

    /// The event at `no`.
    pub fn load(&self, no: EventNo, seal: &Seal) -> Option<Recorded> {
        let mut before = 0;
        let matches = self.matches.iter().map(|(distance, generation)| {
            before += distance;
            Match { subscription: SubscriptionNo(before), generation: Generation(*generation) }
        });
        let within = |(start, end): (u32, u32)| {
            (start <= end && end as usize <= self.body.len()).then_some(start..end)
        };
        let timestamp = within(self.timestamp)?;
        std::str::from_utf8(&self.body[timestamp.start as usize..timestamp.end as usize]).ok()?;
        Some(Recorded {
            no,
            id: seal.close(no.0, self.nonce),
            account: AccountNo(self.account),
            event_type: self.event_type.parse::<EventType>().ok()?,
            body: Body {
                bytes: bytes::Bytes::copy_from_slice(self.body),
                timestamp,
                data: within(self.data)?,
            },
            accepted_at: self.accepted_at(),
            idempotency: self.idempotency(),
            matches: Arc::new(matches.collect()),
        })
    }

    /// What is said of the event at `no`.
    pub fn heading(&self, no: EventNo, seal: &Seal) -> Result<Heading, Error> {
        Ok(Heading {
            no,
            id: seal.close(no.0, self.nonce),
            account: self.account(),
            event_type: self.event_type.parse().map_err(Error::damaged)?,
            accepted_at: self.accepted_at(),
        })
    }

    /// The account that it belongs to.
    pub fn account(&self) -> AccountNo {
        AccountNo(self.account)
    }

    /// The name of its type.
    pub fn event_type(&self) -> &str {
        self.event_type
    }

    /// How many bytes its body has.
    pub fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// The subscriptions that it matched, ascending.
    pub fn matched(&self) -> impl Iterator<Item = SubscriptionNo> + '_ {
        self.matches.iter().scan(0, |before, (distance, _)| {
            *before += distance;
            Some(SubscriptionNo(*before))
        })
    }

    /// The same event with other matches, ascending by subscription.
    pub fn matching(self, matches: impl IntoIterator<Item = Match>) -> Self {
        Self { matches: distances(matches), ..self }
    }

    /// When it was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        Timestamp(self.accepted_ms)
    }

    /// The hash of its idempotency key.
    pub fn idempotency(&self) -> Option<IdempotencyKey> {
        self.idempotency.map(IdempotencyKey)
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

impl SettledV1 {
    /// A settlement as it is kept.
    pub fn of(settlement: Settlement) -> Self {
        let Attempt { n, at, outcome, duration_ms, response } = settlement.attempt;
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
                Follows::Done => None,
                Follows::Retry { due, .. } => Some(due.0),
            },
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
        Attempt { n: self.n, at, outcome, duration_ms: self.duration_ms, response }
    }

    /// How many attempts there were, this one included.
    pub fn attempts(&self) -> u16 {
        self.n
    }
}
