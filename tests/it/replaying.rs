//! Replaying to a hook: delivering again what was given up, what was delivered, and what it never saw.

use std::ops::Range;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, Receipt, Reply};
use crate::support::receiver::Receiver;
use crate::support::replays::{arrived_after, given_up, one_at_a_time, queued, revived, set};
use crate::support::server::Server;

fn replaying(api: &Api, hook: &Hook, body: &Value) -> Reply {
    api.post(&format!("/api/v1/hooks/{}/replay", hook.id), body)
}

/// Emits these numbers and returns the ids of the events, in order.
fn emit(api: &Api, event: &str, numbers: Range<usize>) -> Vec<String> {
    numbers.map(|n| api.emit(event, &json!(n)).id).collect()
}

#[test]
fn dead_letters_are_delivered_again() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&api, &receiver, 5);
    let seen = receiver.requests().len();

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "dead"}))), 5);

    assert_eq!(arrived_after(&receiver, seen, 5), set(&ids));
    api.wait_for_hook(&hook.id, "nothing is left", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
    let statuses = api.deliveries_of(&hook.id, &[]).into_iter().map(|delivery| delivery.status);
    assert_eq!(statuses.collect::<Vec<_>>(), vec!["delivered"; 5]);
    // Nothing is dead any more.
    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "dead"}))), 0);
}

#[test]
fn a_body_is_not_needed() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&api, &receiver, 3);
    let seen = receiver.requests().len();

    let reply = api.act(&format!("/api/v1/hooks/{}/replay", hook.id));

    assert_eq!(queued(&reply), 3);
    assert_eq!(arrived_after(&receiver, seen, 3), set(&ids));
}

#[test]
fn dead_leaves_alone_what_was_delivered() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let delivered = api.emit("new_lead", &json!("delivered")).id;
    api.wait_until_delivered(&hook.id, &delivered);
    let (_, ids) = revived(&api, &receiver, 2);
    let seen = receiver.requests().len();

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "dead"}))), 2);

    assert_eq!(arrived_after(&receiver, seen, 2), set(&ids));
    assert_eq!(api.wait_until_delivered(&hook.id, &delivered).attempts, 1);
}

#[test]
fn all_is_every_event_of_the_type_also_from_before_the_hook() {
    let server = Server::start();
    let api = server.api();
    let mut expected = emit(&api, "new_lead", 0..3);
    emit(&api, "new_message", 0..2);
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    expected.extend(emit(&api, "new_lead", 3..5));
    for id in &expected[3..] {
        api.wait_until_delivered(&hook.id, id);
    }

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "all"}))), 5);

    assert_eq!(arrived_after(&receiver, 2, 5), set(&expected));
    api.wait_for_hook(&hook.id, "nothing is left", |hook| hook.pending == Some(0));
    let attempts: Vec<u64> =
        expected.iter().map(|id| api.wait_until_delivered(&hook.id, id).attempts).collect();
    assert_eq!(attempts, [1, 1, 1, 2, 2]);
}

#[test]
fn a_replay_repeats_id_and_body() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let body = r#"{"event":"new_lead","data":{ "b":1.0, "a":"\u00fc" },"timestamp":"2025-01-15T10:30:00Z"}"#;
    let receipt: Receipt = api.post_text("/api/v1/events", body).expect(202);
    api.wait_until_delivered(&hook.id, &receipt.id);

    queued(&replaying(&api, &hook, &json!({"status": "all"})));

    let requests = receiver.wait_for(2);
    assert_eq!(requests[1].webhook_id(), receipt.id);
    assert_eq!(requests[1].body, requests[0].body);
    requests[1].assert_signed_with(hook.secret.as_deref().expect("the answer shows it"));
}

#[test]
fn since_and_until_bound_a_replay() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let [old, middle, new] = &api.deliver_at_three_times(&hook);
    let replay = |body: Value| -> [bool; 3] {
        let seen = receiver.requests().len();
        let count = queued(&replaying(&api, &hook, &body)) as usize;
        let arrived = arrived_after(&receiver, seen, count);
        api.wait_for_hook(&hook.id, "nothing is left", |hook| hook.pending == Some(0));
        [old, middle, new].map(|delivery| arrived.contains(&delivery.event_id))
    };

    // Whether a bound belongs to what it bounds is nobody's promise; what is on either side of it is.
    let since = replay(json!({"status": "all", "since": middle.created_at}));
    let until = replay(json!({"status": "all", "until": middle.created_at}));
    let never = replay(json!({"status": "all", "since": "2100-01-01T00:00:00Z"}));
    let always = replay(
        json!({"status": "all", "since": "2000-01-01T00:00:00+01:00", "until": "2100-01-01T00:00:00Z"}),
    );

    assert_eq!((since[0], since[2]), (false, true));
    assert_eq!((until[0], until[2]), (true, false));
    assert_eq!((never, always), ([false; 3], [true; 3]));
}

