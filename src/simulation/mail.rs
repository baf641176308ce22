//! The mail of a simulation: what is in the actors' mailboxes, and who waits for what.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;
use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::credit::Credit;
use crate::event::{Draft, Recorded};
use crate::id::{AccountNo, EventNo};
use crate::router::board::Told;
use crate::router::{Rotate, Subscribe, Which};
use crate::store::{self, Address};
use crate::subscriber::Report;
use crate::subscriber::question::Answer;
use crate::subscriber::slots::{Slot, Waiter};

/// Whose a mailbox is. Routers and shards are told apart by the run of the actors that they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    Router(u64),
    Shard(u64, usize),
    Subscriber(u64),
}

/// A caller's wish, by its number.
pub type WishNo = u64;

/// A message.
pub enum Mail {
    // To a router.
    Emit { drafts: Vec<Draft>, credit: Credit, wish: WishNo },
    Committed { events: Vec<Arc<Recorded>>, credits: Vec<Credit> },
    Subscribe(Box<Subscribe>, WishNo),
    Unsubscribe { account: AccountNo, which: Which, wish: WishNo },
    SetPaused { at: Address, paused: bool, wish: WishNo },
    Rotate(Box<Rotate>, WishNo),
    Replay { at: Address, wish: WishNo },
    Wake(Address),
    GiveUp(crate::shard::GiveUp),
    End,
    // To a shard.
    Told(Told, Option<Done>),
    Due(Vec<(Address, Timestamp)>),
    Share { deliveries: Vec<(Address, SmallVec<[Arc<Recorded>; 1]>)>, credits: Arc<Vec<Credit>> },
    Report(Report),
    Drain,
    Abandon,
    // To a subscriber.
    Forward { events: SmallVec<[Arc<Recorded>; 1]>, credits: Arc<Vec<Credit>> },
    Reload { verdict: bool },
    Hold(Option<Done>),
    Cut(Option<Done>),
    Retire,
    Yield,
    Turn(Slot<InLine>),
    Over { event: EventNo, end: crate::subscriber::End },
    Answered { number: u64, commit: u64, answer: Result<Answer, store::Error> },
    // To several.
    Again { at: Address, events: Vec<EventNo>, done: Done },
    Timer(u64),
}

/// Tells a caller, by being dropped, that something was done, or never will be.
pub struct Done {
    wish: WishNo,
    dropped: Dropped,
}

/// One who waits for a slot.
pub struct InLine {
    pub subscriber: u64,
    pub turns: Turns,
}

/// A task in flight, which is broken off by being dropped.
pub struct Task {
    pub number: u64,
    pub dropped: Dropped,
}

/// The turns that were given and not yet posted.
pub type Turns = Rc<RefCell<Vec<(u64, Slot<InLine>)>>>;

/// The numbers of what was dropped and not yet looked at.
pub type Dropped = Rc<RefCell<Vec<u64>>>;

/// All mailboxes; each is read in order, none before another.
#[derive(Default)]
pub struct Mailboxes {
    boxes: BTreeMap<Actor, VecDeque<Mail>>,
    /// Those with something in them.
    ready: Vec<Actor>,
}

impl Mailboxes {
    /// Gives an actor a mailbox.
    pub fn open(&mut self, actor: Actor) {
        self.boxes.insert(actor, VecDeque::new());
    }

    /// Takes the mailbox of an actor that has ended, and drops what is in it.
    pub fn close(&mut self, actor: Actor) {
        self.ready.retain(|other| *other != actor);
        drop(self.boxes.remove(&actor));
    }

    /// Posts a message; to an actor that has ended it is dropped.
    pub fn post(&mut self, actor: Actor, mail: Mail) {
        let Some(mailbox) = self.boxes.get_mut(&actor) else {
            return;
        };
        if mailbox.is_empty() {
            self.ready.push(actor);
        }
        mailbox.push_back(mail);
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    pub fn is_open(&self, actor: Actor) -> bool {
        self.boxes.contains_key(&actor)
    }

    /// Whose turn it is, and the message.
    pub fn take(&mut self, random: &mut StdRng) -> Option<(Actor, Mail)> {
        if self.ready.is_empty() {
            return None;
        }
        let place = random.random_range(0..self.ready.len());
        let actor = self.ready[place];
        let mailbox = self.boxes.get_mut(&actor).expect("the ready have mailboxes");
        let mail = mailbox.pop_front().expect("the ready have mail");
        if mailbox.is_empty() {
            self.ready.swap_remove(place);
        }
        Some((actor, mail))
    }
}

impl Done {
    pub fn new(wish: WishNo, dropped: &Dropped) -> Self {
        Self { wish, dropped: dropped.clone() }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push(self.wish);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push(self.number);
    }
}

impl Waiter for InLine {
    fn is_there(&self) -> bool {
        true
    }

    fn take_turn(self, slot: Slot<Self>) {
        self.turns.clone().borrow_mut().push((self.subscriber, slot));
    }
}

impl Mail {
    /// Its name, for the trace.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Emit { .. } => "emit",
            Self::Committed { .. } => "committed",
            Self::Subscribe(..) => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::SetPaused { paused: true, .. } => "pause",
            Self::SetPaused { .. } => "resume",
            Self::Rotate(..) => "rotate",
            Self::Replay { .. } => "replay",
            Self::Wake(_) => "wake",
            Self::GiveUp(_) => "give up",
            Self::End => "end",
            Self::Told(Told::Wake(_), _) => "told to wake",
            Self::Told(Told::Pause(_), _) => "told to pause",
            Self::Told(Told::Remove(_), _) => "told to remove",
            Self::Told(Told::Verdict(_), _) => "told the verdict",
            Self::Due(_) => "due",
            Self::Share { .. } => "share",
            Self::Report(Report::Idle { .. }) => "reports: idle",
            Self::Report(Report::GiveUp { .. }) => "reports: give up",
            Self::Report(Report::Died { .. }) => "reports: died",
            Self::Drain => "drain",
            Self::Abandon => "abandon",
            Self::Forward { .. } => "forward",
            Self::Reload { .. } => "reload",
            Self::Hold(_) => "hold",
            Self::Cut(_) => "cut",
            Self::Retire => "retire",
            Self::Yield => "yield",
            Self::Turn(_) => "turn",
            Self::Over { .. } => "over",
            Self::Answered { .. } => "answered",
            Self::Again { .. } => "again",
            Self::Timer(_) => "timer",
        }
    }
}
