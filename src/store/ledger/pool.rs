//! sled's threads, and how few of them are left to it.
//!
//! sled writes to its file on seven threads that all databases of a process share, and wakes every one that waits for each
//! write. A commit is two short writes, so most of what that costs is six threads that wake for nothing: a tenth of the
//! processor time of an event. There is no option for it. So all but two are held for good: one to write, and one for
//! what sled does beside that.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Once};
use std::task::{Context, Wake};
use std::thread;
use std::time::Duration;

use sled::Tree;

/// How many threads are held.
const HELD: usize = 5;
/// How often it is tried at most: a thread that has ended its work before we wait for it is not to be had.
const TRIES: usize = 50;
/// How long to wait for one.
const PATIENCE: Duration = Duration::from_millis(100);

/// Wakes nobody: the thread that wants to is held, for good. Each that is held is told of.
struct Holder(Sender<()>);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {
        // Nobody may be counting any more.
        let _ = self.0.send(());
        loop {
            thread::park();
        }
    }
}

/// Holds threads of sled's, the first time in a process; `tree` is of any database.
pub fn hold_threads(tree: &Tree) {
    static HOLDING: Once = Once::new();
    HOLDING.call_once(|| {
        let (hold, held) = channel();
        let waker = Arc::new(Holder(hold)).into();
        let mut count = 0;
        for _ in 0..TRIES {
            // It runs on one of these threads, which then wakes whoever waits for it.
            if pin!(tree.flush_async()).poll(&mut Context::from_waker(&waker)).is_pending() {
                count += usize::from(held.recv_timeout(PATIENCE).is_ok());
            }
            if count == HELD {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_goes_on_with_the_threads_that_are_left() {
        let directory = tempfile::tempdir().unwrap();
        let database = sled::open(directory.path()).unwrap();
        hold_threads(&database);
        for n in 0..100u32 {
            database.insert(n.to_be_bytes(), vec![1; 1000]).unwrap();
            database.flush().unwrap();
        }
        pollster::block_on(database.flush_async()).unwrap();
        drop(database);
        assert_eq!(sled::open(directory.path()).unwrap().len(), 100);
    }
}
