//! Retention: what is older than it must be kept, or more than it may be, is let go of in small steps.
//!
//! A pass goes through the event blocks below the cursor, oldest first, a window at a time. It chooses the blocks that
//! are to expire; surveys which of their events have deliveries to come, and ends their dead letters on the way; drops
//! the rest; then forgets the attempts of that time, and its chapters. An event with deliveries to come is kept for those alone. One
//! whose idempotency key is remembered is not touched, nor are its deliveries.
//!
//! Each step is one batch that is true by itself. How far a pass is, is in memory alone: after a crash it begins anew.
//! The room of what was dropped is free once the log is cleaned, by segments; sled's file does not shrink.

mod dropping;
mod forgetting;
mod survey;
mod window;

use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::ledger::retention::survey::Survey;
use crate::store::ledger::retention::window::{Extent, Window};
use crate::store::ledger::shared::Shared;
use crate::store::{Error, Untidy};
use crate::subscription::Generation;

/// How many rows a step reads or deletes: commits wait for it.
///
/// In tests a step is so small that a pass has many.
const STEP_ROWS: usize = if cfg!(test) { 2 } else { 128 };
/// How much longer than it worked a pass rests, so that commits have the disk for most of the time.
const REST: u32 = if cfg!(test) { 0 } else { 4 };
/// How much longer it takes until what a pass had to keep is looked at again, and how long at least.
const REVISIT: u32 = if cfg!(test) { 0 } else { 50 };
const REVISIT_AT_LEAST: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 5 });

/// How long, and how much, of the past is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How long events, attempts and dead letters are kept; without it, for ever.
    pub age: Option<Duration>,
    /// How many bytes of events and attempts are kept before the oldest go early; without it, any number.
    pub bytes: Option<u64>,
}

/// What is under way.
pub struct Retention {
    policy: Policy,
    stage: Stage,
    /// Where the next window begins.
    position: u64,
    /// When a pass begins with what the ones before it had to keep.
    revisit: Option<Instant>,
    /// Whether this pass did.
    revisits: bool,
    /// How long this pass has worked.
    worked: Duration,
}

enum Stage {
    Resting {
        until: Option<Instant>,
    },
    Choosing(Window),
    Surveying(Window, Survey),
    Dropping(Window),
    /// Attempts of earlier commits than this, then on to the next window unless this was the last.
    Forgetting {
        before: u64,
        last: bool,
    },
}

/// What every step needs to know.
struct Step<'a> {
    shared: &'a Shared,
    policy: Policy,
    next_commit: u64,
    now: Timestamp,
}

impl Retention {
    /// Nothing under way.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            stage: Stage::Resting { until: None },
            position: 0,
            revisit: None,
            revisits: false,
            worked: Duration::ZERO,
        }
    }

    /// Forgets what is under way if it has to do with an event whose block is written anew; the next step begins a new pass.
    pub fn forget_pass_over(&mut self, event: EventNo) {
        if let Stage::Choosing(window) | Stage::Surveying(window, _) | Stage::Dropping(window) = &self.stage
            && window.events().contains(&event.0)
        {
            self.forget_pass();
        }
    }

    /// Forgets what is under way; the next step begins a new pass.
    pub fn forget_pass(&mut self) {
        *self = Self::new(self.policy);
    }

    /// Tells a pass that an event has a delivery to come that its survey may have missed.
    pub fn keep(&mut self, event: EventNo, subscription: SubscriptionNo, generation: Generation) {
        if let Stage::Surveying(window, _) | Stage::Dropping(window) = &mut self.stage {
            window.keep(event, subscription, generation);
        }
    }

    /// Takes the next small step.
    ///
    /// What it writes becomes durable with the next commit, all of the step or nothing of it.
    pub fn step(&mut self, shared: &Shared, next_commit: u64, now: Timestamp) -> Result<Untidy, Error> {
        let began = Instant::now();
        if self.policy == Policy::default() || self.stage.is_resting(began) {
            return Ok(Untidy::Nothing);
        }
        let step = Step { shared, policy: self.policy, next_commit, now };
        let stage = std::mem::replace(&mut self.stage, Stage::Resting { until: None });
        self.stage = self.advance(stage, &step)?;
        self.worked += began.elapsed();
        match self.stage {
            Stage::Resting { .. } => {
                self.rest();
                Ok(Untidy::Nothing)
            }
            _ => Ok(Untidy::Some),
        }
    }

    fn advance(&mut self, stage: Stage, step: &Step<'_>) -> Result<Stage, Error> {
        Ok(match stage {
            Stage::Resting { .. } => Stage::Choosing(self.begin()),
            Stage::Choosing(mut window) => match step.choose(&mut window)? {
                Extent::Growing => Stage::Choosing(window),
                Extent::Whole if window.is_empty() => self.forget(&window, step)?,
                Extent::Whole => Stage::Surveying(window, Survey::default()),
            },
            Stage::Surveying(mut window, mut survey) => match step.survey(&mut window, &mut survey)? {
                true => Stage::Surveying(window, survey),
                false => Stage::Dropping(window),
            },
            Stage::Dropping(mut window) => match step.drop_some(&mut window)? {
                true => Stage::Dropping(window),
                false => self.forget(&window, step)?,
            },
            Stage::Forgetting { before, last } => {
                if step.forget_some(before)? || step.forget_chapters(self.position)? {
                    return Ok(Stage::Forgetting { before, last });
                }
                match last {
                    true => Stage::Resting { until: None },
                    false => Stage::Choosing(Window::beginning_at(self.position)),
                }
            }
        })
    }

    fn begin(&mut self) -> Window {
        self.revisits = self.revisit.is_none_or(|at| at <= Instant::now());
        self.worked = Duration::ZERO;
        if self.revisits {
            self.position = 0;
        }
        Window::beginning_at(self.position)
    }

    /// Moves on behind a window: attempts of before what follows it are to be forgotten.
    fn forget(&mut self, window: &Window, step: &Step<'_>) -> Result<Stage, Error> {
        self.position = window.end();
        Ok(Stage::Forgetting { before: step.commit_at(self.position)?, last: window.is_last() })
    }

    fn rest(&mut self) {
        let now = Instant::now();
        self.stage = Stage::Resting { until: Some(now + REST * self.worked) };
        if self.revisits {
            self.revisit = Some(now + REVISIT_AT_LEAST.max(REVISIT * self.worked));
        }
    }
}

impl Stage {
    fn is_resting(&self, now: Instant) -> bool {
        matches!(self, Self::Resting { until: Some(until) } if now < *until)
    }
}

impl Step<'_> {
    /// Whether what happened then is older than anything must be kept.
    fn is_old(&self, at: Timestamp) -> bool {
        self.policy.age.is_some_and(|age| at.after(age) < self.now)
    }

    /// How many bytes are more than there may be.
    fn excess(&self, bytes: u64) -> u64 {
        self.policy.bytes.map_or(0, |allowed| bytes.saturating_sub(allowed))
    }
}
