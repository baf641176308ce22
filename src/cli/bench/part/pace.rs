//! A pace: when each event is to be sent.

use std::cell::Cell;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::super::monotonic::now_ns;
use super::super::template::Told;

/// Gives events to whoever is free to send one.
pub enum Pace {
    /// Each is due once somebody is free for it.
    Free { next: Cell<u32>, end: u32 },
    /// Each is due at its time, whatever became of those before.
    Steady(Mutex<mpsc::UnboundedReceiver<Told>>),
}

/// How long it takes until the first event is due at a steady rate.
const LEAD: Duration = Duration::from_millis(20);

impl Pace {
    pub fn free(first: u32, events: u32) -> Self {
        Self::Free { next: Cell::new(first), end: first + events }
    }

    /// So many a second. A thread of its own tells when each is due: a runtime's timer counts whole
    /// milliseconds.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn steady(first: u32, events: u32, rate: u32) -> io::Result<Self> {
        let (tell, told) = mpsc::unbounded_channel();
        let clock = move || {
            let begin_ns = now_ns() + LEAD.as_nanos() as u64;
            for n in 0..events {
                let due_ns = begin_ns + u64::from(n) * 1_000_000_000 / u64::from(rate);
                thread::sleep(Duration::from_nanos(due_ns.saturating_sub(now_ns())));
                if tell.send(Told { number: first + n, due_ns }).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("bench-clock".to_owned()).spawn(clock)?;
        Ok(Self::Steady(Mutex::new(told)))
    }

    /// The next event that is due; none when that was the last.
    pub async fn next(&self) -> Option<Told> {
        match self {
            Self::Free { next, end } => (next.get() < *end).then(|| Told::now(next.replace(next.get() + 1))),
            Self::Steady(due) => due.lock().await.recv().await,
        }
    }
}
