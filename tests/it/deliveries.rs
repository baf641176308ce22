//! Looking at a delivery: what became of it, attempt for attempt, for whoever owns it and nobody else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, Reply};
use crate::support::deliveries::{Delivery, OneOfEach, instant};
use crate::support::patience::Gate;
use crate::support::receiver::{Answer, Received, Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::Settings;

const DELIVERIES: &str = "/api/v1/deliveries";

/// A way to name a delivery.
type Way = (&'static str, fn(&Api, &str) -> Reply);

#[test]
fn a_delivery_tells_what_became_of_it() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!({"n": 1}));

    let delivery = api.wait_until_delivered(&hook.id, &receipt.id);

    assert!(delivery.id.starts_with("dlv_"), "{delivery:?}");
    assert_eq!((&delivery.event_id, &delivery.hook_id), (&receipt.id, &hook.id));
    assert_eq!((delivery.event.as_str(), delivery.attempts), ("new_lead", 1));
    assert_eq!((delivery.last_status, &delivery.last_error), (Some(200), &None));
    assert_eq!(delivery.next_attempt_at, None);
    instant(&delivery.created_at);
    let listed = Delivery { attempt_log: None, ..delivery };
    for list in [api.deliveries(&[]), api.deliveries_of(&hook.id, &[])] {
        assert_eq!(list, std::slice::from_ref(&listed));
    }
}

#[test]
fn what_has_no_value_is_null_and_not_left_out() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!(1));
    let id = api.wait_until_delivered(&hook.id, &receipt.id).id;

    let delivery: Value = api.get(&format!("{DELIVERIES}/{id}")).expect(200);

    assert_eq!(
        (delivery.get("next_attempt_at"), delivery.get("last_error")),
        (Some(&Value::Null), Some(&Value::Null))
    );
    let attempt = &delivery["attempt_log"][0];
    assert_eq!((&attempt["n"], attempt.get("error")), (&json!(1), Some(&Value::Null)));
}

#[test]
fn a_delivery_that_failed_tells_when_its_retry_is_due() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let receiver = Receiver::answering([503]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));

    let delivery = server.api().wait_until_attempted(&hook.id, &receipt.id, 1);

    assert_eq!(
        (delivery.status.as_str(), delivery.attempts, delivery.last_status),
        ("pending", 1, Some(503))
    );
    let due = instant(delivery.next_attempt_at.as_deref().expect("it is retried"));
    let wait = due - instant(&delivery.log()[0].at);
    // An hour, up to a tenth of jitter, and what the attempt took.
    assert!(wait >= Duration::from_secs(3_599) && wait <= Duration::from_secs(3_970), "{wait}");
}

#[test]
fn a_delivery_that_was_given_up_is_dead() {
    let server = Server::start();
    let api = server.api();
    let (failing, gone) = (Receiver::answering([500]), Receiver::answering([410]));
    let hooks = [&failing, &gone].map(|receiver| api.subscribe(&receiver.url("/"), "new_lead"));
    let receipt = api.emit("new_lead", &json!(1));

    let [failed, refused] = hooks.map(|hook| {
        api.wait_for_delivery(&hook.id, &receipt.id, "it is given up", |delivery| delivery.status == "dead")
    });

    assert_eq!((failed.attempts, failed.last_status, failed.next_attempt_at), (4, Some(500), None));
    assert_eq!((refused.attempts, refused.last_status, refused.next_attempt_at), (1, Some(410), None));
}

