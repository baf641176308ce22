//! Deactivation: when a hook is given up, what becomes of its backlog, and how it comes back.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook};
use crate::support::receiver::Receiver;
use crate::support::server::Server;

/// A hook that answered 410 to one event, and that event's id.
fn gone_hook(api: &Api, receiver: &Receiver) -> (Hook, String) {
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!("parked"));
    let gone = api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    (Hook { secret: hook.secret, ..gone }, receipt.id)
}

#[test]
fn the_fourth_failure_deactivates_the_hook() {
    let server = Server::start();
    let api = server.api();
    let (receiver, healthy) = (Receiver::answering([500]), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.subscribe(&healthy.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));

    let hook = api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    let later = api.emit("new_lead", &json!(2));

    assert!(!hook.active);
    assert!(hook.deactivated_at.is_some() && hook.reason.is_some_and(|reason| !reason.is_empty()));
    assert_eq!((hook.pending, hook.dead, hook.next_attempt_at), (Some(0), Some(1), None));
    assert_eq!(later.matched, 1);
    healthy.wait_for(2);
    assert_eq!(receiver.requests().len(), 4);
}

#[test]
fn a_410_deactivates_the_hook_at_once() {
    let server = Server::start();
    let receiver = Receiver::answering([410, 200]);

    let (hook, _) = gone_hook(&server.api(), &receiver);

    assert_eq!((hook.active, hook.dead), (false, Some(1)));
    assert_eq!(server.api().emit("new_lead", &json!(2)).matched, 0);
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn the_whole_backlog_is_parked() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([410]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    let batch: Vec<Value> = (0..100).map(|n| json!({"event": "new_lead", "data": n})).collect();
    api.emit_all(&batch);

    api.resume(&hook.id);

    let hook = api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    assert_eq!((hook.pending, hook.dead), (Some(0), Some(100)));
}

#[test]
fn subscribing_revives_a_deactivated_hook_and_leaves_its_dead_letters_parked() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([410, 200]);
    let (gone, parked) = gone_hook(&api, &receiver);

    let revived: Hook = api.subscribing(&json!({"url": receiver.url("/"), "event": "new_lead"})).expect(201);
    let receipt = api.emit("new_lead", &json!("after"));

    assert_eq!((&revived.id, &revived.secret), (&gone.id, &gone.secret));
    assert_eq!((revived.active, revived.status.as_str(), revived.deactivated_at), (true, "active", None));
    assert_eq!(receipt.matched, 1);
    receiver.wait_for(2);
    let hook = api.wait_for_hook(&gone.id, "all is delivered", |hook| hook.pending == Some(0));
    assert_eq!(hook.dead, Some(1));
    assert_eq!(receiver.webhook_ids(), [parked, receipt.id]);
}

#[test]
fn subscribing_with_replay_sends_what_was_parked() {
    let server = Server::start();
    let receiver = Receiver::answering([410, 200]);
    let (gone, parked) = gone_hook(&server.api(), &receiver);

    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "replay": true});
    let revived: Hook = server.api().subscribing(&wish).expect(201);

    assert_eq!(revived.id, gone.id);
    let requests = receiver.wait_for(2);
    assert_eq!((requests[1].webhook_id(), &requests[1].body), (parked.as_str(), &requests[0].body));
    server
        .api()
        .wait_for_hook(&gone.id, "nothing is left", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
}

#[test]
fn a_revived_hook_has_its_failures_forgotten() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([500]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");

    api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(2));

    let hook = api.wait_for_hook(&hook.id, "it is deactivated again", |hook| hook.status == "deactivated");
    assert_eq!(hook.dead, Some(2));
    assert_eq!(receiver.requests().len(), 8);
}

#[test]
fn a_deactivation_survives_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::answering([410, 200]);
    let (gone, parked) = gone_hook(&server.api(), &receiver);
    // Its receipt comes after the commit that holds the deactivation.
    server.api().emit("agent_created", &json!("a barrier"));

    server.kill();
    server.restart();

    let hook = server.api().hook(&gone.id);
    assert_eq!((hook.status.as_str(), hook.dead), ("deactivated", Some(1)));
    assert_eq!((hook.deactivated_at, hook.reason), (gone.deactivated_at, gone.reason));
    assert_eq!(server.api().emit("new_lead", &json!(2)).matched, 0);
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "replay": true});
    let revived: Hook = server.api().subscribing(&wish).expect(201);
    assert_eq!(revived.secret, gone.secret);
    assert_eq!(receiver.wait_for(2)[1].webhook_id(), parked);
}

#[test]
fn nobody_else_can_subscribe_to_deactivations() {
    let server = Server::start();
    let wish = json!({"url": "https://example.com/", "event": "hookyard.hook_deactivated"});

    let reply = server.api().account("acme").subscribing(&wish);

    assert!(matches!(reply.status, 403 | 422), "{}", reply.describe());
    reply.refused(reply.status);
}
