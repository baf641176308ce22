//! Pausing and resuming while attempts are in flight: nothing is lost, and nothing is sent twice.

use std::collections::BTreeMap;
use std::time::Duration;

use hookyard::Hookyard;
use hookyard::id::HookId;

use crate::support::embedding::{
    account, ids, leads, look_at, open, quick, sorted, subscribe, wait_until_all_is_delivered,
};
use crate::support::receiver::{Answer, Receiver};

/// Pauses and resumes until nothing is left, or so often that what is left must come without it.
async fn pause_and_resume_again_and_again(hookyard: &Hookyard, hook: HookId) {
    for _ in 0..200 {
        hookyard.pause(&account(), hook).await.expect("it exists");
        hookyard.resume(&account(), hook).await.expect("it exists");
        if look_at(hookyard, hook).await.pending == 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_while_a_hook_is_paused_and_resumed_is_sent_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    (config.subscriber.window, config.delivery.max_in_flight) = (16, 8);
    let hookyard = open(config).await;
    let receiver = Receiver::answering_with(|_| Answer::from(200).after(Duration::from_millis(3)));
    let hook = subscribe(&hookyard, &receiver).await;
    let receipts = hookyard.emit_batch(leads(600)).await.expect("accepted");

    pause_and_resume_again_and_again(&hookyard, hook).await;
    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;

    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_while_a_hook_is_paused_and_resumed_is_retried_on_its_schedule() {
    const FAILURES: usize = 3;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    (config.subscriber.window, config.delivery.max_in_flight) = (16, 8);
    config.health.probe_after = 1000;
    config.retry.schedule = vec![Duration::from_millis(5); FAILURES];
    let hookyard = open(config).await;
    let attempts = std::sync::Mutex::new(BTreeMap::<String, usize>::new());
    let receiver = Receiver::answering_with(move |request| {
        let mut attempts = attempts.lock().expect("no answering panics");
        let made = attempts.entry(request.webhook_id().to_owned()).or_default();
        *made += 1;
        let status = if *made <= FAILURES { 500 } else { 200 };
        Answer::from(status).after(Duration::from_millis(3))
    });
    let hook = subscribe(&hookyard, &receiver).await;
    let receipts = hookyard.emit_batch(leads(200)).await.expect("accepted");

    pause_and_resume_again_and_again(&hookyard, hook).await;
    wait_until_all_is_delivered(&hookyard, hook).await;
    let status = look_at(&hookyard, hook).await.subscription.status;
    hookyard.shutdown().await;

    assert_eq!(status.as_str(), "active");
    let expected: Vec<String> = (0..=FAILURES).flat_map(|_| ids(&receipts)).collect();
    assert_eq!(sorted(receiver.webhook_ids()), sorted(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_given_up_while_it_is_resumed_gets_no_retries() {
    const LIVES: usize = 60;
    const FAILURES: usize = 5;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    config.delivery.max_in_flight = 1;
    config.retry.schedule = vec![Duration::from_millis(1); 20];
    config.health.probe_after = 1000;
    let hookyard = open(config).await;
    // In each life of the hook some attempts fail, and then it is gone.
    let receiver = Receiver::answering_with(|request| {
        let status = if (request.index + 1) % (FAILURES + 1) == 0 { 410 } else { 500 };
        // At ever other moments of a pause and of what follows a resume.
        Answer::from(status).after(Duration::from_micros(200 + 67 * (request.index as u64 % 31)))
    });
    for _ in 0..LIVES {
        let hook = subscribe(&hookyard, &receiver).await;
        hookyard.emit_batch(leads(FAILURES)).await.expect("accepted");
        pause_and_resume_again_and_again(&hookyard, hook).await;
        wait_until_all_is_delivered(&hookyard, hook).await;
    }
    hookyard.shutdown().await;

    assert_eq!(receiver.requests().len(), LIVES * (FAILURES + 1));
}
