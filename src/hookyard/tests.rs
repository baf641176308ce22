//! The actors on the in-memory store: what a panic leaves behind.

use std::collections::HashSet;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use super::*;
use crate::delivery::tests::receiver::Receiver;
use crate::event::{Event, Receipt};
use crate::router::Crash;
use crate::store::memory::Memory;

const EVENTS: usize = 10;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn open() -> Blocking {
    let reopen = Box::new(|| Ok(Memory::default()));
    let config = Config::new("nowhere").dev();
    let opening = Hookyard::open_on(Memory::default(), reopen, config, "nowhere".into());
    Blocking(pollster::block_on(opening).unwrap())
}

fn subscribe(hookyard: &Blocking, receiver: &Receiver) -> Subscribed {
    hookyard.subscribe(Subscribe::new(receiver.url(), "new_lead")).unwrap()
}

fn emit(hookyard: &Blocking, count: usize) -> HashSet<String> {
    let events = (0..count).map(|n| Event::new("new_lead", &n).unwrap());
    let receipts = hookyard.emit_batch(events.collect()).unwrap();
    receipts.iter().map(|receipt: &Receipt| receipt.id.to_string()).collect()
}

/// The ids that arrive until all of these have.
fn arrivals(receiver: &Receiver, expected: &HashSet<String>) -> HashSet<String> {
    let mut missing = expected.clone();
    let mut arrived = HashSet::new();
    while !missing.is_empty() {
        let id = receiver.request().header("webhook-id").unwrap().to_owned();
        missing.remove(&id);
        arrived.insert(id);
    }
    arrived
}

fn crash(hookyard: &Blocking, who: Crash) {
    hookyard.0.router().unwrap().do_send(who);
}

/// Waits until another router than this one serves.
fn wait_for_another_than(was: &Addr<Router>, hookyard: &Blocking) {
    while hookyard.0.router().is_ok_and(|now| now == *was) || hookyard.0.ready().is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_subscriber_that_panics_starts_again_from_the_store() {
    let hookyard = open();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let receiver = Receiver::serving(move |connection, n| {
        if n <= EVENTS {
            // Fails when the release is dropped.
            let _ = held.lock().unwrap().recv();
        }
        connection.try_say(OK);
    });
    subscribe(&hookyard, &receiver);
    let emitted = emit(&hookyard, EVENTS);
    assert_eq!(arrivals(&receiver, &emitted), emitted);

    crash(&hookyard, Crash::Subscribers);

    // None was answered: each comes again.
    assert_eq!(arrivals(&receiver, &emitted), emitted);
    drop(release);
    hookyard.shutdown();
}

#[test]
fn a_router_that_panics_is_replaced_by_one_that_knows_all_it_knew() {
    let hookyard = open();
    let receiver = Receiver::answering(OK);
    let before = subscribe(&hookyard, &receiver);
    let first = emit(&hookyard, 3);
    assert_eq!(arrivals(&receiver, &first), first);

    let was = hookyard.0.router().unwrap();
    crash(&hookyard, Crash::Router);
    wait_for_another_than(&was, &hookyard);

    let again = subscribe(&hookyard, &receiver);
    assert_eq!((again.change, again.hook.subscription.id), (Change::Nothing, before.hook.subscription.id));
    let second = emit(&hookyard, 3);
    // Those of the first that were not settled yet may come again.
    assert!(arrivals(&receiver, &second).is_superset(&second));
    hookyard.shutdown();
}

#[test]
fn a_router_whose_shard_panicked_decides_nothing_beside_its_successor() {
    let hookyard = open();
    let was = hookyard.0.router().unwrap();
    assert!(was.connected());

    crash(&hookyard, Crash::Shards);
    wait_for_another_than(&was, &hookyard);

    assert!(!was.connected(), "it knows nothing of what the other one decides");
    hookyard.shutdown();
}
