//! Testing a hook: one signed request that says what it is, its answer at once, and no trace of it afterwards.

use std::thread;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, Reply};
use crate::support::deliveries::{Attempt, instant};
use crate::support::patience::{Gate, until};
use crate::support::receiver::{Answer, Received, Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::Settings;

fn testing(api: &Api, hook: &Hook) -> Reply {
    api.act(&format!("/api/v1/hooks/{}/test", hook.id))
}

/// Tests a hook, which must be possible whatever the far side answers.
#[track_caller]
fn test(api: &Api, hook: &Hook) -> Attempt {
    testing(api, hook).expect(200)
}

/// Emits an event to the hook and waits until it has it, so that all that was to come before has come.
#[track_caller]
fn deliver_one(api: &Api, hook: &Hook) -> String {
    let id = api.emit(&hook.event, &json!("a barrier")).id;
    api.wait_until_delivered(&hook.id, &id);
    id
}

#[test]
fn a_test_delivers_the_catalogues_example_once() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");

    let attempt = test(&api, &hook);

    let tested = receiver.wait_for(1).remove(0);
    assert_eq!((attempt.status, &attempt.error), (Some(200), &None));
    instant(&attempt.at);
    assert_eq!((tested.method.as_str(), tested.header("content-type")), ("POST", "application/json"));
    let body = tested.json();
    assert_eq!((&body["event"], &body["data"]), (&json!("new_lead"), &api.example_of("new_lead")));
    instant(body["timestamp"].as_str().expect("a timestamp"));
    deliver_one(&api, &hook);
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn a_test_is_marked_and_nothing_else_is() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    test(&server.api(), &hook);
    deliver_one(&server.api(), &hook);

    let requests = receiver.requests();
    assert_eq!(requests[0].header("webhook-test"), "true");
    assert_eq!(requests[1].values("webhook-test"), [""; 0]);
}