#[test]
fn a_delivery_that_was_parked_without_an_attempt_is_dead_too() {
    let server = Server::start_with(Settings::quick().set("delivery.max_in_flight", "1"));
    let api = server.api();
    let receiver = Receiver::answering([410]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    let expected = api.emit_in_order("new_lead", 0..30);

    api.resume(&hook.id);
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.dead == Some(30));

    let dead = api.deliveries_of(&hook.id, &[("status", "dead")]);
    assert_eq!(
        dead.iter().map(|delivery| &delivery.event_id).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert!(
        dead.iter().all(|delivery| delivery.attempts <= 1 && delivery.next_attempt_at.is_none()),
        "{dead:?}"
    );
    assert!(dead.iter().any(|delivery| delivery.attempts == 0 && delivery.last_status.is_none()), "{dead:?}");
}

#[test]
fn a_delivery_that_waits_is_pending() {
    let server = Server::start();
    let api = server.api();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let flying = api.subscribe(&receiver.url("/"), "new_lead");
    let paused = api.subscribe("https://example.com/", "new_lead");
    api.pause(&paused.id);
    let receipt = api.emit("new_lead", &json!(1));
    receiver.wait_for(1);

    for hook in [&flying, &paused] {
        let delivery = api.deliveries_of(&hook.id, &[]).remove(0);
        assert_eq!((delivery.status.as_str(), delivery.attempts), ("pending", 0), "{delivery:?}");
        assert_eq!((delivery.last_status, delivery.last_error), (None, None));
    }
    gate.open();
    assert_eq!(api.wait_until_delivered(&flying.id, &receipt.id).attempts, 1);
}

#[test]
fn every_attempt_is_in_the_log() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering_with(|request: &Received| match request.index {
        0 => Answer::from(500).body("out of order"),
        1 => Answer::from(404),
        _ => Answer::from(201).body(r#"{"ok":true}"#),
    });
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!(1));

    let delivery = api.wait_until_delivered(&hook.id, &receipt.id);

    let log = delivery.log();
    let told: Vec<(Option<u64>, Option<u16>, &str)> = log
        .iter()
        .map(|attempt| (attempt.n, attempt.status, attempt.response.as_deref().unwrap_or_default()))
        .collect();
    let expected = [
        (Some(1), Some(500), "out of order"),
        (Some(2), Some(404), ""),
        (Some(3), Some(201), r#"{"ok":true}"#),
    ];
    assert_eq!(told, expected);
    assert!(log.iter().all(|attempt| attempt.error.is_none()));
    let (waits, times) = ([100, 200], log.iter().map(|attempt| instant(&attempt.at)).collect::<Vec<_>>());
    for (pair, wait) in times.windows(2).zip(waits) {
        // Both are cut to whole milliseconds.
        assert!(pair[1] - pair[0] >= Duration::from_millis(wait - 1), "{times:?}");
    }
    assert_eq!((delivery.attempts, delivery.last_status), (3, Some(201)));
}

#[test]
fn an_attempt_that_got_no_answer_tells_why() {
    let server = Server::start_with(Settings::quick().late_schedule().set("delivery.timeout", r#""500ms""#));
    let api = server.api();
    let gate = Gate::default();
    let (silent, nonsense) = (Receiver::holding(&gate), Receiver::answering_with(|_| Answer::nonsense()));
    let no_tls = Receiver::answering([200]);
    let cases = [
        (silent.url("/"), "timeout"),
        (deserted_url(), "connect"),
        ("http://no-such-host.invalid/".to_owned(), "dns"),
        (nonsense.url("/"), "protocol"),
        (no_tls.url("/").replace("http://", "https://"), "tls"),
    ];
    let hooks = cases.each_ref().map(|(url, _)| api.subscribe(url, "new_lead"));

    let receipt = api.emit("new_lead", &json!(1));

    for (hook, (url, error)) in hooks.iter().zip(&cases) {
        let delivery = api.wait_until_attempted(&hook.id, &receipt.id, 1);
        let attempt = &delivery.log()[0];
        assert_eq!((attempt.error.as_deref(), attempt.status), (Some(*error), None), "{url}");
        assert_eq!(attempt.response.as_deref().unwrap_or_default(), "", "{url}");
        assert_eq!((delivery.last_error.as_deref(), delivery.last_status), (Some(*error), None), "{url}");
        assert_eq!(delivery.status, "pending", "{url}");
    }
    gate.open();
}

#[test]
fn an_attempt_tells_how_long_it_took() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering_with(|_| Answer::from(200).after(Duration::from_millis(300)));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!(1));

    let delivery = api.wait_until_delivered(&hook.id, &receipt.id);

    let duration = delivery.log()[0].duration_ms;
    // At most the timeout, and what a busy machine adds.
    assert!((300..12_000).contains(&duration), "{duration} ms");
}

#[test]
fn the_first_bytes_of_an_answer_are_kept_and_not_all_of_it() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let long: String = (0..100_000).map(|n| format!("{n:06} ")).collect();
    let body = long.clone();
    let receiver = Receiver::answering_with(move |_| Answer::from(500).body(&body));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipt = api.emit("new_lead", &json!(1));

    let delivery = api.wait_until_attempted(&hook.id, &receipt.id, 1);

    let response = delivery.log()[0].response.clone().expect("there was an answer");
    assert!(!response.is_empty() && response.len() < 100_000, "{} bytes", response.len());
    let beginning = response.get(..100).expect("more than a few");
    assert!(long.starts_with(beginning), "{beginning}");
}

