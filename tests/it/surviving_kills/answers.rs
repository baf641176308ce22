//! The ledger of answers: every call that was made while the server was killed again and again, when it began and
//! ended, and what was answered. What the test knows, it knows from here.

use std::time::{Duration, Instant, SystemTime};

use crate::support::api::{Hook, Receipt};

/// One call about a hook.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which of its keeper's hooks it was about.
    pub place: usize,
    pub began: Instant,
    pub ended: Instant,
    pub wish: Wish,
    pub said: Said,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Subscribe {
        /// The secret that a new hook is to have.
        secret: Option<String>,
        replay: bool,
    },
    Unsubscribe,
    Look,
    Pause,
    Resume,
    Rotate {
        secret: String,
        overlap: Duration,
    },
    /// Dead letters, or all events of the last second.
    Replay {
        all: bool,
    },
    Retry {
        event: String,
    },
}

/// What was answered.
#[derive(Clone, Debug)]
pub enum Said {
    /// Nothing: the server was killed before. It may have been done or not.
    Nothing,
    /// 200, with the hook.
    Hook(Hook),
    /// 201, with the hook: it is new, or came back.
    Created(Hook),
    /// So many hooks are gone.
    Deleted(u64),
    /// 202: it is due.
    Queued,
    /// 404: there is no such thing.
    Missing,
    /// 409: the hook was given up.
    GivenUp,
}

/// An event with its receipt.
#[derive(Clone, Debug)]
pub struct Emission {
    pub number: u64,
    pub event_type: &'static str,
    /// When the first call with it began; one that a kill cut off is made again.
    pub began: Instant,
    pub ended: Instant,
    pub receipt: Receipt,
}

/// A kill: the server lived when it began and was gone when it ended.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub began: Instant,
    pub ended: Instant,
}

impl Kill {
    /// Whether it ended the server that sent a request over a connection of then, before one that arrived later.
    ///
    /// When a request was read says less: its receiver may get to that only after the kill.
    pub fn is_between(&self, connected: Instant, later: Instant) -> bool {
        connected < self.ended && self.began < later
    }
}

/// Where the two clocks stood at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    instant: Instant,
    wall: SystemTime,
}

impl Call {
    /// The hook as it was answered.
    pub fn hook(&self) -> Option<&Hook> {
        match &self.said {
            Said::Hook(hook) | Said::Created(hook) => Some(hook),
            _ => None,
        }
    }

    pub fn is_answered(&self) -> bool {
        !matches!(self.said, Said::Nothing)
    }

    /// Whether it may have deliveries made again that were made before.
    pub fn repeats(&self, event: &str) -> bool {
        match &self.wish {
            Wish::Replay { .. } | Wish::Subscribe { replay: true, .. } => true,
            Wish::Retry { event: retried } => retried == event,
            _ => false,
        }
    }
}

impl Clocks {
    pub fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago that was.
    pub fn elapsed(self) -> Duration {
        self.instant.elapsed()
    }

    /// The moment on the wall clock, in seconds since 1970.
    pub fn seconds(self, at: Instant) -> f64 {
        let wall = self.wall.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
        match at.checked_duration_since(self.instant) {
            Some(later) => wall + later.as_secs_f64(),
            None => wall - self.instant.duration_since(at).as_secs_f64(),
        }
    }
}