#[test]
fn since_and_until_bound_a_replay_of_dead_letters_too() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, _) = revived(&api, &receiver, 3);
    let replay = |body: Value| queued(&replaying(&api, &hook, &body));

    assert_eq!(replay(json!({"status": "dead", "since": "2100-01-01T00:00:00Z"})), 0);
    assert_eq!(replay(json!({"status": "dead", "until": "2000-01-01T00:00:00Z"})), 0);
    assert_eq!(api.hook(&hook.id).dead, Some(3));
    let bounds = json!({"status": "dead", "since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"});
    assert_eq!(replay(bounds), 3);
}

#[test]
fn attempt_numbers_continue_on_a_fresh_schedule() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([500]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    api.wait_for_hook(&hook.id, "it is given up", |hook| hook.status == "deactivated");
    api.subscribe(&hook.url, "new_lead");

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "dead"}))), 1);
    let dead = api.wait_for_delivery(&hook.id, &event, "it is given up again", |delivery| {
        delivery.status == "dead" && delivery.attempts > 4
    });

    assert_eq!((dead.attempts, receiver.requests().len()), (8, 8));
    let numbers: Vec<Option<u64>> = dead.log().iter().map(|attempt| attempt.n).collect();
    assert_eq!(numbers, (1..=8).map(Some).collect::<Vec<_>>());
    assert_eq!(api.hook(&hook.id).status, "deactivated");
    assert_eq!(api.deliveries_of(&hook.id, &[]).len(), 1);
}

#[test]
fn what_a_bad_replay_asks_for_is_named() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("https://example.com/", "new_lead");

    for (body, field) in [
        (json!({"status": "pending"}), "status"),
        (json!({"status": 7}), "status"),
        (json!({"since": "yesterday"}), "since"),
        (json!({"until": 1_736_937_000}), "until"),
    ] {
        let refusal = replaying(&api, &hook, &body).refused(422);
        assert!(refusal.message.contains(field), "{body}: {}", refusal.message);
    }
    api.post_text(&format!("/api/v1/hooks/{}/replay", hook.id), "{").refused(400);
}

#[test]
fn a_replay_to_a_paused_hook_waits() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let ids = emit(&api, "new_lead", 0..3);
    for id in &ids {
        api.wait_until_delivered(&hook.id, id);
    }
    api.pause(&hook.id);

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "all"}))), 3);

    assert_eq!(api.hook(&hook.id).pending, Some(3));
    assert_eq!(receiver.requests().len(), 3);
    api.resume(&hook.id);
    assert_eq!(arrived_after(&receiver, 3, 3), set(&ids));
}

#[test]
fn a_replay_survives_a_kill() {
    let mut server = one_at_a_time();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&server.api(), &receiver, 10);
    let before = emit(&server.api(), "new_lead", 0..3);
    for id in &before {
        server.api().wait_until_delivered(&hook.id, id);
    }
    // Paused, so that no attempt is cut off and made twice.
    server.api().pause(&hook.id);
    let seen = receiver.requests().len();

    assert_eq!(queued(&replaying(&server.api(), &hook, &json!({"status": "all"}))), 13);
    server.kill();
    server.restart();
    server.api().resume(&hook.id);

    assert_eq!(arrived_after(&receiver, seen, 13), set(&[ids, before].concat()));
    server
        .api()
        .wait_for_hook(&hook.id, "nothing is left", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
    assert_eq!(receiver.requests().len(), seen + 13);
}

#[test]
fn many_dead_letters_are_all_replayed() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    let batch: Vec<Value> = (0..1000).map(|n| json!({"event": "new_lead", "data": n})).collect();
    let ids: Vec<String> =
        [api.emit_all(&batch), api.emit_all(&batch)].concat().into_iter().map(|receipt| receipt.id).collect();
    receiver.answer_from_now(410);
    api.resume(&hook.id);
    api.wait_for_hook(&hook.id, "all is parked", |hook| hook.dead == Some(2000));
    receiver.answer_from_now(200);
    api.subscribe(&hook.url, "new_lead");
    let seen = receiver.requests().len();

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "dead"}))), 2000);

    assert_eq!(arrived_after(&receiver, seen, 2000), set(&ids));
}

