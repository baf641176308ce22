//! The questions that a subscriber has for the store, and their answers.

use crate::health::Health;
use crate::id::EventNo;
use crate::store::{self, Address, Backlog, Lane, Lanes, Reader};
use crate::subscriber::retries::RETRIES_LIMIT;
use crate::subscription::Subscription;

/// A question to the store.
#[derive(Debug)]
pub enum Question {
    /// The record and, where a stretch of the backlog is wanted, all that waits.
    Start { at: Address, wanted: Lanes<Option<Stretch>> },
    /// More of the backlog in a lane.
    More { subscription: Box<Subscription>, lane: Lane, wanted: Stretch },
}

/// From which event on, and how much.
pub type Stretch = (EventNo, usize);

/// What the store knows.
#[derive(Debug)]
pub enum Answer {
    Start(Box<Loaded>),
    More(Lane, Backlog),
}

/// What is there to begin with.
#[derive(Debug)]
pub struct Loaded {
    pub subscription: Option<Subscription>,
    pub health: Health,
    pub retries: Lanes<store::Retries>,
    pub backlog: Lanes<Option<Backlog>>,
}

impl Question {
    /// Whether what is queued to the writer matters to the answer.
    pub fn is_after_writes(&self) -> bool {
        !matches!(self, Self::Start { wanted: Lanes { fresh: None, replay: None }, .. })
    }

    /// Puts the question.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn put(self, reader: &dyn Reader) -> Result<Answer, store::Error> {
        match self {
            Self::Start { at, wanted } => {
                Loaded::read(reader, at, wanted).map(|loaded| Answer::Start(Box::new(loaded)))
            }
            Self::More { subscription, lane, wanted: (after, limit) } => {
                reader.backlog(&subscription, lane, after, limit).map(|backlog| Answer::More(lane, backlog))
            }
        }
    }
}

impl Loaded {
    fn read(reader: &dyn Reader, at: Address, wanted: Lanes<Option<Stretch>>) -> Result<Self, store::Error> {
        let subscription = reader.subscription(at)?;
        let health = reader.health(at.subscription)?;
        let mut loaded = Self { subscription, health, retries: Lanes::default(), backlog: Lanes::default() };
        let Some(subscription) = &loaded.subscription else {
            return Ok(loaded);
        };
        for lane in Lane::ALL {
            if let Some((after, limit)) = wanted[lane] {
                loaded.backlog[lane] = Some(reader.backlog(subscription, lane, after, limit)?);
            }
        }
        if loaded.has_backlog() {
            loaded.retries = reader.retries(subscription, RETRIES_LIMIT)?;
        }
        Ok(loaded)
    }

    /// Whether it says what waits.
    pub fn has_backlog(&self) -> bool {
        self.backlog.fresh.is_some() || self.backlog.replay.is_some()
    }
}
