//! Waiting without guessing: until a condition holds, or a deadline that only a broken server meets.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen; long, since machines are noisy and nobody waits for it in vain.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a clock that counts whole milliseconds may take from an interval.
pub const CLOCK_STEP: Duration = Duration::from_millis(2);

/// How often those who wait look.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A gate that starts closed; who passes it waits until it is open.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody pass, from now on.
    pub fn open(&self) {
        *self.0.0.lock().expect("no holder of a gate panics") = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open, or so long that the test has failed anyway.
    pub fn pass(&self) {
        let closed = self.0.0.lock().expect("no holder of a gate panics");
        drop(self.0.1.wait_timeout_while(closed, 2 * PATIENCE, |open| !*open));
    }
}

/// Waits until `condition` holds; `what` says what is waited for.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_some(what, || condition().then_some(()));
}

/// Waits until `look` finds something, and returns it.
#[track_caller]
pub fn until_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    match found_in_time(look) {
        Some(found) => found,
        None => panic!("waited {PATIENCE:?} in vain until {what}"),
    }
}

/// Waits until `look` finds something, or in vain.
pub fn found_in_time<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return Some(found);
        }
        thread::sleep(POLL_INTERVAL);
    }
    look()
}
