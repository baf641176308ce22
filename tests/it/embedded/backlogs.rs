//! Backlogs: a subscriber holds little of it in memory, and everything comes, once and in order of age.

use std::time::Duration;

use hookyard::Config;

use crate::support::embedding::{
    account, ids, lead, leads, open, quick, sorted, subscribe, wait_until_all_is_delivered,
};
use crate::support::patience::Gate;
use crate::support::receiver::Receiver;

/// A router whose subscribers hold four deliveries, and attempt one at a time.
fn narrow(directory: &std::path::Path) -> Config {
    let mut config = quick(directory);
    (config.subscriber.window, config.delivery.max_in_flight) = (4, 1);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_larger_than_the_window_comes_once_and_in_order() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(narrow(directory.path())).await;
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let hook = subscribe(&hookyard, &receiver).await;

    let mut receipts = hookyard.emit_batch(leads(100)).await.expect("accepted");
    receiver.wait_for(1);
    gate.open();
    for number in 100..200 {
        receipts.push(hookyard.emit(lead(number)).await.expect("accepted"));
    }

    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;
    assert_eq!(receiver.webhook_ids(), ids(&receipts));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_backlog_larger_than_the_window_comes_once_and_in_order() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(narrow(directory.path())).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;
    hookyard.pause(&account(), hook).await.expect("it exists");

    let mut receipts = hookyard.emit_batch(leads(100)).await.expect("accepted");
    hookyard.resume(&account(), hook).await.expect("it exists");
    receipts.extend(hookyard.emit_batch(leads(100)).await.expect("accepted"));

    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;
    assert_eq!(receiver.webhook_ids(), ids(&receipts));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_larger_than_the_window_survives_a_shutdown() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(narrow(directory.path())).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;
    let mut receipts = hookyard.emit_batch(leads(100)).await.expect("accepted");
    receiver.wait_for(10);

    hookyard.shutdown().await;
    let hookyard = open(narrow(directory.path())).await;
    receipts.extend(hookyard.emit_batch(leads(100)).await.expect("accepted"));

    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;
    assert_eq!(receiver.webhook_ids(), ids(&receipts));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_retires_after_every_event_misses_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = narrow(directory.path());
    config.subscriber.idle = Duration::from_millis(1);
    let hookyard = open(config).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;

    let mut receipts = Vec::new();
    for number in 0..200 {
        receipts.push(hookyard.emit(lead(number)).await.expect("accepted"));
        receiver.wait_for(receipts.len());
    }

    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;
    assert_eq!(receiver.webhook_ids(), ids(&receipts));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_comes_on_time_although_its_subscriber_retired() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    config.subscriber.idle = Duration::from_millis(1);
    config.health.probe_after = 1000;
    let hookyard = open(config).await;
    let receiver = Receiver::answering_with(|request| if request.index < 20 { 500 } else { 200 });
    let hook = subscribe(&hookyard, &receiver).await;

    let receipts = hookyard.emit_batch(leads(20)).await.expect("accepted");
    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;

    let twice = [ids(&receipts), ids(&receipts)].concat();
    assert_eq!(sorted(receiver.webhook_ids()), sorted(twice));
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_that_are_due_when_it_opens_come_once_each() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    config.health.probe_after = 1000;
    config.subscriber.window = 4;
    config.retry.schedule = vec![Duration::from_millis(300); 2];
    let hookyard = open(config.clone()).await;
    let receiver = Receiver::answering_with(|request| if request.index < 20 { 500 } else { 200 });
    let hook = subscribe(&hookyard, &receiver).await;
    let receipts = hookyard.emit_batch(leads(20)).await.expect("accepted");
    receiver.wait_for(20);

    hookyard.shutdown().await;
    let hookyard = open(config).await;
    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;

    let twice = [ids(&receipts), ids(&receipts)].concat();
    assert_eq!(sorted(receiver.webhook_ids()), sorted(twice));
}
