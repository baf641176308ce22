//! Emitting: the receipt, batches that are all or nothing, and what an event must have.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::api::{Receipt, text};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

#[test]
fn an_event_is_accepted_with_a_receipt() {
    let server = Server::start();

    let event = json!({"event": "new_lead", "data": {"n": 1}, "timestamp": "2025-01-15T10:30:00Z"});
    let receipt: Receipt = server.api().emitting(&event).expect(202);

    assert!(receipt.id.starts_with("evt_"), "{receipt:?}");
    assert_eq!((receipt.event.as_str(), receipt.timestamp.as_str()), ("new_lead", "2025-01-15T10:30:00Z"));
    assert_eq!((receipt.matched, receipt.duplicate), (0, false));
}

#[test]
fn a_receipt_counts_the_hooks_that_match() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    api.subscribe(&receiver.url("/one"), "new_lead");
    api.subscribe(&receiver.url("/two"), "new_lead");
    api.subscribe(&receiver.url("/one"), "new_message");

    assert_eq!(api.emit("new_lead", &json!(1)).matched, 2);
    assert_eq!(api.emit("new_message", &json!(1)).matched, 1);
    assert_eq!(api.emit("agent_created", &json!(1)).matched, 0);

    let mut targets: Vec<String> = receiver.wait_for(3).into_iter().map(|request| request.target).collect();
    targets.sort();
    assert_eq!(targets, ["/one", "/one", "/two"]);
}

#[test]
fn a_batch_gets_its_receipts_in_its_own_order() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    api.subscribe(&receiver.url("/"), "new_lead");
    let names = ["new_lead", "new_message", "new_lead", "agent_created"];
    let batch: Vec<Value> =
        names.iter().enumerate().map(|(n, name)| json!({"event": name, "data": n})).collect();

    let receipts = api.emit_all(&batch);

    let accepted: Vec<(&str, u64)> = receipts.iter().map(|r| (r.event.as_str(), r.matched)).collect();
    assert_eq!(accepted, [("new_lead", 1), ("new_message", 0), ("new_lead", 1), ("agent_created", 0)]);
    for request in receiver.wait_for(2) {
        let n = request.data().as_u64().expect("the number it was emitted with") as usize;
        assert_eq!(request.webhook_id(), receipts[n].id);
    }
}

#[test]
fn a_batch_with_one_bad_event_is_refused_whole() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let good = json!({"event": "new_lead", "data": "of a refused batch"});

    for bad in [
        json!({"event": "new_laed", "data": 1}),
        json!({"event": "new_lead"}),
        json!({"event": "new_lead", "data": 1, "timestamp": "yesterday"}),
        json!("no object"),
    ] {
        api.emitting(&json!([good, good, bad])).refused(422);
    }
    let after = api.emit("new_lead", &json!("after"));

    api.wait_for_hook(&hook.id, "all is delivered", |hook| {
        hook.last_attempt_at.is_some() && hook.pending == Some(0)
    });
    assert_eq!(receiver.webhook_ids(), [after.id]);
}

#[test]
fn a_batch_may_have_a_thousand_events_and_no_more() {
    let server = Server::start();
    let batch_of = |size: usize| Value::from(vec![json!({"event": "new_lead", "data": null}); size]);

    let receipts: Vec<Receipt> = server.api().emitting(&batch_of(1000)).expect(202);
    let refused = server.api().emitting(&batch_of(1001));

    let mut ids: Vec<String> = receipts.into_iter().map(|receipt| receipt.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1000);
    assert!(matches!(refused.status, 413 | 422), "{}", refused.describe());
}

