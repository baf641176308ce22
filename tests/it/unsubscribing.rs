//! Unsubscribing: every way to name a hook, 200 whatever happens, and silence afterwards.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, Reply, query};
use crate::support::patience::Gate;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const URL: &str = "https://example.com/hook?a=1&b=2";
const SUBSCRIBE: &str = "/api/v1/hooks/subscribe";

/// A way to name a hook, and how many hooks go when it is used.
type Way = (&'static str, fn(&Api, &Hook) -> Reply, u64);

#[test]
fn a_hook_can_be_named_in_every_documented_way() {
    let ways: [Way; 7] = [
        (
            "url and event in the body",
            |api, _| api.delete_with(SUBSCRIBE, &json!({"url": URL, "event": "new_lead"})),
            1,
        ),
        ("id in the body", |api, hook| api.delete_with(SUBSCRIBE, &json!({"id": hook.id})), 1),
        ("url alone in the body", |api, _| api.delete_with(SUBSCRIBE, &json!({"url": URL})), 2),
        (
            "url and event in the query",
            |api, _| api.delete(&format!("{SUBSCRIBE}{}", query(&[("url", URL), ("event", "new_lead")]))),
            1,
        ),
        ("id in the query", |api, hook| api.delete(&format!("{SUBSCRIBE}{}", query(&[("id", &hook.id)]))), 1),
        ("url alone in the query", |api, _| api.delete(&format!("{SUBSCRIBE}{}", query(&[("url", URL)]))), 2),
        ("the hook's own path", |api, hook| api.delete(&format!("/api/v1/hooks/{}", hook.id)), 1),
    ];
    let server = Server::start();
    let api = server.api();
    let bystander = api.subscribe("https://example.com/other", "new_lead");

    for (way, delete, deleted) in ways {
        let hook = api.subscribe(URL, "new_lead");
        let sibling = api.subscribe(URL, "new_message");

        let answer: Value = delete(&api, &hook).expect(200);
        let again: Value = delete(&api, &hook).expect(200);

        assert_eq!(answer, json!({"success": true, "deleted": deleted}), "{way}");
        assert_eq!(again, json!({"success": true, "deleted": 0}), "{way}");
        api.get(&format!("/api/v1/hooks/{}", hook.id)).refused(404);
        let mut left: Vec<String> = api.hooks().into_iter().map(|hook| hook.id).collect();
        let mut expected = vec![bystander.id.clone()];
        if deleted == 1 {
            expected.push(sibling.id.clone());
        }
        left.sort();
        expected.sort();
        assert_eq!(left, expected, "{way}");
        api.delete(&format!("/api/v1/hooks/{}", sibling.id));
    }
}

#[test]
fn a_hook_is_found_by_a_url_that_is_spelt_differently() {
    let server = Server::start();
    server.api().subscribe("https://example.com/hook", "new_lead");

    let named = json!({"url": "https://EXAMPLE.com:443/hook", "event": "new_lead"});
    let answer: Value = server.api().delete_with(SUBSCRIBE, &named).expect(200);

    assert_eq!(answer["deleted"], 1);
}

#[test]
fn what_is_unknown_is_gone_already() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe(URL, "new_lead");
    let unknown = format!("hook_{}", "0".repeat(27));

    let answers = [
        api.delete(&format!("/api/v1/hooks/{unknown}")),
        api.delete("/api/v1/hooks/not-an-id"),
        api.delete_with(SUBSCRIBE, &json!({"id": unknown})),
        api.delete_with(SUBSCRIBE, &json!({"id": "not-an-id"})),
        api.delete_with(SUBSCRIBE, &json!({"url": "https://example.com/elsewhere"})),
        api.delete_with(SUBSCRIBE, &json!({"url": URL, "event": "new_message"})),
        api.delete_with(SUBSCRIBE, &json!({"url": URL, "event": "no_such_event"})),
        api.delete(&format!("{SUBSCRIBE}?id={unknown}")),
    ];

    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200, "{n}: {}", answer.describe());
        assert_eq!(answer.expect::<Value>(200), json!({"success": true, "deleted": 0}), "{n}");
    }
    assert_eq!(api.hook(&hook.id).status, "active");
}

#[test]
fn naming_nothing_is_refused() {
    let server = Server::start();
    let hook = server.api().subscribe(URL, "new_lead");

    server.api().delete(SUBSCRIBE).refused(422);
    server.api().delete_with(SUBSCRIBE, &json!({})).refused(422);

    assert_eq!(server.api().hook(&hook.id).status, "active");
}

#[test]
fn subscribing_after_a_deletion_makes_another_hook() {
    let server = Server::start();
    let first = server.api().subscribe(URL, "new_lead");
    server.api().unsubscribe(&first.id);

    let second: Hook = server.api().subscribing(&json!({"url": URL, "event": "new_lead"})).expect(201);

    assert_ne!(second.id, first.id);
}

#[test]
fn what_waits_is_dropped_and_what_is_in_flight_is_cut_off() {
    let server = Server::start_with(Settings::quick().set("delivery.max_in_flight", "1"));
    let api = server.api();
    let (gate, later) = (Gate::default(), Receiver::answering([200]));
    let receiver = Receiver::holding(&gate);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let batch: Vec<Value> = (0..20).map(|n| json!({"event": "new_lead", "data": n})).collect();
    api.emit_all(&batch);
    receiver.wait_for(1);

    api.unsubscribe(&hook.id);
    gate.open();
    api.subscribe(&later.url("/"), "new_message");
    api.emit("new_message", &json!(null));

    later.wait_for(1);
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn the_retries_of_a_deleted_hook_never_come() {
    let server = Server::start_with(Settings::quick().steady_schedule("500ms"));
    let api = server.api();
    let (receiver, later) = (Receiver::answering([500]), Receiver::answering([500, 200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(null));
    receiver.wait_for(1);

    api.unsubscribe(&hook.id);
    let attempted = receiver.requests().len();
    api.subscribe(&later.url("/"), "new_message");
    api.emit("new_message", &json!(null));

    // The retry of a younger event, on the same schedule: the older one's would have come before it.
    later.wait_for(2);
    assert_eq!(receiver.requests().len(), attempted);
}

#[test]
fn a_deleted_backlog_does_not_come_back_with_a_new_hook() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    for n in 0..3 {
        api.emit("new_lead", &json!(n));
    }

    api.unsubscribe(&hook.id);
    let next = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!("after"));

    api.wait_for_hook(&next.id, "the new hook has nothing left to do", |hook| {
        hook.last_attempt_at.is_some() && hook.pending == Some(0)
    });
    assert_eq!(receiver.webhook_ids(), [receipt.id]);
}

#[test]
fn a_deletion_survives_a_kill() {
    let mut server = Server::start();
    let hook = server.api().subscribe(URL, "new_lead");
    server.api().unsubscribe(&hook.id);

    server.kill();
    server.restart();

    assert_eq!(server.api().hooks(), []);
}
