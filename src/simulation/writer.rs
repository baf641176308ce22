//! The writer of a simulation: group commits that take virtual time, on the model of the store. A crash takes what was
//! not committed with it, and of a commit under way all or nothing remains.

use std::collections::VecDeque;

use rand::RngExt;

use crate::credit::Credit;
use crate::id::EventNo;
use crate::store::readers::gone;
use crate::store::writer::Verbs;
use crate::store::{Backend, Change, Follows, Replay, Verb};
use crate::subscriber::question::Question;

use super::mail::{Actor, Mail, WishNo};
use super::world::{Later, World};

/// What is queued, and what is under way.
#[derive(Default)]
pub struct Writer {
    pub queue: VecDeque<Request>,
    under_way: Option<Batch>,
    /// It takes nothing until it is recovered.
    pub has_failed: bool,
    /// The next commit is to fail.
    pub is_to_fail: bool,
    /// The run of the actors that hears of commits.
    pub listener: Option<u64>,
    pub commits: u64,
}

/// What is queued to the writer.
pub enum Request {
    Write { verbs: Verbs, credit: Option<Credit>, wish: Option<WishNo> },
    Read(Asked),
    Recover,
}

/// A question to the store.
pub enum Asked {
    Question {
        subscriber: u64,
        number: u64,
        question: Question,
    },
    /// The event of an attempt.
    Event {
        task: u64,
        event: EventNo,
    },
}

#[derive(Default)]
struct Batch {
    verbs: Vec<Verb>,
    callers: Vec<(usize, Option<WishNo>)>,
    credits: Vec<Credit>,
    reads: Vec<Asked>,
}

impl Writer {
    /// Whether there is something to begin with.
    pub fn is_ready(&self) -> bool {
        self.under_way.is_none() && !self.queue.is_empty()
    }

    /// Whether nothing is queued or under way.
    pub fn is_at_rest(&self) -> bool {
        self.under_way.is_none() && self.queue.is_empty()
    }
}

impl World {
    /// Queues verbs.
    pub fn write(&mut self, verbs: Verbs, credit: Option<Credit>, wish: Option<WishNo>) {
        self.writer.queue.push_back(Request::Write { verbs, credit, wish });
    }

    /// Begins a commit of what is queued, up to a recovery.
    pub fn begin_commit(&mut self) {
        let mut batch = Batch::default();
        while let Some(request) = self.writer.queue.pop_front() {
            match request {
                Request::Write { verbs, credit, wish } => {
                    batch.callers.push((verbs.len(), wish));
                    batch.verbs.extend(verbs);
                    batch.credits.extend(credit);
                }
                Request::Read(asked) => batch.reads.push(asked),
                Request::Recover if batch.callers.is_empty() && batch.reads.is_empty() => {
                    return self.recover();
                }
                Request::Recover => {
                    self.writer.queue.push_front(Request::Recover);
                    break;
                }
            }
        }
        self.note("commit begins", [batch.verbs.len() as u64, batch.reads.len() as u64, 0]);
        self.writer.under_way = Some(batch);
        let takes = self.random.random_range(0..=self.rules.commit_ms);
        self.later(takes, Later::Committed);
    }

    /// Ends the commit that is under way.
    pub fn end_commit(&mut self) {
        let Some(batch) = self.writer.under_way.take() else {
            return;
        };
        if std::mem::take(&mut self.writer.is_to_fail) && !batch.verbs.is_empty() {
            self.note("the store fails", [0; 3]);
            self.writer.has_failed = true;
            self.writer.listener = None;
            let notices = self.delay();
            self.later(notices, Later::Restart);
        }
        let has_failed = self.writer.has_failed;
        let answers = if has_failed { Vec::new() } else { self.commit(&batch.verbs, batch.credits) };
        let mut answers = answers.into_iter();
        for (count, wish) in batch.callers {
            let own: Vec<_> = answers.by_ref().take(count).collect();
            if let Some(wish) = wish {
                let delay = self.delay();
                self.later(delay, Later::Answered(wish, (!has_failed).then_some(own)));
            }
        }
        self.readers.extend(batch.reads);
    }

    fn commit(&mut self, verbs: &[Verb], credits: Vec<Credit>) -> Vec<crate::store::Answer> {
        self.writer.commits += 1;
        let commit = self.writer.commits;
        self.seen = self.now();
        let committed = self.store.commit(verbs.to_vec(), self.clock()).expect("the model never fails");
        verbs.iter().for_each(|verb| self.oracle.commits(verb, commit));
        committed.answers.iter().for_each(|answer| self.oracle.answers(answer, &self.store));
        for verb in verbs {
            self.note_verb(verb);
        }
        self.note("committed", [commit, verbs.len() as u64, committed.fresh.len() as u64]);
        if let Some(run) = self.writer.listener.filter(|_| !committed.fresh.is_empty()) {
            self.mail.post(Actor::Router(run), Mail::Committed { events: committed.fresh, credits });
        }
        committed.answers
    }

    fn note_verb(&mut self, verb: &Verb) {
        match verb {
            Verb::Append(drafts) => self.note("  append", [drafts.len() as u64, 0, 0]),
            Verb::Settle(settlement) => {
                let is_done = settlement.follows == Follows::Done;
                self.note("  settle", [settlement.at.subscription.0, settlement.event.0, u64::from(is_done)]);
            }
            Verb::Subscribe(new) => self.note("  subscribe", [new.subscription.no.0, 0, 0]),
            Verb::Change(at, change) => {
                let what = match change {
                    Change::Pause => "  pause",
                    Change::Resume => "  resume",
                    Change::Deactivate { .. } => "  deactivate",
                    Change::Reactivate { .. } => "  reactivate",
                    Change::Replay => "  replay",
                    Change::SetHeaders(_) => "  set headers",
                    Change::Edit(_) => "  edit",
                };
                self.note(what, [at.subscription.0, 0, 0]);
            }
            Verb::Replay(Replay { at, events, .. }) => {
                self.note("  deliver again", [at.subscription.0, events[0].0.0, events.len() as u64]);
            }
            Verb::Unsubscribe(at) => self.note("  unsubscribe", [at.subscription.0, 0, 0]),
            _ => {}
        }
    }

    /// The process is gone: so is what was queued. What was under way is there as a whole, or not at all.
    pub fn lose_writes(&mut self) {
        let under_way = self.writer.under_way.take();
        self.writer.queue.clear();
        self.readers.clear();
        self.writer.listener = None;
        if let Some(batch) = under_way
            && !self.writer.has_failed
            && self.random.random()
        {
            self.commit(&batch.verbs, Vec::new());
        }
        (self.writer.has_failed, self.writer.is_to_fail) = (false, false);
    }

    /// Answers the question that has waited for longest.
    pub fn read(&mut self) {
        let Some(asked) = self.readers.pop_front() else {
            return;
        };
        let is_broken = self.writer.has_failed && self.random.random();
        let delay = self.delay();
        match asked {
            Asked::Question { subscriber, number, question } => {
                let answer = if is_broken { Err(gone()) } else { question.put(&self.store) };
                let commit = self.writer.commits;
                let mail = Mail::Answered { number, commit, answer };
                self.later(delay, Later::Post(Actor::Subscriber(subscriber), mail));
            }
            Asked::Event { task, event } => {
                let is_there = !is_broken && self.store.has_event(event);
                self.later(delay, Later::Found { task, is_there });
            }
        }
    }
}
