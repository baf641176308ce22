//! The condition of the store: whether it takes what is new, as every thread may ask at any time.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// The condition of one store.
#[derive(Debug, Default)]
pub struct Condition {
    state: AtomicU8,
    failure: Notify,
}

/// How a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes everything.
    Sound,
    /// The disk is nearly full: no events are taken; what makes do with little room is.
    Full,
    /// It takes nothing until it has been opened again.
    Failed,
}

impl Condition {
    /// How the store is.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            SOUND => State::Sound,
            FULL => State::Full,
            _ => State::Failed,
        }
    }

    /// Notes how the store is; says whether that is new. Whoever waits for a failure is told of one.
    pub fn set(&self, state: State) -> bool {
        let code = match state {
            State::Sound => SOUND,
            State::Full => FULL,
            State::Failed => FAILED,
        };
        let is_new = self.state.swap(code, Ordering::AcqRel) != code;
        if state == State::Failed {
            self.failure.notify_one();
        }
        is_new
    }

    /// Returns once the store has failed; one caller at a time may wait.
    pub async fn failure(&self) {
        while self.state() != State::Failed {
            self.failure.notified().await;
        }
    }
}

const SOUND: u8 = 0;
const FULL: u8 = 1;
const FAILED: u8 = 2;
