//! The desk: where decisions are made on the board and queued to the writer, one at a time.
//!
//! The router makes them in its own time. Whoever emits makes theirs here at once: waking the router for each event, and
//! the threads that stand in between, cost more than the decision. Since the board is locked until what was decided is
//! queued, what an event matched is what was subscribed when it was queued, whoever decided it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use crate::condition::{Condition, Data};
use crate::credit::Credit;
use crate::event::Draft;
use crate::router::board::{Board, Verdicts};
use crate::store::writer::{Reply, Store, Verbs};

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
