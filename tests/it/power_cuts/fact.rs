//! What a server was asked and has answered, and what its receivers got, each with the disk's operations until then.
//!
//! Everything that was answered before a power cut has to be there after it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A fact, and how many operations the disk had seen when it was one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noted {
    pub position: usize,
    pub fact: Fact,
}

/// Hooks are named by their URL's path, events and keys by their ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Fact {
    /// From now on the hook may be so.
    Wished {
        hook: String,
        state: State,
    },
    /// The hook is so, as was wished last; that was answered.
    Answered {
        hook: String,
        state: State,
    },
    /// The event has a receipt, and goes to these hooks.
    Receipt {
        event: String,
        hooks: Vec<String>,
    },
    /// The receiver has the event, and answers this.
    Arrived {
        hook: String,
        event: String,
        status: u16,
    },
    KeyMade {
        key: String,
    },
    KeyToBeDeleted {
        key: String,
    },
    KeyDeleted {
        key: String,
    },
    /// The admin key that a first start has written to its file.
    AdminKey {
        text: String,
    },
}

/// How a hook is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Subscribed { status: String, secret: String },
    Gone,
}

/// Takes facts, and gives each its position.
pub struct Notes {
    counter: PathBuf,
    take: Box<dyn Fn(Noted) + Send + Sync>,
}

impl Notes {
    /// Facts of what is on a disk with this counter.
    pub fn new(counter: PathBuf, take: impl Fn(Noted) + Send + Sync + 'static) -> Self {
        Self { counter, take: Box::new(take) }
    }

    pub fn note(&self, fact: Fact) {
        let position = std::fs::metadata(&self.counter).expect("the disk is mounted").len() as usize;
        (self.take)(Noted { position, fact });
    }

    pub fn wished(&self, hook: &str, state: &State) {
        self.note(Fact::Wished { hook: hook.to_owned(), state: state.clone() });
    }

    pub fn answered(&self, hook: &str, state: &State) {
        self.note(Fact::Answered { hook: hook.to_owned(), state: state.clone() });
    }
}

impl State {
    pub fn active(secret: &str) -> Self {
        Self::Subscribed { status: "active".to_owned(), secret: secret.to_owned() }
    }

    pub fn paused(secret: &str) -> Self {
        Self::Subscribed { status: "paused".to_owned(), secret: secret.to_owned() }
    }

    pub fn deactivated(secret: &str) -> Self {
        Self::Subscribed { status: "deactivated".to_owned(), secret: secret.to_owned() }
    }
}
