//! The desk: where decisions are made on the board and queued to the writer, one at a time.
//!
//! The router makes them in its own time. Whoever emits makes theirs here at once: waking the router for each event, and
//! the threads that stand in between, cost more than the decision. Since the board is locked until what was decided is
//! queued, what an event matched is what was subscribed when it was queued, whoever decided it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::credit::Credit;
use crate::event::Draft;
use crate::router::board::Board;
use crate::store::writer::{Reply, Store, Verbs};

/// A router's board, shared with those who emit.
pub struct Desk {
    board: Mutex<Board>,
    store: Store,
    is_open: AtomicBool,
}

impl Desk {
    /// A desk at which decisions are made on `board` and queued to `store`.
    pub fn new(board: Board, store: Store) -> Self {
        Self { board: Mutex::new(board), store, is_open: AtomicBool::new(true) }
    }

    /// Records events, all or none, with what each matches now; the answer goes straight from the writer to `reply`,
    /// which is dropped if the router has ended.
    pub fn emit(&self, drafts: Vec<Draft>, credit: Credit, reply: Reply) {
        let board = self.board();
        if self.is_open.load(Ordering::Relaxed) {
            let verb = board.append(drafts);
            self.store.write(Verbs::from_buf([verb]), Some(credit), reply);
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
