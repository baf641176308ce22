//! Deliveries as the API shows them, with every attempt when they are asked for by id; and ways to make some.

use std::ops::Range;

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::api::{Api, Hook, query, text};
use super::patience::until_some;
use super::receiver::Receiver;

/// One event for one hook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    pub id: String,
    pub event_id: String,
    pub hook_id: String,
    pub event: String,
    pub status: String,
    pub attempts: u64,
    pub next_attempt_at: Option<String>,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
    pub created_at: String,
    /// Shown by id alone.
    pub attempt_log: Option<Vec<Attempt>>,
}

/// One request, as the log of a delivery and the answer to a test show it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    pub n: Option<u64>,
    pub at: String,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub duration_ms: u64,
    /// The first bytes of the answer.
    pub response: Option<String>,
}

impl Api {
    /// The account's deliveries that these filters leave, newest first.
    #[track_caller]
    pub fn deliveries(&self, filters: &[(&str, &str)]) -> Vec<Delivery> {
        self.get(&format!("/api/v1/deliveries{}", query(filters))).expect(200)
    }

    /// A hook's deliveries that these filters leave, newest first.
    #[track_caller]
    pub fn deliveries_of(&self, hook: &str, filters: &[(&str, &str)]) -> Vec<Delivery> {
        self.get(&format!("/api/v1/hooks/{hook}/deliveries{}", query(filters))).expect(200)
    }

    /// A delivery with its attempts.
    #[track_caller]
    pub fn delivery(&self, id: &str) -> Delivery {
        self.get(&format!("/api/v1/deliveries/{id}")).expect(200)
    }

    /// Waits until this hook's delivery of this event looks as `condition` wants; it comes with its attempts.
    #[track_caller]
    pub fn wait_for_delivery(
        &self,
        hook: &str,
        event: &str,
        what: &str,
        condition: impl Fn(&Delivery) -> bool,
    ) -> Delivery {
        until_some(what, || {
            let listed = self.deliveries_of(hook, &[]);
            let found = listed.into_iter().find(|delivery| delivery.event_id == event)?;
            Some(self.delivery(&found.id)).filter(|delivery| condition(delivery))
        })
    }

    /// Waits until this hook has got this event.
    #[track_caller]
    pub fn wait_until_delivered(&self, hook: &str, event: &str) -> Delivery {
        self.wait_for_delivery(hook, event, "it is delivered", |delivery| delivery.status == "delivered")
    }

    /// Waits until this hook has failed to get this event so many times.
    #[track_caller]
    pub fn wait_until_attempted(&self, hook: &str, event: &str, attempts: u64) -> Delivery {
        let what = format!("it was attempted {attempts} times");
        self.wait_for_delivery(hook, event, &what, |delivery| delivery.attempts >= attempts)
    }

    /// Emits these numbers one after the other, and returns the ids of their events, newest first.
    #[track_caller]
    pub fn emit_in_order(&self, event: &str, numbers: Range<usize>) -> Vec<String> {
        let mut ids: Vec<String> = numbers.map(|n| self.emit(event, &json!(n)).id).collect();
        ids.reverse();
        ids
    }

    /// Three deliveries of a hook whose receiver takes everything, made at three times, however coarse these are.
    #[track_caller]
    pub fn deliver_at_three_times(&self, hook: &Hook) -> [Delivery; 3] {
        let mut latest: Option<String> = None;
        [(); 3].map(|()| {
            let made = until_some("a delivery at another time is made", || {
                let id = self.emit(&hook.event, &json!("at some time")).id;
                let delivery = self.wait_until_delivered(&hook.id, &id);
                latest.as_ref().is_none_or(|latest| *latest < delivery.created_at).then_some(delivery)
            });
            latest = Some(made.created_at.clone());
            made
        })
    }

    /// An event with its deliveries.
    #[track_caller]
    pub fn event(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/events/{id}")).expect(200)
    }

    /// The catalogue's example of this event.
    #[track_caller]
    pub fn example_of(&self, event: &str) -> Value {
        let catalogue: Vec<Value> = self.get("/api/v1/event-types").expect(200);
        let found = catalogue.iter().find(|kind| text(kind, "name") == event);
        found.unwrap_or_else(|| panic!("no {event} in the catalogue"))["example"].clone()
    }
}

impl Delivery {
    /// The attempts that are shown by id.
    #[track_caller]
    pub fn log(&self) -> &[Attempt] {
        self.attempt_log.as_deref().unwrap_or_else(|| panic!("no attempts in {self:?}"))
    }
}

/// A hook for each status that a delivery can have, with its one delivery.
pub struct OneOfEach {
    pub delivered: Hook,
    pub pending: Hook,
    pub dead: Hook,
    /// The event that was delivered to the first and is pending for the second.
    pub lead: String,
    /// The event that the third refused.
    pub message: String,
    /// Kept open, so that nobody else gets their ports.
    _receivers: [Receiver; 3],
}

impl OneOfEach {
    /// Makes them on a server whose retries come after the test.
    #[track_caller]
    pub fn make(api: &Api) -> Self {
        let receivers = [[200], [500], [410]].map(Receiver::answering);
        let delivered = api.subscribe(&receivers[0].url("/"), "new_lead");
        let pending = api.subscribe(&receivers[1].url("/"), "new_lead");
        let dead = api.subscribe(&receivers[2].url("/"), "new_message");
        let lead = api.emit("new_lead", &json!("a lead")).id;
        let message = api.emit("new_message", &json!("a message")).id;
        api.wait_until_delivered(&delivered.id, &lead);
        api.wait_until_attempted(&pending.id, &lead, 1);
        api.wait_for_delivery(&dead.id, &message, "it is given up", |delivery| delivery.status == "dead");
        Self { delivered, pending, dead, lead, message, _receivers: receivers }
    }
}

/// The point in time that this text names, which must be RFC 3339 in UTC.
#[track_caller]
pub fn instant(text: &str) -> OffsetDateTime {
    assert!(text.ends_with('Z'), "{text} is not in UTC");
    OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|error| panic!("{text}: {error}"))
}