#[test]
fn an_event_for_two_hooks_is_two_deliveries() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hooks = ["/one", "/two"].map(|path| api.subscribe(&receiver.url(path), "new_lead"));

    let receipt = api.emit("new_lead", &json!(1));

    let [one, two] = hooks.map(|hook| api.wait_until_delivered(&hook.id, &receipt.id));
    assert_ne!(one.id, two.id);
    assert_eq!(one.event_id, two.event_id);
    assert_eq!(api.deliveries(&[]).len(), 2);
}

#[test]
fn another_accounts_delivery_answers_exactly_as_an_unknown_one() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let receiver = Receiver::answering([200]);
    let hook = globex.subscribe(&receiver.url("/"), "new_lead");
    let receipt = globex.emit("new_lead", &json!("a secret of theirs"));
    let theirs = globex.wait_until_delivered(&hook.id, &receipt.id);
    let unknown = format!("dlv_{}", "0".repeat(theirs.id.len() - 4));

    let ways: [Way; 2] = [
        ("GET", |api, id| api.get(&format!("{DELIVERIES}/{id}"))),
        ("POST", |api, id| api.act(&format!("{DELIVERIES}/{id}/retry"))),
    ];
    for (way, ask) in ways {
        for id in [theirs.id.as_str(), &unknown, "not-an-id", "dlv_"] {
            let reply = ask(&acme, id);
            let refusal = reply.refused(404);
            let of_an_unknown = ask(&acme, &unknown).refused(404);
            assert_eq!(
                (refusal.code, refusal.message.replace(id, "ID")),
                (of_an_unknown.code, of_an_unknown.message.replace(&unknown, "ID")),
                "{way} {id}"
            );
        }
    }
    assert_eq!(acme.get(DELIVERIES).expect::<Value>(200), json!([]));
    let of_their_hook = acme.get(&format!("{DELIVERIES}?hook={}", hook.id));
    let of_no_hook = acme.get(&format!("{DELIVERIES}?hook=hook_{}", "0".repeat(27)));
    assert_eq!(of_their_hook.status, of_no_hook.status);
    assert!(!of_their_hook.text().contains(&theirs.id));
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn deliveries_are_for_keys_that_manage_hooks() {
    let server = Server::start();
    let admin = server.api();
    let (hooks, events) = (admin.key_of("acme", &["hooks"]), admin.key_of("acme", &["events"]));
    let receiver = Receiver::answering([200]);
    let hook = hooks.subscribe(&receiver.url("/"), "new_lead");
    let receipt = events.emit("new_lead", &json!(1));
    let delivery = hooks.wait_until_delivered(&hook.id, &receipt.id);

    for path in [
        DELIVERIES.to_owned(),
        format!("{DELIVERIES}/{}", delivery.id),
        format!("/api/v1/hooks/{}/deliveries", hook.id),
    ] {
        assert_eq!(hooks.get(&path).status, 200, "{path}");
        events.get(&path).refused(403);
        server.anonymous().get(&path).refused(401);
    }
    assert_eq!(admin.deliveries(&[]), []);
    assert_eq!(admin.deliveries(&[("account", "acme")]).len(), 1);
}

#[test]
fn deliveries_survive_a_restart() {
    let mut server = Server::start_with(Settings::quick().late_schedule());
    let each = OneOfEach::make(&server.api());
    let before = server.api().deliveries(&[]);
    let logs: Vec<Delivery> = before.iter().map(|delivery| server.api().delivery(&delivery.id)).collect();

    server.terminate();
    server.wait_for_exit();
    server.restart();

    assert_eq!(server.api().deliveries(&[]), before);
    for delivery in logs {
        assert_eq!(server.api().delivery(&delivery.id), delivery);
    }
    assert_eq!(server.api().deliveries_of(&each.dead.id, &[("status", "dead")]).len(), 1);
}

#[test]
fn deliveries_and_their_attempts_survive_a_kill() {
    let mut server = Server::start_with(Settings::quick().late_schedule());
    OneOfEach::make(&server.api());
    // Its receipt comes after the commit that holds the attempts.
    server.api().emit("agent_created", &json!("a barrier"));
    let before = server.api().deliveries(&[]);
    let logs: Vec<Delivery> = before.iter().map(|delivery| server.api().delivery(&delivery.id)).collect();

    server.kill();
    server.restart();

    assert_eq!(server.api().deliveries(&[]), before);
    for delivery in logs {
        assert_eq!(server.api().delivery(&delivery.id), delivery);
    }
}
