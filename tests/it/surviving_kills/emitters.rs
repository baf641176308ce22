//! Who emits while the server is killed: each goes on until every event it began has a receipt.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::support::api::{Api, JSON, Receipt};

use super::answers::Emission;

pub const EVENT_TYPES: [&str; 2] = ["new_lead", "new_message"];

/// One who emits, over all lives of the server.
pub struct Emitter {
    random: StdRng,
    /// What a kill left without a receipt, to be emitted again under the same keys.
    unanswered: Option<Wish>,
    pub emissions: Vec<Emission>,
}

/// Events that are emitted together.
struct Wish {
    began: Instant,
    events: Vec<(u64, &'static str)>,
}

impl Emitter {
    pub fn new(random: StdRng) -> Self {
        Self { random, unanswered: None, emissions: Vec::new() }
    }

    /// Emits until the server is being killed.
    pub fn emit_until(&mut self, api: &Api, dying: &AtomicBool, numbers: &AtomicU64) {
        while !dying.load(Ordering::SeqCst) {
            self.emit(api, dying, numbers);
            thread::sleep(Duration::from_micros(self.random.random_range(0..25_000)));
        }
    }

    /// Emits again what has no receipt yet.
    pub fn finish(&mut self, api: &Api) {
        while self.unanswered.is_some() {
            self.emit(api, &AtomicBool::new(false), &AtomicU64::new(0));
        }
    }

    fn emit(&mut self, api: &Api, dying: &AtomicBool, numbers: &AtomicU64) {
        let wish = self.unanswered.take().unwrap_or_else(|| self.wish(numbers));
        let body = wish.body().to_string();
        match api.try_send("POST", "/api/v1/events", JSON, Some(body.as_bytes())) {
            Ok(reply) if reply.status == 202 => self.note(wish, reply.expect(202)),
            Ok(reply) => {
                assert_eq!(reply.status, 503, "{}", reply.describe());
                self.unanswered = Some(wish);
            }
            Err(error) => {
                assert!(dying.load(Ordering::SeqCst), "a server that lives gave no answer: {error}");
                self.unanswered = Some(wish);
            }
        }
    }

    fn wish(&mut self, numbers: &AtomicU64) -> Wish {
        let count = if self.random.random_bool(0.1) { self.random.random_range(2..10) } else { 1 };
        let event = |_| {
            let event_type = EVENT_TYPES[usize::from(self.random.random_bool(0.4))];
            (numbers.fetch_add(1, Ordering::SeqCst), event_type)
        };
        Wish { began: Instant::now(), events: (0..count).map(event).collect() }
    }

    fn note(&mut self, wish: Wish, receipts: Vec<Receipt>) {
        let ended = Instant::now();
        assert_eq!(receipts.len(), wish.events.len(), "a receipt for each");
        for ((number, event_type), receipt) in wish.events.into_iter().zip(receipts) {
            assert_eq!(receipt.event, event_type);
            self.emissions.push(Emission { number, event_type, began: wish.began, ended, receipt });
        }
    }
}

impl Wish {
    /// A batch, each event under a key of its own.
    fn body(&self) -> Value {
        let event = |(number, event_type): &(u64, &str)| {
            json!({"event": event_type, "id": format!("n{number}"), "data": {"n": number},
                "timestamp": "2026-01-15T10:30:00Z"})
        };
        self.events.iter().map(event).collect()
    }
}
