//! The library in this process, and what its tests say of it.

use std::path::Path;
use std::time::Duration;

use hookyard::account::AccountId;
use hookyard::hookyard::Hook;
use hookyard::id::HookId;
use hookyard::{Config, Event, Hookyard, Receipt, Subscribe};
use serde_json::json;

use super::patience::{PATIENCE, POLL_INTERVAL};
use super::receiver::Receiver;

/// A router for trying things out, whose retries come after milliseconds.
pub fn quick(directory: &Path) -> Config {
    let mut config = Config::new(directory).dev();
    config.workers = 2;
    config.retry.schedule = [100, 200, 300].map(Duration::from_millis).to_vec();
    config
}

/// Opens a router, which must not be refused.
pub async fn open(config: Config) -> Hookyard {
    Hookyard::open(config).await.expect("the directory can be opened")
}

/// Subscribes a receiver to `new_lead`.
pub async fn subscribe(hookyard: &Hookyard, receiver: &Receiver) -> HookId {
    let wish = Subscribe::new(receiver.url("/"), "new_lead");
    hookyard.subscribe(wish).await.expect("the hook is accepted").hook.subscription.id
}

/// An event of the type `new_lead` that carries this number.
pub fn lead(number: usize) -> Event {
    Event::new("new_lead", &json!({"n": number})).expect("it serialises")
}

/// So many of them.
pub fn leads(count: usize) -> Vec<Event> {
    (0..count).map(lead).collect()
}

/// The ids of these receipts, as receivers see them.
pub fn ids<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> Vec<String> {
    receipts.into_iter().map(|receipt| receipt.id.to_string()).collect()
}

/// Ids without their order.
pub fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// The account that owns what these tests do.
pub fn account() -> AccountId {
    AccountId::default_account()
}

/// The hook as the router shows it.
pub async fn look_at(hookyard: &Hookyard, hook: HookId) -> Hook {
    hookyard.hook(&account(), hook).await.expect("the hook exists")
}

/// Waits until nothing waits for the hook any more.
pub async fn wait_until_all_is_delivered(hookyard: &Hookyard, hook: HookId) {
    let waiting = async {
        while look_at(hookyard, hook).await.pending > 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not all is delivered in time");
}