#[test]
fn nothing_is_replayed_to_a_deactivated_hook() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, _) = given_up(&api, &receiver, 2);
    let seen = receiver.requests().len();

    for status in ["dead", "all"] {
        let refusal = replaying(&api, &hook, &json!({"status": status})).refused(409);
        assert_eq!(refusal.code, "hook_deactivated");
    }

    let hook = api.hook(&hook.id);
    assert_eq!((hook.status.as_str(), hook.pending, hook.dead), ("deactivated", Some(0), Some(2)));
    assert_eq!(receiver.requests().len(), seen);
}

#[test]
fn replays_at_once_deliver_each_dead_letter_once() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&api, &receiver, 50);
    let seen = receiver.requests().len();
    let start = Barrier::new(10);

    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let api = server.api();
                start.wait();
                queued(&replaying(&api, &hook, &json!({"status": "dead"})));
            });
        }
    });

    assert_eq!(arrived_after(&receiver, seen, 50), set(&ids));
    api.wait_for_hook(&hook.id, "nothing is left", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
    assert_eq!(receiver.requests().len(), seen + 50);
}

#[test]
fn a_replay_that_a_kill_interrupts_goes_on_after_it() {
    let mut server = one_at_a_time();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&server.api(), &receiver, 200);
    let seen = receiver.requests().len();

    assert_eq!(queued(&replaying(&server.api(), &hook, &json!({"status": "dead"}))), 200);
    receiver.wait_for(seen + 20);
    server.kill();
    server.restart();

    server
        .api()
        .wait_for_hook(&hook.id, "nothing is left", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
    assert_eq!(set(&receiver.webhook_ids().split_off(seen)), set(&ids));
}

#[test]
fn a_replay_that_meets_a_410_is_parked_again() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    for id in emit(&api, "new_lead", 0..5) {
        api.wait_until_delivered(&hook.id, &id);
    }
    receiver.answer_from_now(410);

    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "all"}))), 5);

    let hook = api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    assert_eq!((hook.pending, hook.dead), (Some(0), Some(5)));
    assert_eq!(api.deliveries_of(&hook.id, &[("status", "dead")]).len(), 5);
}

#[test]
fn what_a_replay_has_queued_goes_with_its_hook() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    for id in emit(&api, "new_lead", 0..3) {
        api.wait_until_delivered(&hook.id, &id);
    }
    api.pause(&hook.id);
    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "all"}))), 3);

    api.unsubscribe(&hook.id);
    let next = api.subscribe(&receiver.url("/"), "new_lead");
    let after = api.emit("new_lead", &json!("after")).id;

    api.wait_until_delivered(&next.id, &after);
    assert_eq!(receiver.webhook_ids().split_off(3), [after]);
}

#[test]
fn missing_is_what_a_hook_has_not_got_and_is_not_on_its_way() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let before = emit(&api, "new_lead", 0..3);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let got = emit(&api, "new_lead", 3..5);
    for id in &got {
        api.wait_until_delivered(&hook.id, id);
    }
    api.pause(&hook.id);
    emit(&api, "new_lead", 5..7);
    let missing = json!({"status": "missing"});
    for (dry_run, queued) in [(true, 3), (false, 3)] {
        let wish = json!({"status": "missing", "dry_run": dry_run});
        let answer: Value = replaying(&api, &hook, &wish).expect(if dry_run { 200 } else { 202 });
        assert_eq!(answer, json!({ "queued": queued }));
    }
    // These are on their way now.
    assert_eq!(queued(&replaying(&api, &hook, &missing)), 0);
    api.resume(&hook.id);
    assert_eq!(arrived_after(&receiver, 2, 5).len(), 5);
    api.wait_for_hook(&hook.id, "nothing is left", |hook| hook.pending == Some(0));
    assert_eq!(queued(&replaying(&api, &hook, &missing)), 0);
    assert!(before.iter().all(|id| receiver.webhook_ids().contains(id)));
    let all: Value = replaying(&api, &hook, &json!({"status": "all", "dry_run": true})).expect(200);
    assert_eq!(all, json!({"queued": 7}));
}

#[test]
fn missing_counts_dead_letters_too_and_a_dry_run_changes_nothing() {
    let server = one_at_a_time();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let (hook, ids) = revived(&api, &receiver, 4);
    for status in ["dead", "missing"] {
        for since in [json!(null), json!("2020-01-01T00:00:00Z")] {
            let wish = json!({"status": status, "since": since, "dry_run": true});
            let counted: Value = replaying(&api, &hook, &wish).expect(200);
            assert_eq!(counted["queued"], 4, "{wish}");
        }
    }
    assert_eq!(api.hook(&hook.id).dead, Some(4));
    let seen = receiver.requests().len();
    assert_eq!(queued(&replaying(&api, &hook, &json!({"status": "missing"}))), 4);
    assert_eq!(arrived_after(&receiver, seen, 4), set(&ids));
}
