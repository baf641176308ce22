//! The desk: where decisions are made on the board and queued to the writer, one at a time.
//!
//! The router makes them in its own time. Whoever emits makes theirs here at once: waking the router for each event, and
//! the threads that stand in between, cost more than the decision. Since the board is locked until what was decided is
//! queued, what an event matched is what was subscribed when it was queued, whoever decided it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use crate::clock::Timestamp;
use crate::condition::{Condition, Data};
use crate::credit::Credit;
use crate::event::Draft;
use crate::router::board::{Board, Verdicts};
use crate::router::notice::{News, Notice};
use crate::store::writer::{Reply, Store, Verbs};
use crate::store::{Deep, Reader, Settlement, Verb};

/// A router's board, shared with those who emit.
pub struct Desk {
    board: Mutex<Board>,
    store: Store,
    /// How many conditions there are on events' data.
    conditioned: Arc<AtomicUsize>,
    is_open: AtomicBool,
}

impl Desk {
    /// A desk at which decisions are made on `board` and queued to `store`.
    pub fn new(board: Board, store: Store) -> Self {
        let conditioned = board.index.conditioned();
        Self { board: Mutex::new(board), store, conditioned, is_open: AtomicBool::new(true) }
    }

    /// Records events, all or none, with what each matches now; the answer goes straight from the writer to `reply`,
    /// which is dropped if the router has ended.
    pub fn emit(&self, drafts: Vec<Draft>, credit: Credit, reply: Reply) {
        let known = self.judge(&drafts);
        let board = self.board();
        if self.is_open.load(Ordering::Relaxed) {
            let verb = board.append(drafts, &known);
            self.store.write(Verbs::from_buf([verb]), Some(credit), reply);
        }
    }

    /// Finds out which conditions hold of which event, while the board is free for others: that may take a while.
    fn judge(&self, drafts: &[Draft]) -> Vec<Verdicts> {
        if self.conditioned.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let asked: Vec<Vec<Condition>> = {
            let board = self.board();
            let asked =
                drafts.iter().map(|draft| board.index.conditions_on(draft.account, &draft.event_type));
            asked.collect()
        };
        let judged = drafts.iter().zip(asked).map(|(draft, conditions)| {
            let mut verdicts = Verdicts::new();
            if conditions.is_empty() {
                return verdicts;
            }
            let data = Data::read(draft.body.data());
            if data.is_none() {
                warn!(event = %draft.event_type, "its data is nested too deeply for filters, which let nothing through");
            }
            for condition in conditions {
                let holds = || data.as_ref().is_some_and(|data| condition.holds_of(data));
                verdicts.entry(condition.text()).or_insert_with(holds);
            }
            verdicts
        });
        judged.collect()
    }

    /// Settles an attempt and tells whoever wants to know what it came to, in one commit; once the desk is closed it settles
    /// alone.
    pub fn settle_and_tell(&self, settlement: Settlement, notice: Notice<'_>) {
        let board = self.board();
        let mut verbs = Verbs::from_buf([Verb::Settle(settlement)]);
        if self.is_open.load(Ordering::Relaxed) {
            verbs.extend(board.tell(notice));
        }
        self.store.settle(verbs);
    }

    /// Tells whoever wants to know of hooks for which more than `threshold` deliveries wait, once until it is less than
    /// half. `deep` are all hooks for which at least half of that waits.
    pub fn tell_of_backlogs(&self, deep: &[Deep], threshold: u64, reader: &dyn Reader, at: Timestamp) {
        let told_of = self.board().backlogs_to_tell_of(deep, threshold);
        for Deep { at: address, pending } in told_of {
            // A store that cannot be read says so elsewhere.
            let Ok(Some(subscription)) = reader.subscription(address) else {
                continue;
            };
            let mut board = self.board();
            let news = News::BacklogExceeded { pending, threshold };
            let told = board.tell(Notice { subscription: &subscription, news, at });
            board.told_of_backlog.insert(address.subscription);
            if let Some(told) = told.filter(|_| self.is_open.load(Ordering::Relaxed)) {
                self.store.settle(Verbs::from_buf([told]));
            }
        }
    }

    /// The board; what is decided on it is to be queued before it is let go of.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        // Those who emit change nothing on it, and with the router that panicked it is gone.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way to the writer.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Lets nobody emit any more.
    pub fn close(&self) {
        let _board = self.board();
        self.is_open.store(false, Ordering::Relaxed);
    }
}
