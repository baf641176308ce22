//! The world of a simulation: its clock, what happens later, and the order in which things happen.
//!
//! One thread, one source of chance. Whatever is ready may be next; when nothing is, the clock jumps to what comes next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::clock::{Now, Timestamp};
use crate::credit::{Contention, Credits};
use crate::id::SubscriptionNo;
use crate::metrics::Metrics;
use crate::store::Answer;
use crate::store::memory::Memory;
use crate::subscriber::slots::Slots;

use super::actors::{Actors, Flying};
use super::mail::{Actor, Dropped, InLine, Mail, Mailboxes, Turns, WishNo};
use super::oracle::Oracle;
use super::receivers::Mood;
use super::rules::Rules;
use super::trace::Trace;
use super::wishes::Callers;
use super::writer::{Asked, Writer};

/// Everything there is.
pub struct World {
    pub seed: u64,
    pub random: StdRng,
    pub rules: Rules,
    pub trace: Trace,
    pub elapsed: u64,
    /// What the wall clock would have shown at the beginning, as it is set now.
    pub wall: u64,
    /// The same of the steady clock, which begins anew with the process.
    pub steady: u64,
    /// Where the steady clock stood when something was last committed.
    pub seen: Timestamp,
    later: BTreeMap<(u64, u64), Later>,
    posted: u64,
    pub store: Memory,
    pub writer: Writer,
    pub readers: VecDeque<Asked>,
    pub mail: Mailboxes,
    pub actors: Actors,
    /// Attempts in flight, or over and not yet heard of.
    pub flying: BTreeMap<u64, Flying>,
    pub slots: Slots<InLine>,
    pub turns: Turns,
    pub dropped_tasks: Dropped,
    pub dropped_wishes: Dropped,
    pub credits: Credits,
    pub metrics: Metrics,
    pub moods: Vec<Mood>,
    pub callers: Callers,
    pub oracle: Oracle,
    /// Nothing is wished and nothing fails any more.
    pub is_calm: bool,
}

/// How often it is looked whether a calm is over, in milliseconds.
pub const CALM_MS: u64 = 10_000;

/// What the clocks show at first.
const BEGINNING: u64 = 1_700_000_000_000;

/// What happens at its time.
pub enum Later {
    Wish,
    Fault,
    Mood,
    Committed,
    Post(Actor, Mail),
    Ask(Asked),
    Timer(Actor, u64),
    Found {
        task: u64,
        is_there: bool,
    },
    Over {
        task: u64,
    },
    Answered(WishNo, Option<Vec<Answer>>),
    /// The runtime notices that something failed.
    Restart,
    /// The store is to be opened again.
    Recover,
    /// Callers reach the router of this run.
    Serve(u64),
    /// The process stops once nothing is in flight, or by then.
    Stop {
        until: u64,
    },
    /// The process starts.
    Boot,
}

