//! Idempotency keys: a repeated emit gives the first receipt, and never a second event.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::api::{Api, Receipt, Reply};
use crate::support::receiver::Receiver;
use crate::support::server::Server;

const EVENTS: &str = "/api/v1/events";

/// Emits with the header.
fn emit_with_key(api: &Api, key: &str, event: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    api.send("POST", EVENTS, &headers, Some(event.to_string().as_bytes()))
}

#[test]
fn a_repeated_key_gives_the_first_receipt_and_no_second_event() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let event = json!({"event": "new_lead", "data": {"n": 1}});

    let first: Receipt = emit_with_key(&server.api(), "k-1", &event).expect(202);
    let second: Receipt = emit_with_key(&server.api(), "k-1", &event).expect(202);
    let other: Receipt = emit_with_key(&server.api(), "k-2", &event).expect(202);

    assert!(!first.duplicate);
    assert_eq!(second, Receipt { duplicate: true, ..first.clone() });
    assert_ne!(other.id, first.id);
    server.api().wait_for_hook(&hook.id, "all is delivered", |hook| {
        hook.last_attempt_at.is_some() && hook.pending == Some(0)
    });
    let mut delivered = receiver.webhook_ids();
    let mut emitted = [first.id, other.id];
    delivered.sort();
    emitted.sort();
    assert_eq!(delivered, emitted);
}

#[test]
fn header_and_id_share_one_space_and_no_id_becomes_the_events() {
    let server = Server::start();
    let event = json!({"event": "new_lead", "data": 1});
    let with_id = json!({"event": "new_lead", "data": 1, "id": "order-7"});

    let first: Receipt = emit_with_key(&server.api(), "order-7", &event).expect(202);
    let second: Receipt = server.api().emitting(&with_id).expect(202);

    assert_ne!(first.id, "order-7");
    assert_eq!((second.id, second.duplicate), (first.id, true));
}

#[test]
fn the_same_key_with_another_event_is_a_conflict() {
    let server = Server::start();
    let emitting = |event: &str, data: &str, timestamp: &str| {
        let body = format!(r#"{{"id":"k","event":"{event}","data":{data},"timestamp":"{timestamp}"}}"#);
        server.api().post_text(EVENTS, &body)
    };
    let _: Receipt = emitting("new_lead", r#"{"n":1.0}"#, "2025-01-15T10:30:00Z").expect(202);

    emitting("new_message", r#"{"n":1.0}"#, "2025-01-15T10:30:00Z").refused(409);
    emitting("new_lead", r#"{"n":1}"#, "2025-01-15T10:30:00Z").refused(409);
    emitting("new_lead", r#"{"n": 1.0}"#, "2025-01-15T10:30:00Z").refused(409);
    emitting("new_lead", r#"{"n":1.0}"#, "2025-01-15T10:30:01Z").refused(409);

    let again: Receipt = emitting("new_lead", r#"{"n":1.0}"#, "2025-01-15T10:30:00Z").expect(202);
    assert!(again.duplicate);
}

#[test]
fn a_repetition_may_leave_the_timestamp_out() {
    let server = Server::start();
    let with = json!({"id": "with", "event": "new_lead", "data": 1, "timestamp": "2025-01-15T10:30:00Z"});
    let without = json!({"id": "without", "event": "new_lead", "data": 1});
    let repetition = json!({"id": "with", "event": "new_lead", "data": 1});
    let late_timestamp =
        json!({"id": "without", "event": "new_lead", "data": 1, "timestamp": "2025-01-15T10:30:00Z"});
    let _: Receipt = server.api().emitting(&with).expect(202);
    let _: Receipt = server.api().emitting(&without).expect(202);

    let again: Receipt = server.api().emitting(&repetition).expect(202);
    let again_without: Receipt = server.api().emitting(&without).expect(202);

    assert_eq!((again.timestamp.as_str(), again.duplicate), ("2025-01-15T10:30:00Z", true));
    assert!(again_without.duplicate);
    server.api().emitting(&late_timestamp).refused(409);
}

#[test]
fn one_conflict_refuses_the_whole_batch() {
    let server = Server::start();
    let taken = json!({"id": "taken", "event": "new_lead", "data": 1});
    let fresh = json!({"id": "fresh", "event": "new_lead", "data": 1});
    let conflicting = json!({"id": "taken", "event": "new_lead", "data": 2});
    let _: Receipt = server.api().emitting(&taken).expect(202);

    server.api().emitting(&json!([fresh, conflicting])).refused(409);

    let receipts = server.api().emit_all(&[fresh, taken]);
    assert_eq!(receipts.iter().map(|receipt| receipt.duplicate).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_key_twice_in_one_batch_makes_one_event() {
    let server = Server::start();
    let event = json!({"id": "twice", "event": "new_lead", "data": 1});

    let receipts = server.api().emit_all(&[event.clone(), event]);

    assert_eq!(receipts[0].id, receipts[1].id);
    assert_eq!((receipts[0].duplicate, receipts[1].duplicate), (false, true));
}

#[test]
fn each_account_has_its_own_keys() {
    let server = Server::start();
    let event = json!({"id": "k", "event": "new_lead", "data": 1});
    let first: Receipt = server.api().account("acme").emitting(&event).expect(202);

    let other = json!({"id": "k", "event": "new_lead", "data": 2});
    let second: Receipt = server.api().account("globex").emitting(&other).expect(202);

    assert!(!second.duplicate);
    assert_ne!(second.id, first.id);
}

#[test]
fn keys_survive_a_kill() {
    let mut server = Server::start();
    let event = json!({"id": "k", "event": "new_lead", "data": 1});
    let first: Receipt = server.api().emitting(&event).expect(202);

    server.kill();
    server.restart();

    let second: Receipt = server.api().emitting(&event).expect(202);
    assert_eq!(second, Receipt { duplicate: true, ..first });
    server.api().emitting(&json!({"id": "k", "event": "new_lead", "data": 2})).refused(409);
}

#[test]
fn twenty_emitters_with_one_key_make_one_event() {
    let server = Server::start();
    let event = json!({"id": "k", "event": "new_lead", "data": 1});
    let start = Barrier::new(20);

    let receipts: Vec<Receipt> = thread::scope(|scope| {
        let emit = || {
            let api = server.api();
            start.wait();
            api.emitting(&event).expect(202)
        };
        let emitters: Vec<_> = (0..20).map(|_| scope.spawn(emit)).collect();
        emitters.into_iter().map(|emitter| emitter.join().expect("each is answered")).collect()
    });

    assert!(receipts.iter().all(|receipt| receipt.id == receipts[0].id));
    assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 1);
}

#[test]
fn a_key_may_have_128_characters_and_no_more() {
    let server = Server::start();
    let event = json!({"event": "new_lead", "data": 1});

    let _: Receipt = emit_with_key(&server.api(), &"k".repeat(128), &event).expect(202);

    emit_with_key(&server.api(), &"k".repeat(129), &event).refused(422);
    server.api().emitting(&json!({"id": "k".repeat(129), "event": "new_lead", "data": 1})).refused(422);
    server.api().emitting(&json!({"id": "", "event": "new_lead", "data": 1})).refused(422);
    server.api().emitting(&json!({"id": 7, "event": "new_lead", "data": 1})).refused(422);
}
