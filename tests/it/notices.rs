//! The router's own events besides `hookyard.hook_deactivated`: a hook that recovered, a delivery that was given up alone,
//! a backlog that grows.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, text};
use crate::support::deliveries::Delivery;
use crate::support::exposition::Exposition;
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const RECOVERED: &str = "hookyard.hook_recovered";
const EXHAUSTED: &str = "hookyard.delivery_exhausted";
const BACKLOG: &str = "hookyard.backlog_exceeded";

fn subscribe_for_good(api: &Api, receiver: &Receiver, event: &str) -> Hook {
    let wish = json!({"url": receiver.url("/"), "event": event, "delivery": {"deactivate": "never"}});
    api.subscribing(&wish).expect(201)
}

fn figure(api: &Api, name: &str) -> f64 {
    Exposition::read(&api.get("/metrics")).sum(name, None)
}

/// The data of each notice that arrived, without the time that it names under `at`.
fn told(operator: &Receiver, at: &str) -> Vec<Value> {
    let without_time = |mut data: Value| {
        let time = data.as_object_mut().and_then(|fields| fields.remove(at)).expect("it names its time");
        assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
        data
    };
    operator.requests().iter().map(|request| without_time(request.data())).collect()
}

#[test]
fn an_operator_learns_of_a_delivery_that_is_given_up_alone() {
    let server = Server::start_with(Settings::quick().schedule(&["10ms"]).probe_after(1_000));
    let (api, acme) = (server.api(), server.api().account("acme"));
    let (operator, failing, gone) =
        (Receiver::answering([200]), Receiver::answering([503]), Receiver::answering([410]));
    let watching = api.subscribe(&operator.url("/"), EXHAUSTED);
    let hook = subscribe_for_good(&acme, &failing, "new_lead");
    let other = acme.subscribe(&gone.url("/"), "new_message");

    // What goes down with its hook is told of by the deactivation.
    acme.emit("new_message", &json!(1));
    acme.wait_for_hook(&other.id, "it is deactivated", |hook| hook.status == "deactivated");
    let event = acme.emit("new_lead", &json!(1));
    operator.wait_for(1)[0].assert_signed_with(watching.secret.as_deref().expect("the answer shows it"));

    let delivery: Vec<Delivery> = acme.get(&format!("/api/v1/hooks/{}/deliveries", hook.id)).expect(200);
    assert_eq!(delivery[0].status, "dead");
    let expected = json!({
        "hook": {"id": hook.id, "url": failing.url("/"), "event": "new_lead"},
        "account": "acme",
        "delivery": {"id": delivery[0].id, "event_id": event.id, "event": "new_lead", "attempts": 2},
        "reason": "all 2 attempts failed, the last with status 503",
    });
    assert_eq!(told(&operator, "exhausted_at"), [expected]);
}

#[test]
fn an_operator_learns_once_of_a_hook_that_recovers() {
    let server = Server::start_with(Settings::quick().steady_schedule("20ms").probe_after(3));
    let api = server.api();
    let operator = Receiver::answering([200]);
    let moody = Receiver::answering([500, 200, 500, 500, 500, 500, 200]);
    let other = Receiver::answering([500, 500, 500, 200]);
    api.subscribe(&operator.url("/"), RECOVERED);
    let hook = subscribe_for_good(&api, &moody, "new_lead");
    let second = subscribe_for_good(&api, &other, "new_message");
    let emit = |event: &str, count: usize| {
        api.emit_all(&vec![json!({"event": event, "data": 1}); count]);
        for hook in [&hook, &second] {
            api.wait_for_hook(&hook.id, "it has all", |hook| hook.pending == Some(0));
        }
    };

    // One that fails once is none that was lost.
    emit("new_lead", 1);
    emit("new_lead", 3);
    emit("new_lead", 20);
    emit("new_message", 3);
    operator.wait_for(2);

    let named = |hook: &Hook, receiver: &Receiver| {
        let event = hook.event.clone();
        json!({"hook": {"id": hook.id, "url": receiver.url("/"), "event": event}, "account": "default"})
    };
    assert_eq!(told(&operator, "recovered_at"), [named(&hook, &moody), named(&second, &other)]);
}