#[test]
fn data_may_be_null_but_not_absent() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");

    let refusal = server.api().emitting(&json!({"event": "new_lead"})).refused(422);
    server.api().emit("new_lead", &json!(null));

    assert!(refusal.message.contains("data"), "{}", refusal.message);
    assert!(receiver.wait_for(1)[0].text().ends_with(r#","data":null}"#));
}

#[test]
fn a_timestamp_is_sent_as_it_was_given() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let given = [
        "2025-01-15T10:30:00Z",
        "2025-01-15T10:30:00.120Z",
        "1999-12-31T23:59:59.123456789+14:00",
        "2025-01-15T10:30:00+00:00",
        "2025-01-15T10:30:00-00:00",
    ];

    for (n, timestamp) in given.iter().enumerate() {
        let event = json!({"event": "new_lead", "data": 1, "timestamp": timestamp});
        let receipt: Receipt = server.api().emitting(&event).expect(202);
        assert_eq!(receipt.timestamp, *timestamp);
        let request = receiver.wait_for(n + 1).pop().expect("it came");
        assert_eq!(request.json()["timestamp"], *timestamp);
    }
}

#[test]
fn a_timestamp_that_is_no_rfc_3339_is_refused() {
    let server = Server::start();
    let bad = [
        json!("yesterday"),
        json!(""),
        json!("2025-01-15"),
        json!("2025-01-15T10:30:00"),
        json!("2025-13-01T00:00:00Z"),
        json!("2025-02-30T00:00:00Z"),
        json!("20250115T103000Z"),
        json!(1_736_937_000),
        json!({}),
    ];

    for timestamp in bad {
        let event = json!({"event": "new_lead", "data": 1, "timestamp": timestamp});
        let refusal = server.api().emitting(&event).refused(422);
        assert!(refusal.message.contains("timestamp"), "{timestamp}: {}", refusal.message);
    }
}

#[test]
fn an_event_without_a_timestamp_gets_the_present_in_whole_utc_seconds() {
    let server = Server::start();
    let before = OffsetDateTime::now_utc().unix_timestamp();

    let receipt = server.api().emit("new_lead", &json!(1));

    let after = OffsetDateTime::now_utc().unix_timestamp();
    let timestamp = OffsetDateTime::parse(&receipt.timestamp, &Rfc3339).expect("RFC 3339");
    assert!((before..=after).contains(&timestamp.unix_timestamp()), "{}", receipt.timestamp);
    assert!(receipt.timestamp.len() == 20 && receipt.timestamp.ends_with('Z'), "{}", receipt.timestamp);
}

#[test]
fn an_unknown_event_is_refused_and_told_how_to_add_it() {
    let server = Server::start();

    let refusal = server.api().emitting(&json!({"event": "new_laed", "data": 1})).refused(422);

    assert_eq!(refusal.code, "unknown_event");
    for part in ["new_lead", "agent_deleted", "[[event_type]]", "events.unknown = \"accept\""] {
        assert!(refusal.message.contains(part), "no {part} in {}", refusal.message);
    }
}

#[test]
fn unknown_events_are_accepted_where_the_configuration_says_so() {
    let server = Server::start_with(Settings::quick().set("events.unknown", r#""accept""#));
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "brand.new");

    let receipt = server.api().emit("brand.new", &json!(1));

    assert_eq!(receipt.matched, 1);
    assert_eq!(receiver.wait_for(1)[0].json()["event"], "brand.new");
}

#[test]
fn a_catalogue_of_ones_own_replaces_the_default_one() {
    let server = Server::start_with(Settings::quick().event_type("order.paid"));

    server.api().emit("order.paid", &json!(1));
    let refusal = server.api().emitting(&json!({"event": "new_lead", "data": 1})).refused(422);

    assert!(refusal.message.contains("order.paid"), "{}", refusal.message);
    let catalogue: Vec<Value> = server.api().get("/api/v1/event-types").expect(200);
    let names: Vec<&str> = catalogue.iter().map(|kind| text(kind, "name")).collect();
    assert_eq!(names, ["order.paid"]);
    assert_eq!(
        (text(&catalogue[0], "description"), &catalogue[0]["example"]),
        ("of a test", &json!({"n": 1}))
    );
}
