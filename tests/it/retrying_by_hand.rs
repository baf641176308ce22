//! Retrying a delivery by hand: at once, whatever its schedule says, and whatever became of it.

use serde_json::json;

use crate::support::api::{Api, Reply};
use crate::support::deliveries::Delivery;
use crate::support::patience::Gate;
use crate::support::receiver::{Received, Receiver};
use crate::support::replays::{given_up, one_at_a_time, revived};
use crate::support::server::Server;
use crate::support::settings::Settings;

fn retrying(api: &Api, delivery: &Delivery) -> Reply {
    api.act(&format!("/api/v1/deliveries/{}/retry", delivery.id))
}

#[test]
fn a_manual_retry_brings_a_pending_delivery_forward() {
    let server = Server::start_with(Settings::quick().schedule(&["1h", "1h"]));
    let api = server.api();
    let receiver = Receiver::answering([500, 200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    let waiting = api.wait_until_attempted(&hook.id, &event, 1);

    let reply = retrying(&api, &waiting);

    assert_eq!(reply.status, 202, "{}", reply.describe());
    let delivered = api.wait_until_delivered(&hook.id, &event);
    assert_eq!((delivered.id, delivered.attempts), (waiting.id, 2));
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[1].webhook_id(), &requests[1].body), (event.as_str(), &requests[0].body));
}

#[test]
fn a_manual_retry_delivers_again_what_was_delivered() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    let delivered = api.wait_until_delivered(&hook.id, &event);

    let reply = retrying(&api, &delivered);

    assert_eq!(reply.status, 202, "{}", reply.describe());
    let again = api.wait_for_delivery(&hook.id, &event, "it came twice", |delivery| delivery.attempts == 2);
    assert_eq!((again.id.as_str(), again.status.as_str()), (delivered.id.as_str(), "delivered"));
    let numbers: Vec<Option<u64>> = again.log().iter().map(|attempt| attempt.n).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    assert_eq!(receiver.webhook_ids(), [event.clone(), event]);
}

#[test]
fn a_manual_retry_revives_a_dead_letter_of_an_active_hook() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&api, &receiver, 3);
    let seen = receiver.requests().len();
    let dead = api.deliveries_of(&hook.id, &[("status", "dead")]);
    let chosen = dead.iter().find(|delivery| delivery.event_id == ids[1]).expect("it is among them");

    assert_eq!(retrying(&api, chosen).status, 202);

    api.wait_until_delivered(&hook.id, &ids[1]);
    assert_eq!(receiver.webhook_ids().split_off(seen), [ids[1].clone()]);
    api.wait_for_hook(&hook.id, "two are left", |hook| (hook.pending, hook.dead) == (Some(0), Some(2)));
}

#[test]
fn a_manual_retry_that_fails_is_retried_on_a_schedule_again() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200, 500, 500, 200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    let delivered = api.wait_until_delivered(&hook.id, &event);

    assert_eq!(retrying(&api, &delivered).status, 202);

    let again = api.wait_for_delivery(&hook.id, &event, "it is delivered again", |delivery| {
        delivery.attempts == 4 && delivery.status == "delivered"
    });
    assert_eq!((again.last_status, receiver.requests().len()), (Some(200), 4));
}

#[test]
fn a_manual_retry_of_a_paused_hook_waits() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    let delivered = api.wait_until_delivered(&hook.id, &event);
    api.pause(&hook.id);

    assert_eq!(retrying(&api, &delivered).status, 202);
    let witness = Receiver::answering([200]);
    api.subscribe(&witness.url("/"), "new_message");
    api.emit("new_message", &json!("a barrier"));
    witness.wait_for(1);

    assert_eq!(receiver.requests().len(), 1);
    api.resume(&hook.id);
    assert_eq!(receiver.wait_for(2)[1].webhook_id(), event);
}

#[test]
fn a_manual_retry_survives_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let event = server.api().emit("new_lead", &json!(1)).id;
    let delivered = server.api().wait_until_delivered(&hook.id, &event);
    server.api().pause(&hook.id);

    assert_eq!(retrying(&server.api(), &delivered).status, 202);
    server.kill();
    server.restart();
    server.api().resume(&hook.id);

    assert_eq!(receiver.wait_for(2)[1].webhook_id(), event);
}

#[test]
fn a_manual_retry_to_a_deactivated_hook_is_refused() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, _) = given_up(&api, &receiver, 2);
    let seen = receiver.requests().len();
    let dead = api.deliveries_of(&hook.id, &[]).remove(0);

    let refusal = retrying(&api, &dead).refused(409);

    assert_eq!(refusal.code, "hook_deactivated");
    let hook = api.hook(&hook.id);
    assert_eq!((hook.status.as_str(), hook.pending, hook.dead), ("deactivated", Some(0), Some(2)));
    assert_eq!(receiver.requests().len(), seen);
}

#[test]
fn a_manual_retry_during_an_attempt_is_made_when_that_fails() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let gate = Gate::default();
    let held = gate.clone();
    let receiver = Receiver::answering_with(move |request: &Received| {
        if request.index == 0 {
            held.pass();
            return 500;
        }
        200
    });
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    receiver.wait_for(1);
    let flying = api.deliveries_of(&hook.id, &[]).remove(0);

    assert_eq!(retrying(&api, &flying).status, 202);
    gate.open();

    // Its schedule would have it wait for an hour.
    assert_eq!(api.wait_until_delivered(&hook.id, &event).attempts, 2);
}

#[test]
fn a_manual_retry_during_an_attempt_that_succeeds_is_done() {
    let server = Server::start();
    let api = server.api();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    receiver.wait_for(1);
    let flying = api.deliveries_of(&hook.id, &[]).remove(0);

    assert_eq!(retrying(&api, &flying).status, 202);
    gate.open();

    api.wait_until_delivered(&hook.id, &event);
    let barrier = api.emit("new_lead", &json!("a barrier")).id;
    api.wait_until_delivered(&hook.id, &barrier);
    assert_eq!(receiver.webhook_ids(), [event, barrier]);
}

#[test]
fn a_manual_retry_during_the_attempt_that_deactivates_changes_nothing() {
    let server = Server::start();
    let api = server.api();
    let gate = Gate::default();
    let held = gate.clone();
    let receiver = Receiver::answering_with(move |_: &Received| {
        held.pass();
        410
    });
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    receiver.wait_for(1);
    let flying = api.deliveries_of(&hook.id, &[]).remove(0);

    assert_eq!(retrying(&api, &flying).status, 202);
    gate.open();

    let dead = api.wait_for_delivery(&hook.id, &event, "it is parked", |delivery| delivery.status == "dead");
    let hook = api.hook(&hook.id);
    assert_eq!((hook.status.as_str(), hook.pending, hook.dead), ("deactivated", Some(0), Some(1)));
    assert_eq!((dead.attempts, receiver.requests().len()), (1, 1));
}
