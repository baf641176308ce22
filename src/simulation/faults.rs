//! What goes wrong in a simulation, and how the actors begin: by the one path of every start.

use rand::RngExt;
use rand::seq::IteratorRandom;

use crate::account::{AccountId, AccountNames};
use crate::clock::Timestamp;
use crate::id::{AccountNo, Seal};
use crate::router::board::{Board, Recovered};
use crate::router::index::Index;
use crate::store::{Backend, Verb};
use crate::subscriber::Report;
use crate::subscriber::slots::Slots;

use super::actors::Shard;
use super::mail::{Actor, Mail, Turns};
use super::world::{CALM_MS, Later, World, credits};
use super::writer::Request;

/// How far the wall clock may be set, in milliseconds.
const JUMP_MS: u64 = 3_600_000;

impl World {
    /// Something goes wrong.
    pub fn fail(&mut self) {
        let again = if self.is_calm { CALM_MS } else { self.random.random_range(1..=self.rules.fault_ms) };
        self.later(again, Later::Fault);
        if self.is_calm || self.actors.routers.is_empty() {
            return;
        }
        match self.random.random_range(0..15) {
            0..3 => self.crash(),
            12 => self.drain(),
            13 | 14 => self.set_clock(),
            3..8 => self.end_some_subscriber(),
            8 | 9 => self.writer.is_to_fail = self.actors.current.is_some(),
            10 => self.end_some_shard(),
            _ => self.end_the_router(),
        }
    }

    /// The process is killed; it starts again later, perhaps by another clock.
    fn crash(&mut self) {
        self.note("crash", [self.actors.run, 0, 0]);
        self.end_actors();
        self.lose_writes();
        self.start_later();
    }

    /// The process is asked to stop: nothing new is accepted or started.
    fn drain(&mut self) {
        let Some(run) = self.actors.current.filter(|_| !self.writer.has_failed) else {
            return;
        };
        self.note("drain", [run, 0, 0]);
        self.actors.current = None;
        for place in 0..self.rules.shards {
            self.mail.post(Actor::Shard(run, place), Mail::Drain);
        }
        let grace = self.random.random_range(0..60_000);
        self.later(0, Later::Stop { until: self.elapsed + grace });
    }

    /// The process stops if nothing is in flight or patience has ended, and all that was said has been heard.
    pub fn stop(&mut self, until: u64) {
        let is_patient = self.elapsed < until && self.slots.usage().in_use > 0;
        if is_patient || !self.mail.is_empty() {
            return self.later(5, Later::Stop { until });
        }
        self.note("stop", [self.actors.run, self.flying.len() as u64, 0]);
        while !self.writer.is_at_rest() {
            self.end_commit();
            if self.writer.is_ready() {
                self.begin_commit();
            }
        }
        self.end_actors();
        if !self.writer.has_failed {
            self.oracle.has_settled_all(&self.store);
        }
        self.lose_writes();
        self.start_later();
    }

    fn start_later(&mut self) {
        self.forget_later();
        (self.slots, self.turns) = (Slots::new(self.rules.slots), Turns::default());
        self.credits = credits(&self.rules);
        self.callers.forget();
        if self.random.random_range(0..4) == 0 {
            self.set_clock();
        }
        let down = match self.random.random_range(0..10) {
            0 => self.random.random_range(0..10_000_000),
            _ => self.random.random_range(0..5_000),
        };
        self.later(down, Later::Boot);
    }

    /// Somebody sets the wall clock.
    fn set_clock(&mut self) {
        let jump = self.random.random_range(0..=2 * JUMP_MS);
        self.wall = self.wall + jump - JUMP_MS;
        self.note("the clock is set", [self.wall, 0, 0]);
    }

    fn end_actors(&mut self) {
        self.actors.current = None;
        let subscribers: Vec<u64> = self.actors.subscribers.keys().copied().collect();
        subscribers.into_iter().for_each(|no| self.end_subscriber(no));
        let shards: Vec<_> = self.actors.shards.keys().copied().collect();
        shards.into_iter().for_each(|(run, place)| self.end_shard(run, place));
        let routers: Vec<u64> = self.actors.routers.keys().copied().collect();
        routers.into_iter().for_each(|run| self.end_router(run));
        self.sweep();
    }

    fn end_some_subscriber(&mut self) {
        let Some(no) = self.actors.subscribers.keys().copied().choose(&mut self.random) else {
            return;
        };
        let subscriber = &self.actors.subscribers[&no];
        let (at, incarnation, (run, place)) = (subscriber.at, subscriber.incarnation, subscriber.shard);
        self.note("a subscriber panics", [no, at.subscription.0, 0]);
        self.oracle.is_disturbed(at.subscription);
        self.mail.post(Actor::Shard(run, place), Mail::Report(Report::Died { at, incarnation }));
        self.end_subscriber(no);
    }

