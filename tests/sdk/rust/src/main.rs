//! The way of a message with the SDK for Rust, in its current version and in the last of the one before: an application,
//! an event type, an endpoint, a message that arrives and verifies, its attempt, a rotated secret, and a refusal.
//!
//! `HOOKYARD_URL` is the server, `HOOKYARD_KEY` an `admin` key.

mod current;
mod receiver;
mod version_1;

use std::time::Duration;

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let (url, key) = (variable("HOOKYARD_URL"), variable("HOOKYARD_KEY"));
    current::walk(&url, &key).await;
    version_1::walk(&url, &key).await;
}