#[test]
fn an_operator_learns_of_a_backlog_once_until_it_has_gone_down() {
    let server = Server::start_with(Settings::quick().set("health.backlog_notice", "5"));
    let api = server.api();
    let (operator, receiver) = (Receiver::answering([200]), Receiver::answering([200]));
    api.subscribe(&operator.url("/"), BACKLOG);
    let deep = api.subscribe(&receiver.url("/deep"), "new_lead");
    let shallow = api.subscribe(&receiver.url("/shallow"), "new_message");
    let emit = |event: &str, count: usize| {
        api.emit_all(&vec![json!({"event": event, "data": 1}); count]);
    };
    for hook in [&deep, &shallow] {
        api.pause(&hook.id);
    }
    emit("new_message", 5);
    emit("new_lead", 6);
    operator.wait_for(1);
    // It goes on growing while it is counted again, and again.
    emit("new_lead", 6);
    let counted = || figure(&api, "hookyard_store_counted_time_seconds");
    let before = counted();
    until("it is counted again", || counted() > before + 4.0);

    let hook = json!({"id": deep.id, "url": receiver.url("/deep"), "event": "new_lead"});
    let expected = json!({"hook": hook, "account": "default", "pending": 6, "threshold": 5});
    assert_eq!(told(&operator, "counted_at"), std::slice::from_ref(&expected));

    api.resume(&deep.id);
    until("it is gone and was counted", || figure(&api, "hookyard_hooks_backlogged") == 0.0);
    api.pause(&deep.id);
    emit("new_lead", 6);
    operator.wait_for(2);
    assert_eq!(told(&operator, "counted_at"), [expected.clone(), expected]);
}

#[test]
fn nothing_is_told_of_a_hook_that_is_told_such_things() {
    let server = Server::start_with(Settings::quick().schedule(&["10ms"]).probe_after(1_000));
    let api = server.api();
    let (operator, failing) = (Receiver::answering([200]), Receiver::answering([503]));
    api.subscribe(&operator.url("/"), EXHAUSTED);
    let watching = subscribe_for_good(&api, &failing, EXHAUSTED);
    let hook = subscribe_for_good(&api, &failing, "new_lead");

    api.emit("new_lead", &json!(1));
    api.wait_for_hook(&watching.id, "what it was told is given up", |hook| hook.dead == Some(1));
    api.emit("new_lead", &json!(2));
    operator.wait_for(2);

    let told = told(&operator, "exhausted_at");
    assert!(told.iter().all(|data| data["hook"]["id"] == json!(hook.id)), "{told:?}");
}

#[test]
fn a_notice_is_on_disk_with_what_it_tells_of() {
    let mut server = Server::start_with(Settings::quick().schedule(&["10ms"]).probe_after(1_000));
    let (operator, failing) = (Receiver::answering([200]), Receiver::answering([503]));
    let watching = server.api().subscribe(&operator.url("/"), EXHAUSTED);
    server.api().pause(&watching.id);
    let hook = subscribe_for_good(&server.api(), &failing, "new_lead");
    server.api().emit("new_lead", &json!(1));
    server.api().wait_for_hook(&hook.id, "it is given up", |hook| hook.dead == Some(1));

    server.kill();
    server.restart();

    assert_eq!(server.api().hook(&hook.id).dead, Some(1));
    server.api().resume(&watching.id);
    assert_eq!(operator.wait_for(1)[0].data()["hook"]["id"], json!(hook.id));
}

#[test]
fn each_has_an_example_and_an_unknown_one_is_refused_with_those_that_there_are() {
    let server = Server::start();
    let (api, acme) = (server.api(), server.api().account("acme"));
    for (event, time) in [(RECOVERED, "recovered_at"), (EXHAUSTED, "exhausted_at"), (BACKLOG, "counted_at")] {
        let samples: Vec<Value> = api.get(&format!("/api/v1/hooks/sample?event={event}")).expect(200);
        assert_eq!(text(&samples[0], "event"), event);
        assert!(samples[0]["data"]["hook"]["id"].is_string() && samples[0]["data"][time].is_string());
        let wish = json!({"url": "https://example.com/", "event": event});
        acme.subscribing(&wish).refused(403);
    }
    let wish = json!({"url": "https://example.com/", "event": "hookyard.hook_paused"});
    let message = api.subscribing(&wish).refused(422).message;
    assert!([RECOVERED, EXHAUSTED, BACKLOG].iter().all(|name| message.contains(name)), "{message}");
}
