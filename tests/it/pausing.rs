//! Pausing: events wait, in flight or not, and all of them come when the hook is resumed.

use serde_json::json;

use crate::support::api::{Api, Hook};
use crate::support::patience::Gate;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

/// Emits an event that only a hook of its own gets, and waits until it has: what was under way before has come.
fn let_the_server_work(api: &Api) {
    let witness = Receiver::answering([500, 500, 200]);
    let hook = api.subscribe(&witness.url("/"), "agent_deleted");
    api.emit("agent_deleted", &json!("a barrier"));
    witness.wait_for(3);
    api.unsubscribe(&hook.id);
}

#[test]
fn a_paused_hook_keeps_its_events_and_sends_them_when_resumed() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");

    let paused = api.pause(&hook.id);
    let receipts = [1, 2, 3].map(|n| api.emit("new_lead", &json!(n)));
    let_the_server_work(&api);
    let waiting = api.hook(&hook.id);
    let arrived_while_paused = receiver.requests().len();
    let resumed = api.resume(&hook.id);

    assert_eq!((paused.active, paused.status.as_str()), (false, "paused"));
    assert!(receipts.iter().all(|receipt| receipt.matched == 1));
    assert_eq!((arrived_while_paused, waiting.pending), (0, Some(3)));
    assert_eq!((resumed.active, resumed.status.as_str()), (true, "active"));
    api.wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
    let (mut arrived, mut emitted) = (receiver.webhook_ids(), receipts.map(|receipt| receipt.id));
    arrived.sort();
    emitted.sort();
    assert_eq!(arrived, emitted);
}

#[test]
fn subscribing_resumes_a_paused_hook() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().pause(&hook.id);
    let receipt = server.api().emit("new_lead", &json!(1));

    let resumed: Hook =
        server.api().subscribing(&json!({"url": receiver.url("/"), "event": "new_lead"})).expect(200);

    assert_eq!((resumed.id, resumed.status.as_str(), resumed.secret), (hook.id, "active", hook.secret));
    assert_eq!(receiver.wait_for(1)[0].webhook_id(), receipt.id);
}

#[test]
fn a_pause_and_its_backlog_survive_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().pause(&hook.id);
    let before = server.api().emit("new_lead", &json!("before"));

    server.kill();
    server.restart();
    let after = server.api().emit("new_lead", &json!("after"));
    let_the_server_work(&server.api());

    let paused = server.api().hook(&hook.id);
    assert_eq!((paused.status.as_str(), paused.pending, after.matched), ("paused", Some(2), 1));
    assert_eq!(receiver.requests().len(), 0);
    server.api().resume(&hook.id);
    receiver.wait_until("both have come", |received| {
        [&before.id, &after.id].iter().all(|id| received.iter().any(|request| request.webhook_id() == *id))
    });
}

#[test]
fn an_overdue_retry_comes_when_the_hook_is_resumed() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([500, 200]);
    let gate = Gate::default();
    let held = gate.clone();
    let first_held = Receiver::answering_with(move |request| {
        if request.index == 0 {
            held.pass();
            return 500;
        }
        200
    });
    let hooks = [&receiver, &first_held].map(|receiver| api.subscribe(&receiver.url("/"), "new_lead"));
    api.emit("new_lead", &json!(1));
    first_held.wait_for(1);

    // The held attempt fails while its hook is paused, so its retry cannot come before the hook is resumed.
    api.pause(&hooks[1].id);
    gate.open();
    receiver.wait_for(2);
    let_the_server_work(&api);

    assert_eq!(first_held.requests().len(), 1);
    api.resume(&hooks[1].id);
    first_held.wait_for(2);
    api.wait_for_hook(&hooks[1].id, "it is delivered", |hook| hook.pending == Some(0));
}

#[test]
fn an_attempt_in_flight_finishes_while_the_hook_is_paused() {
    let server = Server::start();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().emit("new_lead", &json!(1));
    receiver.wait_for(1);

    server.api().pause(&hook.id);
    gate.open();

    let hook = server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert_eq!((hook.status.as_str(), hook.dead, receiver.requests().len()), ("paused", Some(0), 1));
}

#[test]
fn pausing_and_resuming_twice_changes_nothing() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("https://example.com/", "new_lead");

    assert_eq!(api.resume(&hook.id).status, "active");
    assert_eq!(api.pause(&hook.id).status, "paused");
    assert_eq!(api.pause(&hook.id).status, "paused");
    assert_eq!(api.resume(&hook.id).status, "active");
    assert_eq!(api.hook(&hook.id).secret, None);
}

#[test]
fn a_hook_that_is_unknown_cannot_be_paused() {
    let server = Server::start();

    for action in ["pause", "resume"] {
        server.api().act(&format!("/api/v1/hooks/hook_{}/{action}", "0".repeat(27))).refused(404);
        server.api().act(&format!("/api/v1/hooks/not-an-id/{action}")).refused(404);
    }
}
