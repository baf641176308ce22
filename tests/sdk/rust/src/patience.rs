//! Waiting for what comes in its own time.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How long something may take that happens by itself.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(20);

/// What `look` finds, as soon as it does; `what` says what is waited for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        sleep(PAUSE).await;
    }
}

/// Lets the clock go on, so that what comes before and what comes after differ in their time.
pub async fn moment_later() {
    sleep(PAUSE).await;
}
