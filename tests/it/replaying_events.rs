//! Replaying an event: to every hook that matches it now, whenever it subscribed, or to the one that is named.

use serde_json::{Value, json};

use crate::support::api::{Api, Reply};
use crate::support::receiver::Receiver;
use crate::support::replays::{given_up, one_at_a_time, queued};
use crate::support::server::Server;

fn replaying_event(api: &Api, event: &str, body: &Value) -> Reply {
    api.post(&format!("/api/v1/events/{event}/replay"), body)
}

#[test]
fn an_event_is_replayed_to_all_that_match_now() {
    let server = Server::start();
    let api = server.api();
    let [before, later, gone, other] = [(); 4].map(|()| Receiver::answering([200]));
    let hook = api.subscribe(&before.url("/"), "new_lead");
    let deleted = api.subscribe(&gone.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!({"n": 1})).id;
    api.wait_until_delivered(&hook.id, &event);
    gone.wait_for(1);
    api.unsubscribe(&deleted.id);
    let subscribed_later = api.subscribe(&later.url("/"), "new_lead");
    api.subscribe(&other.url("/"), "new_message");

    assert_eq!(queued(&replaying_event(&api, &event, &json!({}))), 2);

    assert_eq!(before.wait_for(2)[1].webhook_id(), event);
    let request = later.wait_for(1).remove(0);
    assert_eq!((request.webhook_id(), &request.body), (event.as_str(), &before.requests()[0].body));
    assert_eq!(api.wait_until_delivered(&subscribed_later.id, &event).attempts, 1);
    let twice = api.wait_for_delivery(&hook.id, &event, "it came twice", |delivery| delivery.attempts == 2);
    assert_eq!(twice.status, "delivered");
    assert_eq!((gone.requests().len(), other.requests().len()), (1, 0));
}

#[test]
fn an_event_is_replayed_to_the_hook_that_is_named() {
    let server = Server::start();
    let api = server.api();
    let [one, two] = [(); 2].map(|()| Receiver::answering([200]));
    let hooks = [&one, &two].map(|receiver| api.subscribe(&receiver.url("/"), "new_lead"));
    let event = api.emit("new_lead", &json!(1)).id;
    for hook in &hooks {
        api.wait_until_delivered(&hook.id, &event);
    }

    assert_eq!(queued(&replaying_event(&api, &event, &json!({"hook": hooks[1].id}))), 1);

    assert_eq!(two.wait_for(2)[1].webhook_id(), event);
    let barrier = api.emit("new_lead", &json!("a barrier")).id;
    api.wait_until_delivered(&hooks[0].id, &barrier);
    assert_eq!(one.webhook_ids(), [event, barrier]);
}

#[test]
fn an_event_that_matches_nothing_queues_nothing() {
    let server = Server::start();
    let event = server.api().emit("new_lead", &json!(1)).id;

    let reply = server.api().act(&format!("/api/v1/events/{event}/replay"));

    assert_eq!(queued(&reply), 0);
}

#[test]
fn an_event_cannot_be_replayed_to_a_hook_that_is_not_there() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let receiver = Receiver::answering([200]);
    let theirs = globex.subscribe(&receiver.url("/"), "new_lead");
    let event = acme.emit("new_lead", &json!("for acme")).id;

    let to_theirs = replaying_event(&acme, &event, &json!({"hook": theirs.id}));
    let to_none = replaying_event(&acme, &event, &json!({"hook": format!("hook_{}", "0".repeat(27))}));
    let to_all = replaying_event(&acme, &event, &json!({}));

    assert_eq!(to_theirs.status, to_none.status);
    assert!(matches!(to_theirs.status, 404 | 422), "{}", to_theirs.describe());
    assert_eq!(queued(&to_all), 0);
    replaying_event(&acme, &event, &json!({"hook": 7})).refused(422);
    let barrier = globex.emit("new_lead", &json!("for globex")).id;
    globex.wait_until_delivered(&theirs.id, &barrier);
    assert_eq!(receiver.webhook_ids(), [barrier]);
}

#[test]
fn a_replay_of_an_event_survives_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let event = server.api().emit("new_lead", &json!(1)).id;
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().pause(&hook.id);

    assert_eq!(queued(&replaying_event(&server.api(), &event, &json!({}))), 1);
    server.kill();
    server.restart();
    server.api().resume(&hook.id);

    assert_eq!(receiver.wait_for(1)[0].webhook_id(), event);
    server.api().wait_until_delivered(&hook.id, &event);
}

#[test]
fn a_deactivated_hook_gets_no_replay_of_an_event() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = given_up(&api, &receiver, 2);
    let seen = receiver.requests().len();

    let refusal = replaying_event(&api, &ids[0], &json!({"hook": hook.id})).refused(409);
    // It matches nothing, so that a replay to all that match leaves it out.
    let to_all = queued(&replaying_event(&api, &ids[0], &json!({})));

    assert_eq!((refusal.code.as_str(), to_all), ("hook_deactivated", 0));
    assert_eq!((api.hook(&hook.id).dead, receiver.requests().len()), (Some(2), seen));
}
