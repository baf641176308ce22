//! Emitting from within a program: many at once, in any amount, never more than there is room for.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use hookyard::Event;
use hookyard::hookyard::{EmitError, Unavailable};

use crate::support::embedding::{
    ids, lead, leads, open, quick, sorted, subscribe, wait_until_all_is_delivered,
};
use crate::support::patience::{Gate, PATIENCE};
use crate::support::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn raw_data_arrives_as_it_is() {
    let data = r#"{ "b" : 1.0, "a":"\u00e9é\/", "a" : 1e+2, "big":123456789012345678901234567890 }"#;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let receiver = Receiver::answering([200]);
    subscribe(&hookyard, &receiver).await;

    let event = Event::raw("new_lead", data).expect("it is JSON").timestamp("2025-01-15T10:30:00.50+01:00");
    hookyard.emit(event).await.expect("accepted");

    let expected =
        format!(r#"{{"event":"new_lead","timestamp":"2025-01-15T10:30:00.50+01:00","data":{data}}}"#);
    assert_eq!(receiver.wait_for(1)[0].text(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_emitters_at_once_each_get_a_receipt_of_their_own() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;

    let emitters = (0..1000).map(|number| {
        let hookyard = hookyard.clone();
        tokio::spawn(async move { hookyard.emit(lead(number)).await.expect("accepted") })
    });
    let receipts: Vec<_> =
        join_all(emitters).await.into_iter().map(|emitted| emitted.expect("no panic")).collect();

    let distinct: HashSet<String> = ids(&receipts).into_iter().collect();
    assert_eq!(distinct.len(), 1000);
    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;
    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
    for (number, receipt) in receipts.iter().enumerate() {
        let id = receipt.id.to_string();
        let request = receiver.requests().into_iter().find(|request| request.webhook_id() == id);
        assert_eq!(request.expect("it was delivered").data()["n"], number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_hangs_holds_up_no_emitter() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    (config.limits.batch_events, config.limits.in_flight_events) = (1, 1);
    (config.subscriber.window, config.delivery.max_in_flight) = (1, 1);
    let hookyard = open(config).await;
    let (gate, healthy) = (Gate::default(), Receiver::answering([200]));
    let hanging = Receiver::holding(&gate);
    let hooks = [subscribe(&hookyard, &hanging).await, subscribe(&hookyard, &healthy).await];

    let mut receipts = Vec::new();
    for number in 0..50 {
        let emitted = tokio::time::timeout(PATIENCE, hookyard.emit(lead(number)));
        receipts.push(emitted.await.expect("there is room").expect("accepted"));
    }

    wait_until_all_is_delivered(&hookyard, hooks[1]).await;
    assert_eq!(hanging.requests().len(), 1);
    gate.open();
    wait_until_all_is_delivered(&hookyard, hooks[0]).await;
    assert_eq!(hanging.webhook_ids(), ids(&receipts));
    assert_eq!(healthy.webhook_ids(), ids(&receipts));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_will_not_wait_for_room_is_told_that_there_is_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = quick(directory.path());
    (config.limits.batch_events, config.limits.in_flight_events) = (10, 10);
    let hookyard = open(config).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;

    // The first batch takes all the room there is until it is on disk, and the others come at the same moment.
    let emitters = (0..100).map(|_| hookyard.try_emit_batch(leads(10)));
    let (accepted, refused): (Vec<_>, Vec<_>) = join_all(emitters).await.into_iter().partition(Result::is_ok);
    let while_there_is_room = until_there_is_room(&hookyard).await;

    assert!(!accepted.is_empty() && !refused.is_empty(), "{} accepted", accepted.len());
    for refused in refused {
        assert!(matches!(refused, Err(EmitError::Unavailable(Unavailable::Full))), "{refused:?}");
    }
    wait_until_all_is_delivered(&hookyard, hook).await;
    let mut receipts: Vec<_> = accepted.into_iter().flat_map(Result::unwrap_or_default).collect();
    receipts.push(while_there_is_room);
    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
}

/// Tries until one is accepted, as it must be once the batches before it are handed on.
async fn until_there_is_room(hookyard: &hookyard::Hookyard) -> hookyard::Receipt {
    let trying = async {
        loop {
            match hookyard.try_emit(lead(0)).await {
                Ok(receipt) => return receipt,
                Err(EmitError::Unavailable(Unavailable::Full)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("there is room again")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emitter_that_gives_up_waiting_breaks_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let receiver = Receiver::answering([200]);
    let hook = subscribe(&hookyard, &receiver).await;

    let mut receipts = Vec::new();
    for number in 0..100 {
        // Polled once and dropped: it may be accepted or not, nobody was told.
        drop(tokio::time::timeout(Duration::ZERO, hookyard.emit(lead(1000 + number))).await);
        receipts.push(hookyard.emit(lead(number)).await.expect("accepted"));
    }

    wait_until_all_is_delivered(&hookyard, hook).await;
    let told = |id: &String| receipts.iter().any(|receipt| receipt.id.to_string() == *id);
    let delivered = receiver.webhook_ids().into_iter().filter(told).collect();
    assert_eq!(sorted(delivered), sorted(ids(&receipts)));
}
