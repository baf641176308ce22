//! The far side of a hook: a receiver with a temper, and what it was sent and answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::receiver::{Received, Receiver};

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Takes everything.
    Steady,
    /// Takes everything, and its time.
    Slow,
    /// Refuses one request in five.
    Flaky,
    /// Breaks for so many requests in a row that it is probed, then takes everything for a while.
    Moody,
    /// Refuses everything, and sometimes says that it is gone for good.
    Dead,
}

/// A receiver with a temper.
pub struct FarSide {
    pub temper: Temper,
    receiver: Receiver,
    answers: Arc<Mutex<HashMap<usize, Answered>>>,
    mended: Arc<AtomicBool>,
}

/// What a request was answered with, and when.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub status: u16,
    pub at: Instant,
}

/// A request and its answer.
pub struct Arrival {
    pub request: Received,
    /// Nothing where the connection broke before.
    pub answered: Option<Answered>,
    /// The event's id.
    pub event: String,
    pub event_type: String,
    /// The number that the event was emitted with.
    pub number: u64,
    /// The second in which it was signed.
    pub signed_at: u64,
}

impl Temper {
    /// Whether a hook with such a receiver may be given up.
    pub fn may_be_given_up(self) -> bool {
        !matches!(self, Self::Steady | Self::Slow)
    }

    /// The status of the answer to the request with this index, and how long it takes.
    fn answer(self, seed: u64, index: usize) -> (u16, Duration) {
        let mut random = StdRng::seed_from_u64(seed ^ (index as u64) << 20);
        let quick = Duration::from_micros(random.random_range(0..3_000));
        match self {
            Self::Steady => (200, quick),
            Self::Slow => (204, Duration::from_millis(random.random_range(20..120))),
            Self::Flaky => (if random.random_bool(0.2) { 500 } else { 202 }, quick),
            Self::Moody => (if index % 60 < 7 { 503 } else { 200 }, quick),
            Self::Dead => (if random.random_bool(0.02) { 410 } else { 500 }, quick),
        }
    }
}

impl FarSide {
    pub fn new(temper: Temper, seed: u64) -> Self {
        let answers: Arc<Mutex<HashMap<usize, Answered>>> = Arc::default();
        let mended = Arc::new(AtomicBool::new(false));
        let (book, is_mended) = (answers.clone(), mended.clone());
        let receiver = Receiver::answering_with(move |request| {
            let (status, takes) = temper.answer(seed, request.index);
            thread::sleep(takes);
            let status = if is_mended.load(Ordering::Relaxed) { 200 } else { status };
            let answered = Answered { status, at: Instant::now() };
            book.lock().expect("no answering panics").insert(request.index, answered);
            status
        });
        Self { temper, receiver, answers, mended }
    }

    pub fn url(&self) -> String {
        self.receiver.url("/")
    }

    /// Takes everything from now on.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::Relaxed);
    }

    /// Every request so far, in the order in which they arrived.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let answers = self.answers.lock().expect("no answering panics").clone();
        let arrival = |request: Received| {
            let body = request.json();
            Arrival {
                answered: answers.get(&request.index).copied(),
                event: request.webhook_id().to_owned(),
                event_type: body["event"].as_str().expect("its type").to_owned(),
                number: body["data"]["n"].as_u64().expect("the number it was emitted with"),
                signed_at: request.header("webhook-timestamp").parse().expect("seconds"),
                request,
            }
        };
        self.receiver.requests().into_iter().map(arrival).collect()
    }
}

impl Arrival {
    pub fn arrived(&self) -> Instant {
        self.request.arrived
    }

    pub fn status(&self) -> Option<u16> {
        self.answered.map(|answered| answered.status)
    }

    /// Whether it was answered that the event is taken.
    pub fn is_taken(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }
}
