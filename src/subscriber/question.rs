//! The questions that a subscriber has for the store, and their answers.

use crate::health::Health;
use crate::id::EventNo;
use crate::store::{self, Address, Backlog, Reader};
use crate::subscriber::retries::RETRIES_LIMIT;
use crate::subscription::Subscription;

/// A question to the store.
#[derive(Debug)]
pub enum Question {
    /// The record and, where a stretch of the backlog is wanted, all that waits.
    Start { at: Address, wanted: Option<Stretch> },
    /// More of the backlog.
    More { subscription: Box<Subscription>, wanted: Stretch },
}

/// From which event on, and how much.
pub type Stretch = (EventNo, usize);

/// What the store knows.
#[derive(Debug)]
pub enum Answer {
    Start(Box<Loaded>),
    More(Backlog),
}

/// What is there to begin with.
#[derive(Debug)]
pub struct Loaded {
    pub subscription: Option<Subscription>,
    pub health: Health,
    pub retries: store::Retries,
    pub backlog: Option<Backlog>,
}

impl Question {
    /// Whether what is queued to the writer matters to the answer.
    pub fn is_after_writes(&self) -> bool {
        !matches!(self, Self::Start { wanted: None, .. })
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
            Self::More { subscription, wanted: (after, limit) } => {
                reader.backlog(&subscription, after, limit).map(Answer::More)
            }
        }
    }
}

impl Loaded {
    fn read(reader: &dyn Reader, at: Address, wanted: Option<Stretch>) -> Result<Self, store::Error> {
        let subscription = reader.subscription(at)?;
        let health = reader.health(at.subscription)?;
        let (mut retries, mut backlog) = (store::Retries::default(), None);
        if let (Some(subscription), Some((after, limit))) = (&subscription, wanted) {
            retries = reader.retries(subscription, RETRIES_LIMIT)?;
            backlog = Some(reader.backlog(subscription, after, limit)?);
        }
        Ok(Self { subscription, health, retries, backlog })
    }
}
