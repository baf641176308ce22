//! Retention in a program: its figures, and what a limit of size leaves.

use std::time::Duration;

use hookyard::hookyard::Retained;
use hookyard::{Event, Hookyard};

use crate::support::embedding::{
    account, lead, look_at, open, quick, subscribe, wait_until_all_is_delivered,
};
use crate::support::patience::{PATIENCE, POLL_INTERVAL};
use crate::support::receiver::Receiver;

const SIZE: u64 = 64 << 10;

/// So many events of a kilobyte each.
fn ballast(count: usize) -> Vec<Event> {
    (0..count).map(|_| Event::new("new_message", &"x".repeat(1_000)).expect("it serialises")).collect()
}

/// Waits until what is kept is as `condition` wants.
async fn wait_for(hookyard: &Hookyard, condition: impl Fn(&Retained) -> bool) -> Retained {
    let waiting = async {
        loop {
            let retained = hookyard.retained().await.expect("the store reads");
            if condition(&retained) {
                return retained;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to that in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_events_go_first_and_those_with_an_idempotency_key_stay() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    config.retention.size_bytes = SIZE;
    let hookyard = open(config.clone()).await;
    let keyed = || lead(1).idempotency_key("the key");
    let receipt = hookyard.emit(keyed()).await.expect("accepted");
    hookyard.emit_batch(ballast(300)).await.expect("accepted");

    let retained = wait_for(&hookyard, |retained| retained.bytes <= SIZE).await;
    let again = hookyard.emit(keyed()).await.expect("accepted");
    hookyard.shutdown().await;
    let reopened = open(config).await;
    let after_a_restart = reopened.emit(keyed()).await.expect("accepted");
    reopened.shutdown().await;

    assert!((200..300).contains(&retained.expired.events), "{retained:?}");
    assert!(retained.bytes > SIZE / 2, "{retained:?}");
    for repeated in [again, after_a_restart] {
        assert_eq!((repeated.id, repeated.duplicate), (receipt.id, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_once_they_are_delivered_when_they_are_over_age() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    config.retention.age = Duration::from_secs(1);
    let hookyard = open(config).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;
    hookyard.pause(&account(), hook).await.expect("it exists");
    hookyard.emit(lead(1)).await.expect("accepted");
    hookyard.emit_batch(ballast(10)).await.expect("accepted");

    let retained = wait_for(&hookyard, |retained| retained.expired.events == 10).await;
    assert!(retained.oldest.is_some());
    assert_eq!(look_at(&hookyard, hook).await.pending, 1);
    hookyard.resume(&account(), hook).await.expect("it exists");
    wait_until_all_is_delivered(&hookyard, hook).await;

    let retained = wait_for(&hookyard, |retained| retained.oldest.is_none()).await;
    assert_eq!(retained.expired.events, 11);
    hookyard.shutdown().await;
}