    fn end_some_shard(&mut self) {
        let shards = self.actors.shards.keys().copied();
        if let Some((run, place)) =
            shards.filter(|(run, _)| Some(*run) == self.actors.current).choose(&mut self.random)
        {
            self.note("a shard panics", [run, place as u64, 0]);
            self.end_shard(run, place);
            let of_shard = |one: &(&u64, &super::actors::Subscriber)| one.1.shard == (run, place);
            let lost: Vec<u64> = self.actors.subscribers.iter().filter(of_shard).map(|(no, _)| *no).collect();
            // Nobody holds their addresses any more.
            lost.into_iter().for_each(|no| self.end_subscriber(no));
            self.notice();
        }
    }

    fn end_the_router(&mut self) {
        if let Some(run) = self.actors.current {
            self.note("the router panics", [run, 0, 0]);
            self.end_router(run);
            self.notice();
        }
    }

    fn notice(&mut self) {
        let delay = self.delay();
        self.later(delay, Later::Restart);
    }

    /// The runtime lets go of the actors, and has the store recovered.
    pub fn restart(&mut self) {
        let Some(run) = self.actors.current.take() else {
            return;
        };
        self.note("restart", [run, 0, 0]);
        if self.mail.is_open(Actor::Router(run)) {
            return self.mail.post(Actor::Router(run), Mail::End);
        }
        self.abandon(run);
    }

    /// The router has ended: so do the shards.
    pub fn abandon(&mut self, run: u64) {
        for place in 0..self.rules.shards {
            self.mail.post(Actor::Shard(run, place), Mail::Abandon);
        }
        match self.writer.has_failed {
            true => {
                let patience = self.random.random_range(500..15_000);
                self.later(patience, Later::Recover);
            }
            false => self.writer.queue.push_back(Request::Recover),
        }
    }

    /// The writer recovers the store, and the actors begin on what it found.
    pub fn recover(&mut self) {
        self.writer.has_failed = false;
        // They were abandoned by messages to the same threads that the new ones begin on.
        let subscribers: Vec<u64> = self.actors.subscribers.keys().copied().collect();
        subscribers.into_iter().for_each(|no| self.end_subscriber(no));
        let shards: Vec<_> = self.actors.shards.keys().copied().collect();
        shards.into_iter().for_each(|(run, place)| self.end_shard(run, place));
        self.sweep();
        let run = self.begin();
        let delay = self.delay();
        self.later(delay, Later::Serve(run));
    }

    /// The process starts.
    pub fn boot(&mut self) {
        // As the steady clock of a process begins.
        self.steady = self.wall.max(self.seen.0.saturating_sub(self.elapsed));
        let run = self.begin();
        self.later(0, Later::Serve(run));
    }

    fn begin(&mut self) -> u64 {
        self.actors.run += 1;
        let run = self.actors.run;
        let mut index = Index::default();
        let found = self.store.recover(&mut |subscription| index.insert(&subscription));
        let found = found.expect("the model never fails");
        self.note("begin", [run, found.waiting.len() as u64, found.next_subscription.0]);
        self.oracle.forgets(&self.store);
        for request in &self.writer.queue {
            if let Request::Write { verbs, .. } = request {
                for verb in verbs {
                    if let Verb::Settle(settlement) = verb {
                        self.oracle.remembers(settlement, &self.store);
                    }
                }
            }
        }
        let names = AccountNames::default();
        (1..3).for_each(|no| names.add(AccountNo(no), AccountId::random()));
        let seal = Seal::new(&found.seal);
        let recovered = Recovered { index, next_subscription: found.next_subscription, seal, names };
        let board = Board::new(recovered, self.rules.shards, self.metrics.clone());
        for (place, due) in board.due(found.waiting).into_iter().enumerate() {
            self.actors.shards.insert((run, place), Shard::new(self.rules.running));
            self.mail.open(Actor::Shard(run, place));
            self.mail.post(Actor::Shard(run, place), Mail::Due(due));
        }
        self.actors.routers.insert(run, board);
        self.mail.open(Actor::Router(run));
        self.writer.listener = Some(run);
        run
    }

    /// Callers reach the router from now on.
    pub fn serve(&mut self, run: u64) {
        self.note("serves", [run, 0, 0]);
        self.actors.current = Some(run);
        self.callers.look_up(&self.store);
        // It may have ended before.
        if !self.mail.is_open(Actor::Router(run)) || self.writer.has_failed {
            self.notice();
        }
    }

    /// The furthest moment that anything waits for.
    pub fn horizon(&self) -> Timestamp {
        let pending = self.store.pending();
        let dues = pending.values().map(|pending| match pending {
            crate::store::memory::Pending::Retry(retry) => retry.due,
            crate::store::memory::Pending::First { .. } => Timestamp(0),
        });
        let records = self.store.all_subscriptions();
        let holds = records.iter().filter_map(|one| self.store.health_of(one.no).hold_until);
        dues.chain(holds).max().unwrap_or_default()
    }
}