impl World {
    /// The world of a seed, with a process that starts.
    pub fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let rules = Rules::draw(&mut random);
        let receivers = rules.hooks.div_ceil(2);
        let mut world = Self {
            seed,
            trace: Trace::default(),
            elapsed: 0,
            wall: BEGINNING,
            steady: BEGINNING,
            seen: Timestamp(0),
            later: BTreeMap::new(),
            posted: 0,
            store: Memory::default(),
            writer: Writer::default(),
            readers: VecDeque::new(),
            mail: Mailboxes::default(),
            actors: Actors::default(),
            flying: BTreeMap::new(),
            slots: Slots::new(rules.slots),
            turns: Turns::default(),
            dropped_tasks: Dropped::default(),
            dropped_wishes: Dropped::default(),
            credits: credits(&rules),
            metrics: Metrics::new(),
            moods: vec![Mood::Well; receivers],
            callers: Callers::new(rules.hooks),
            oracle: Oracle::default(),
            is_calm: false,
            random,
            rules,
        };
        world.later(0, Later::Boot);
        for later in [Later::Wish, Later::Fault, Later::Mood] {
            world.later(1, later);
        }
        world
    }

    /// The steady clock.
    pub fn now(&self) -> Timestamp {
        self.clock().steady
    }

    /// Both clocks.
    pub fn clock(&self) -> Now {
        let at = |beginning| Timestamp(beginning + self.elapsed);
        Now { wall: at(self.wall), steady: at(self.steady) }
    }

    /// Notes a step.
    pub fn note(&mut self, what: &'static str, numbers: [u64; 3]) {
        self.trace.note(self.elapsed, what, numbers);
    }

    /// Has something happen so many milliseconds later.
    pub fn later(&mut self, after: u64, later: Later) {
        self.posted += 1;
        self.later.insert((self.elapsed + after, self.posted), later);
    }

    /// How long a message is on its way between threads.
    pub fn delay(&mut self) -> u64 {
        self.random.random_range(0..=self.rules.delay_ms)
    }

    /// Forgets all that was to happen within the process.
    pub fn forget_later(&mut self) {
        self.later.retain(|_, later| matches!(later, Later::Wish | Later::Fault | Later::Mood));
    }

    /// Whether nothing is to happen but what always does.
    pub fn later_is_idle(&self) -> bool {
        self.later.values().all(|later| match later {
            Later::Wish | Later::Fault | Later::Mood => true,
            Later::Timer(actor, _) => !self.mail.is_open(*actor),
            _ => false,
        })
    }

    /// One step.
    pub fn step(&mut self) {
        self.sweep();
        let choice = self.random.random_range(0..100);
        if choice < 75 && !self.mail.is_empty() {
            return self.read_mail();
        }
        if choice < 90 && self.writer.is_ready() {
            return self.begin_commit();
        }
        if choice < 98 && !self.readers.is_empty() {
            return self.read();
        }
        let at_rest = self.mail.is_empty() && self.writer.is_at_rest() && self.readers.is_empty();
        let next = self.later.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
        let is_busy = !self.mail.is_empty() || self.writer.is_ready() || !self.readers.is_empty();
        if is_busy && next > self.elapsed + 50 {
            return;
        }
        if at_rest && next > self.elapsed + 100 {
            self.look_round(next);
        }
        self.let_time_pass();
    }

    /// At rest, all that can be done must be under way.
    fn look_round(&mut self, next: u64) {
        if self.writer.has_failed || self.actors.current.is_none() {
            return;
        }
        let (now, elapsed) = (self.now(), self.elapsed);
        let busy = self.actors.busy(self.rules.shards);
        let finds_a_place = |no: SubscriptionNo| busy[no.0 as usize % busy.len()] < self.rules.running;
        self.oracle.rests(&self.store, self.slots.usage(), finds_a_place, now, elapsed, next);
    }

    /// Goes on to what happens next.
    fn let_time_pass(&mut self) {
        let Some(((at, _), later)) = self.later.pop_first() else {
            panic!("nothing will ever happen again");
        };
        self.elapsed = at;
        match later {
            Later::Wish => self.wish(),
            Later::Fault => self.fail(),
            Later::Mood => self.change_mood(),
            Later::Committed => self.end_commit(),
            Later::Post(actor, mail) => self.mail.post(actor, mail),
            Later::Ask(asked) => self.ask(asked),
            Later::Timer(actor, timer) => self.mail.post(actor, Mail::Timer(timer)),
            Later::Found { task, is_there } => self.found(task, is_there),
            Later::Over { task } => self.land(task, true),
            Later::Answered(wish, answers) => self.answered(wish, answers),
            Later::Restart => self.restart(),
            Later::Recover => self.writer.queue.push_back(super::writer::Request::Recover),
            Later::Serve(run) => self.serve(run),
            Later::Stop { until } => self.stop(until),
            Later::Boot => self.boot(),
        }
    }

    fn change_mood(&mut self) {
        let receiver = self.random.random_range(0..self.moods.len());
        let again = match self.is_calm {
            true => CALM_MS,
            false => {
                self.moods[receiver] = Mood::draw(&mut self.random, &self.rules);
                self.random.random_range(0..=self.rules.fault_ms / 2)
            }
        };
        self.later(again, Later::Mood);
    }

    /// Posts the turns that were given, breaks off the tasks and notes the wishes that were dropped.
    pub fn sweep(&mut self) {
        loop {
            let turns = std::mem::take(&mut *self.turns.borrow_mut());
            let mut tasks = std::mem::take(&mut *self.dropped_tasks.borrow_mut());
            let mut wishes = std::mem::take(&mut *self.dropped_wishes.borrow_mut());
            if turns.is_empty() && tasks.is_empty() && wishes.is_empty() {
                return;
            }
            for (subscriber, slot) in turns {
                self.mail.post(Actor::Subscriber(subscriber), Mail::Turn(slot));
            }
            tasks.sort_unstable();
            tasks.into_iter().for_each(|task| self.let_go(task));
            wishes.sort_unstable();
            wishes.into_iter().for_each(|wish| self.heard(wish));
        }
    }
}

/// Credits by a clock that stands still: what a real one says, a seed would not repeat.
pub fn credits(rules: &Rules) -> Credits {
    let still = Instant::now();
    Credits::sharing(rules.credits, 1 << 20, Contention::new(1, move || still))
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { trace, seed, .. } = self;
            eprintln!("{trace}\nHOOKYARD_SIM_SEED={seed} repeats it");
        }
    }
}
