//! Expunging: what an event says, or what a receiver answered, goes before its time, and what waited of it with it.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, text};
use crate::support::cli::Cli;
use crate::support::patience::Gate;
use crate::support::receiver::{Answer, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

fn expunge(api: &Api, event: &str) {
    let answer: Value = api.delete(&format!("/api/v1/events/{event}/data")).expect(200);
    assert_eq!(answer, json!({"success": true, "deleted": 1}));
}

fn event(api: &Api, id: &str) -> Value {
    api.get(&format!("/api/v1/events/{id}")).expect(200)
}

#[test]
fn the_data_is_gone_and_what_is_known_of_the_event_stays() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let batch: Vec<Value> = (0..5).map(|n| json!({"event": "new_lead", "data": {"marker": n}})).collect();
    let ids: Vec<String> = server.api().emit_all(&batch).into_iter().map(|receipt| receipt.id).collect();
    for id in &ids {
        server.api().wait_until_delivered(&hook.id, id);
    }
    let before = event(&server.api(), &ids[2]);

    expunge(&server.api(), &ids[2]);
    for _ in 0..2 {
        let api = server.api();
        let after = event(&api, &ids[2]);
        assert_eq!((&after["data"], &after["expunged"]), (&Value::Null, &json!(true)));
        for member in ["id", "event", "timestamp", "accepted_at", "matched", "deliveries"] {
            assert_eq!(after[member], before[member], "{member}");
        }
        for (n, id) in ids.iter().enumerate().filter(|(n, _)| *n != 2) {
            let other = event(&api, id);
            assert_eq!((&other["data"], other.get("expunged")), (&json!({"marker": n}), None));
        }
        assert!(!api.get("/api/v1/events").text().contains(r#""marker":2"#));
        assert!(!api.get("/api/v1/hooks/sample?event=new_lead").text().contains(r#""marker":2"#));
        // Twice is no mistake.
        expunge(&api, &ids[2]);
        server.kill();
        server.restart();
    }
}

#[test]
fn what_waits_of_it_is_not_delivered_nor_said_to_be() {
    let mut server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let (paused, failing) = (Receiver::answering([200]), Receiver::answering([500, 200]));
    let parked = api.subscribe(&paused.url("/"), "new_lead");
    let broken = api.subscribe(&failing.url("/"), "new_lead");
    api.pause(&parked.id);
    let id = api.emit("new_lead", &json!("marker")).id;
    failing.wait_for(1);
    let other = api.emit("new_lead", &json!("other")).id;
    failing.wait_for(2);
    api.wait_for_hook(&broken.id, "one waits for its retry", |hook| hook.pending == Some(1));

    expunge(&api, &id);
    assert_eq!(api.hook(&broken.id).pending, Some(0));
    assert_eq!(api.hook(&parked.id).pending, Some(1));
    assert_eq!(event(&api, &id)["deliveries"], json!([]));
    let replayed: Value = api.post(&format!("/api/v1/events/{id}/replay"), &json!({})).expect(202);
    assert_eq!(replayed["queued"], 0);
    let all = json!({"status": "all"});
    let replayed: Value = api.post(&format!("/api/v1/hooks/{}/replay", broken.id), &all).expect(202);
    assert_eq!(replayed["queued"], 1);

    server.kill();
    server.restart();
    let api = server.api();
    assert_eq!(event(&api, &id)["deliveries"], json!([]));
    api.resume(&parked.id);
    api.wait_until_delivered(&parked.id, &other);
    let hook = api.hook(&parked.id);
    assert_eq!((hook.pending, hook.dead), (Some(0), Some(0)));
    assert_eq!(paused.requests().iter().map(|one| one.data()).collect::<Vec<_>>(), [json!("other")]);
}

#[test]
fn what_a_subscriber_holds_in_memory_goes_too() {
    let server = Server::start();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "delivery": {"concurrency": 1}});
    let hook: Value = server.api().subscribing(&wish).expect(201);
    let api = server.api();
    let batch: Vec<Value> = (0..3).map(|n| json!({"event": "new_lead", "data": n})).collect();
    let ids: Vec<String> = api.emit_all(&batch).into_iter().map(|receipt| receipt.id).collect();
    receiver.wait_for(1);
    expunge(&api, &ids[1]);
    // What begins in the same moment may still come.
    thread::sleep(Duration::from_millis(200));
    gate.open();
    api.wait_for_hook(text(&hook, "id"), "the others are delivered", |hook| hook.pending == Some(0));
    let came: Vec<Value> = receiver.requests().iter().map(|request| request.data()).collect();
    assert_eq!(came, [json!(0), json!(2)]);
}

#[test]
fn a_large_event_and_its_neighbours_are_written_anew_as_they_were() {
    let mut server = Server::start();
    let api = server.api();
    let large = "x".repeat(200_000);
    let ids: Vec<String> = ["a", &large, "b"].map(|data| api.emit("new_lead", &json!(data)).id).into();
    expunge(&api, &ids[1]);
    server.kill();
    server.restart();
    let api = server.api();
    assert_eq!(event(&api, &ids[0])["data"], "a");
    assert_eq!(event(&api, &ids[1])["data"], Value::Null);
    assert_eq!(event(&api, &ids[2])["data"], "b");
}

#[test]
fn an_idempotency_key_finds_an_event_whose_data_is_gone() {
    let server = Server::start();
    let api = server.api();
    let wish = json!({"event": "new_lead", "data": "marker", "id": "k"});
    let first: Value = api.emitting(&wish).expect(202);
    expunge(&api, text(&first, "id"));
    let again: Value = api.emitting(&wish).expect(202);
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
}

#[test]
fn an_answer_is_forgotten_and_the_attempt_is_not() {
    let mut server = Server::start();
    let receiver = Receiver::answering_with(|request| match request.index {
        0 => Answer::from(500).body("marker"),
        _ => Answer::from(200).body("fine"),
    });
    let api = server.api();
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    api.wait_until_delivered(&hook.id, &event);
    let delivery = api.deliveries_of(&hook.id, &[])[0].id.clone();
    let path = format!("/api/v1/deliveries/{delivery}");
    let before: Value = api.get(&path).expect(200);
    assert_eq!(before["attempt_log"][0]["response"], "marker");
    let gone: Value = api.delete(&format!("{path}/attempts/1/response")).expect(200);
    assert_eq!(gone, json!({"success": true, "deleted": 1}));
    server.kill();
    server.restart();
    let api = server.api();
    let after: Value = api.get(&path).expect(200);
    let mut expected = before;
    expected["attempt_log"][0]["response"] = json!("EXPUNGED");
    assert_eq!(after, expected);
    for missing in ["3", "0", "x", "70000"] {
        let refusal = api.delete(&format!("{path}/attempts/{missing}/response")).refused(404);
        assert_eq!(refusal.message, "there is no such attempt");
    }
}

#[test]
fn another_account_can_forget_nothing_of_it() {
    let server = Server::start();
    let (ours, theirs) = (server.api().account("acme"), server.api().account("other"));
    let id = ours.emit("new_lead", &json!("marker")).id;
    assert_eq!(theirs.delete(&format!("/api/v1/events/{id}/data")).refused(404).code, "not_found");
    let emitter = server.api().key_of("acme", &["events"]);
    assert_eq!(emitter.delete(&format!("/api/v1/events/{id}/data")).refused(403).code, "forbidden");
    assert_eq!(event(&ours, &id)["data"], "marker");
}

#[test]
fn the_commands_expunge() {
    let server = Server::start();
    let (api, cli) = (server.api(), Cli::of(&server));
    let receiver = Receiver::answering_with(|_| Answer::from(200).body("marker"));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let id = api.emit("new_lead", &json!("marker")).id;
    api.wait_until_delivered(&hook.id, &id);
    let delivery = api.deliveries_of(&hook.id, &[])[0].id.clone();
    assert!(cli.prints(&["deliveries", "expunge", &delivery, "1"]).contains("forgotten"));
    assert!(cli.prints(&["events", "expunge", &id]).contains("forgotten"));
    assert!(!cli.prints(&["deliveries", "get", &delivery]).contains("marker"));
    assert!(!cli.prints(&["events", "get", &id]).contains("marker"));
}
