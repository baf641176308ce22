//! The receivers of a simulation: each has its mood, which decides what a request meets and after how long.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::attempt::{ErrorKind, Outcome};

use super::rules::{Rules, TIMEOUT_MS};

/// How a receiver is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// It takes seconds.
    Slow,
    /// Half of what it gets fails, with 500.
    Flaky,
    /// 500.
    Broken,
    /// The connection is refused.
    Down,
    /// No answer comes.
    Hanging,
    /// 429 or 503, and it asks for so many seconds.
    Busy(u32),
    /// 404: it speaks against the event.
    Refusing,
    /// 410.
    Gone,
}

impl Mood {
    /// Draws one.
    pub fn draw(random: &mut StdRng, rules: &Rules) -> Self {
        if random.random_range(0..100) >= rules.roughness {
            return if random.random_range(0..4) == 0 { Self::Slow } else { Self::Well };
        }
        match random.random_range(0..16) {
            0..4 => Self::Flaky,
            4..8 => Self::Broken,
            8 | 9 => Self::Down,
            10 => Self::Hanging,
            11..14 => Self::Busy(random.random_range(0..5_000)),
            14 => Self::Refusing,
            _ => Self::Gone,
        }
    }

    /// What a request meets, and after how many milliseconds.
    pub fn meet(self, random: &mut StdRng) -> (Outcome, u64) {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        let quick = random.random_range(0..100);
        match self {
            Self::Well => (answered(200), quick),
            Self::Slow => (answered(204), random.random_range(1_000..TIMEOUT_MS)),
            Self::Flaky => (answered(if random.random() { 500 } else { 200 }), quick),
            Self::Broken => (answered(500), quick),
            Self::Down => (Outcome::Failed(ErrorKind::Connect), 0),
            Self::Hanging => (Outcome::Failed(ErrorKind::Timeout), TIMEOUT_MS),
            Self::Busy(seconds) => {
                let status = if random.random() { 429 } else { 503 };
                let retry_after = Some(Duration::from_secs(seconds.into()));
                (Outcome::Answered { status, retry_after }, quick)
            }
            Self::Refusing => (answered(404), quick),
            Self::Gone => (answered(410), quick),
        }
    }
}
