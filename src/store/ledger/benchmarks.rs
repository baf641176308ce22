//! What the micro-benchmarks time of the ledger: a block of events, to bytes and back.

use std::sync::Arc;

use super::values::{EventBlock, StoredEvent};
use crate::clock::Timestamp;
use crate::event::{Body, Recorded};
use crate::event_type::EventType;
use crate::id::{AccountNo, EventId, EventNo, Nonce, Seal, SubscriptionNo};
use crate::subscription::{Generation, Match};

/// The events of one commit.
pub struct Block {
    events: Vec<(Recorded, Nonce)>,
    seal: Seal,
}

impl Block {
    /// So many events with this data, each of which matches one subscription.
    pub fn of(count: u64, data: &[u8]) -> Self {
        let event_type: EventType = "new_lead".parse().expect("it is an event type");
        let matched = Match { subscription: SubscriptionNo(1), generation: Generation(0) };
        let matches = Arc::new(vec![matched]);
        let event = |no| Recorded {
            no: EventNo(no),
            id: EventId::from_bytes([0; 20]),
            account: AccountNo(1),
            event_type: event_type.clone(),
            body: Body::build(&event_type, "2025-01-15T10:30:00Z", data),
            accepted_at: Timestamp(1_736_937_000_000),
            idempotency: None,
            labels: None,
            matches: matches.clone(),
        };
        let events = (1..=count).map(|no| (event(no), Nonce::default())).collect();
        Self { events, seal: Seal::new(&[7; 32]) }
    }

    /// The block as it lies in the store.
    pub fn encode(&self) -> Vec<u8> {
        let events = self.events.iter().map(|(event, nonce)| StoredEvent::of(event, *nonce)).collect();
        EventBlock { commit: 1, events }.encode()
    }

    /// Reads all events of such a block; tells how many there are.
    ///
    /// # Panics
    /// When the bytes are no block.
    pub fn decode(&self, bytes: &[u8]) -> usize {
        let block = EventBlock::decode(bytes).expect("it was encoded here");
        block.newest_first(1).filter_map(|(no, event)| event.load(no, &self.seal)).count()
    }
}