#[test]
fn a_test_is_signed_as_deliveries_are() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    test(&server.api(), &hook);
    test(&server.api(), &hook);

    let requests = receiver.wait_for(2);
    let secret = hook.secret.expect("the answer shows it");
    for request in &requests {
        request.assert_signed_with(&secret);
        assert!(request.header("user-agent").starts_with("hookyard/"));
        assert!(request.text().starts_with(r#"{"event":"new_lead","timestamp":""#), "{}", request.text());
    }
    // A receiver that drops repetitions sees both.
    assert_ne!(requests[0].webhook_id(), requests[1].webhook_id());
}

#[test]
fn the_answer_shows_what_the_far_side_said() {
    let server = Server::start();
    let receiver = Receiver::answering_with(|_| Answer::from(418).body("I am a teapot"));
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let attempt = test(&server.api(), &hook);

    assert_eq!((attempt.status, attempt.error), (Some(418), None));
    assert_eq!(attempt.response.as_deref(), Some("I am a teapot"));
    assert!(attempt.duration_ms < 10_000);
}

#[test]
fn a_test_that_gets_no_answer_tells_why() {
    let server = Server::start_with(Settings::quick().set("delivery.timeout", r#""400ms""#));
    let gate = Gate::default();
    let silent = Receiver::holding(&gate);

    for (url, error) in
        [(silent.url("/"), "timeout"), (deserted_url(), "connect"), ("http://name.invalid/".into(), "dns")]
    {
        let hook = server.api().subscribe(&url, "new_lead");
        let attempt = test(&server.api(), &hook);

        assert_eq!((attempt.status, attempt.error.as_deref()), (None, Some(error)), "{url}");
        if error == "timeout" {
            assert!((400..10_000).contains(&attempt.duration_ms), "{} ms", attempt.duration_ms);
        }
    }
    gate.open();
}

#[test]
fn a_failed_test_is_not_retried_and_counts_for_nothing() {
    let server = Server::start_with(Settings::quick().schedule(&["50ms"]));
    let api = server.api();
    let receiver = Receiver::answering([500]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");

    for _ in 0..10 {
        assert_eq!(test(&api, &hook).status, Some(500));
    }
    receiver.answer_from_now(200);
    let delivered = deliver_one(&api, &hook);

    let mut ids = receiver.webhook_ids();
    assert_eq!((ids.len(), ids.pop()), (11, Some(delivered)));
    let hook = api.hook(&hook.id);
    assert_eq!((hook.status.as_str(), hook.pending, hook.dead), ("active", Some(0), Some(0)));
}

#[test]
fn a_410_to_a_test_deactivates_nothing() {
    let server = Server::start();
    let receiver = Receiver::answering([410, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    assert_eq!(test(&server.api(), &hook).status, Some(410));

    assert_eq!(server.api().hook(&hook.id).status, "active");
    deliver_one(&server.api(), &hook);
}

#[test]
fn failed_tests_start_no_probing() {
    let server = Server::start_with(Settings::quick().probe_after(1));
    let api = server.api();
    let gate = Gate::default();
    let held = gate.clone();
    let receiver = Receiver::answering_with(move |request: &Received| {
        if !request.values("webhook-test").is_empty() {
            return 503;
        }
        held.pass();
        200
    });
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    for _ in 0..3 {
        assert_eq!(test(&api, &hook).status, Some(503));
    }

    for n in 0..3 {
        api.emit("new_lead", &json!(n));
    }

    // A hook that is probed has one request in flight, and none of these is answered yet.
    receiver.wait_for(6);
    gate.open();
}

#[test]
fn a_successful_test_ends_no_probing() {
    let server = Server::start_with(Settings::quick().probe_after(1).schedule(&["1h", "1h"]));
    let api = server.api();
    let receiver =
        Receiver::answering_with(
            |request: &Received| {
                if request.values("webhook-test").is_empty() { 503 } else { 200 }
            },
        );
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let first = api.emit("new_lead", &json!(1));
    api.wait_until_attempted(&hook.id, &first.id, 1);

    assert_eq!(test(&api, &hook).status, Some(200));
    let second = api.emit("new_lead", &json!(2));
    test(&api, &hook);

    assert_eq!(receiver.webhook_ids().iter().filter(|id| **id == second.id).count(), 0);
    let waiting = api.deliveries_of(&hook.id, &[("status", "pending")]);
    assert_eq!(waiting.iter().map(|delivery| delivery.attempts).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn retry_after_in_the_answer_to_a_test_delays_nothing() {
    let server = Server::start();
    let receiver = Receiver::answering_with(|request: &Received| match request.index {
        0 => Answer::from(503).header("Retry-After", "3600"),
        _ => Answer::from(200),
    });
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    assert_eq!(test(&server.api(), &hook).status, Some(503));

    deliver_one(&server.api(), &hook);
}

#[test]
fn a_test_does_not_wait_for_what_the_hook_waits_for() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let api = server.api();
    let receiver = Receiver::answering([500, 200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let failed = api.emit("new_lead", &json!(1));
    let before = api.wait_until_attempted(&hook.id, &failed.id, 1);

    assert_eq!(test(&api, &hook).status, Some(200));

    assert_eq!(api.delivery(&before.id), before);
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn a_test_is_nowhere_recorded() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let before = api.hook(&hook.id);
    let samples = api.get("/api/v1/hooks/sample?event=new_lead");

    test(&api, &hook);

    assert_eq!(api.hook(&hook.id), before);
    assert_eq!(api.deliveries(&[]), []);
    assert_eq!(api.deliveries_of(&hook.id, &[]), []);
    assert_eq!(api.get("/api/v1/events").expect::<Value>(200), json!([]));
    let samples_after = api.get("/api/v1/hooks/sample?event=new_lead").expect::<Vec<Value>>(200);
    assert_eq!(samples_after.len(), samples.expect::<Vec<Value>>(200).len());
    let id = receiver.wait_for(1)[0].webhook_id().to_owned();
    api.get(&format!("/api/v1/events/{id}")).refused(404);
}

#[test]
fn a_paused_hook_can_be_tested_and_stays_paused() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    api.emit("new_lead", &json!("waiting"));

    let attempt = test(&api, &hook);

    assert_eq!(attempt.status, Some(200));
    let paused = api.hook(&hook.id);
    assert_eq!((paused.status.as_str(), paused.pending), ("paused", Some(1)));
    assert_eq!(receiver.wait_for(1)[0].header("webhook-test"), "true");
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn testing_a_deactivated_hook_does_not_revive_it() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([410, 200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!("parked"));
    let gone = api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");

    let reply = testing(&api, &hook);

    // Whether it can be tested is nobody's promise; that this changes nothing is.
    match reply.status {
        200 => assert_eq!(receiver.wait_for(2)[1].header("webhook-test"), "true"),
        _ => assert_eq!(reply.refused(409).code, "hook_deactivated"),
    }
    assert_eq!(api.hook(&hook.id), gone);
}

#[test]
fn a_hook_of_a_catalogue_of_ones_own_is_tested_with_its_example() {
    let server = Server::start_with(Settings::quick().event_type("order.paid"));
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "order.paid");

    test(&server.api(), &hook);

    let body = receiver.wait_for(1)[0].json();
    assert_eq!((&body["event"], &body["data"]), (&json!("order.paid"), &json!({"n": 1})));
}

#[test]
fn only_the_tested_hook_is_called() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/tested"), "new_lead");
    let other = server.api().subscribe(&receiver.url("/other"), "new_lead");

    test(&server.api(), &hook);

    assert_eq!(receiver.wait_for(1)[0].target, "/tested");
    let barrier = deliver_one(&server.api(), &other);
    let to_the_other = receiver.requests().into_iter().filter(|request| request.target == "/other");
    assert_eq!(to_the_other.map(|request| request.webhook_id().to_owned()).collect::<Vec<_>>(), [barrier]);
}

#[test]
fn what_is_unknown_or_not_ones_own_cannot_be_tested() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let receiver = Receiver::answering([200]);
    let theirs = globex.subscribe(&receiver.url("/"), "new_lead");

    testing(&acme, &theirs).refused(404);
    acme.act(&format!("/api/v1/hooks/hook_{}/test", "0".repeat(27))).refused(404);
    server.api().key_of("globex", &["events"]).act(&format!("/api/v1/hooks/{}/test", theirs.id)).refused(403);

    deliver_one(&globex, &theirs);
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn a_test_in_flight_is_answered_before_the_server_stops() {
    let mut server = Server::start();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let api = server.api();
    let hook = api.subscribe(&receiver.url("/"), "new_lead");

    let attempt = thread::scope(|scope| {
        let testing = scope.spawn(|| test(&api, &hook));
        receiver.wait_for(1);
        server.terminate();
        until("the server stops", || {
            let ready = server.anonymous().try_send("GET", "/health/ready", &[], None);
            ready.map_or(true, |reply| reply.status != 200)
        });
        gate.open();
        testing.join().expect("it is answered")
    });

    assert_eq!((attempt.status, attempt.error), (Some(200), None));
    assert!(server.wait_for_exit().success());
}

#[test]
fn a_test_in_flight_is_cut_off_with_its_hook() {
    let server = Server::start();
    let api = server.api();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");

    let cut = thread::scope(|scope| {
        let cut = scope.spawn(|| testing(&api, &hook));
        receiver.wait_for(1);
        // The receiver has not answered yet, and does not before the hook is gone.
        api.unsubscribe(&hook.id);
        let cut = cut.join().expect("it is answered");
        gate.open();
        cut
    });

    cut.refused(404);
}
