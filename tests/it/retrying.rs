//! Retrying: when the attempts of a delivery come, and what makes one fail.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook};
use crate::support::patience::CLOCK_STEP;
use crate::support::receiver::{Answer, Received, Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// How late an attempt may be on a machine that does other things too.
const LATENESS: Duration = Duration::from_secs(5);

#[test]
fn retries_follow_the_schedule_and_never_come_early() {
    let server = Server::start_with(Settings::quick().schedule(&["200ms", "500ms", "900ms"]));
    let receiver = Receiver::answering([500]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    server.api().wait_for_hook(&hook.id, "it is given up", |hook| hook.status == "deactivated");
    let requests = receiver.requests();
    assert_eq!(requests.len(), 4);
    for (pair, wait) in requests.windows(2).zip([200, 500, 900].map(Duration::from_millis)) {
        let gap = pair[1].arrived - pair[0].arrived;
        assert!(gap + CLOCK_STEP >= wait, "{gap:?} after a failure, too early for {wait:?}");
        assert!(gap <= wait.mul_f64(1.1) + LATENESS, "{gap:?} after a failure, too late for {wait:?}");
    }
}

#[test]
fn jitter_spreads_the_retries_of_many_deliveries() {
    let settings = Settings::quick().schedule(&["1s"]).set("retry.jitter_percent", "100");
    let server = Server::start_with(settings);
    let receivers: Vec<Receiver> = (0..12).map(|_| Receiver::answering([404, 200])).collect();
    for receiver in &receivers {
        server.api().subscribe(&receiver.url("/"), "new_lead");
    }

    server.api().emit("new_lead", &json!(1));

    let waits: Vec<Duration> = receivers
        .iter()
        .map(|receiver| {
            let requests = receiver.wait_for(2);
            requests[1].arrived - requests[0].arrived
        })
        .collect();
    let (least, most) = (waits.iter().min().expect("twelve"), waits.iter().max().expect("twelve"));
    assert!(*least + CLOCK_STEP >= Duration::from_secs(1), "{least:?}");
    // Twelve waits between one and two seconds are never this close together, but once in a thousand million runs.
    assert!(*most - *least > Duration::from_millis(100), "{waits:?}");
}

#[test]
fn a_success_ends_the_retries() {
    let server = Server::start();
    let receiver = Receiver::answering([500, 500, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    receiver.wait_for(3);
    let hook = server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert_eq!((hook.status.as_str(), hook.dead, hook.next_attempt_at), ("active", Some(0), None));
    assert_eq!(receiver.requests().len(), 3);
}

#[test]
fn a_hook_tells_when_its_retry_is_due() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let receiver = Receiver::answering([500]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    let hook = failed_once(&server.api(), &hook, &receiver);
    assert_eq!(hook.pending, Some(1));
    assert!(hook.next_attempt_at > hook.last_attempt_at, "{hook:?}");
}

#[test]
fn a_due_retry_survives_a_kill() {
    let wait = Duration::from_secs(3);
    let mut server = Server::start_with(Settings::quick().schedule(&["3s", "3s", "3s"]));
    let receiver = Receiver::answering([500, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));
    failed_once(&server.api(), &hook, &receiver);
    // Its receipt comes after the commit that holds the failed attempt.
    server.api().emit("agent_created", &json!("a barrier"));

    server.kill();
    server.restart();

    let requests = receiver.wait_for(2);
    let gap = requests[1].arrived - requests[0].arrived;
    assert!(gap + CLOCK_STEP >= wait, "{gap:?} after a failure, too early for {wait:?}");
    assert_eq!(receiver.webhook_ids(), [receipt.id.clone(), receipt.id]);
    let hook = server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert_eq!(hook.status, "active");
}

#[test]
fn a_retry_that_fell_due_while_the_server_was_down_comes_after_the_start() {
    let mut server = Server::start_with(Settings::quick().schedule(&["50ms"]));
    let receiver = Receiver::answering([500, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().emit("new_lead", &json!(1));
    receiver.wait_for(1);

    server.kill();
    server.restart();

    receiver.wait_for(2);
    server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
}

#[test]
fn an_answer_that_takes_too_long_is_a_failure() {
    let server = Server::start_with(Settings::quick().set("delivery.timeout", r#""300ms""#));
    let slow = Duration::from_secs(2);
    let receiver = Receiver::answering_with(move |request: &Received| match request.index {
        0 => Answer::from(200).after(slow),
        _ => Answer::from(200),
    });
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let receipt = server.api().emit("new_lead", &json!(1));

    receiver.wait_for(2);
    server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert!(receiver.webhook_ids().iter().all(|id| *id == receipt.id));
}

#[test]
fn every_status_but_2xx_and_410_is_retried() {
    let server = Server::start();
    let statuses = [300, 304, 400, 401, 403, 404, 409, 422, 429, 451, 500, 502, 503, 504, 599];
    let receivers = statuses.map(|status| Receiver::answering([status, 200]));
    let hooks = receivers.each_ref().map(|receiver| server.api().subscribe(&receiver.url("/"), "new_lead"));

    server.api().emit("new_lead", &json!(1));

    for (hook, receiver) in hooks.iter().zip(&receivers) {
        receiver.wait_for(2);
        let hook = server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
        assert_eq!(hook.status, "active");
    }
}

#[test]
fn failures_without_an_answer_lead_to_deactivation_too() {
    let server = Server::start_with(Settings::quick().set("delivery.timeout", r#""2s""#));
    let garbled = Receiver::answering_with(|_: &Received| Answer::nonsense());
    let plain = Receiver::answering([200]);
    let urls = [
        deserted_url(),
        garbled.url("/"),
        plain.url("/").replace("http://", "https://"),
        "http://[::1]:1/".into(),
    ];
    let hooks = urls.map(|url| server.api().subscribe(&url, "new_lead"));

    server.api().emit("new_lead", &json!(1));

    for hook in hooks {
        let hook =
            server.api().wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
        assert_eq!(hook.dead, Some(1), "{hook:?}");
    }
}

#[test]
fn one_failing_delivery_does_not_hold_up_the_others() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let receiver = Receiver::answering_with(|request: &Received| match request.data() {
        Value::String(_) => 500,
        _ => 200,
    });
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().emit("new_lead", &json!("refuse me"));
    receiver.wait_for(1);

    for n in 0..10 {
        server.api().emit("new_lead", &json!(n));
    }

    receiver.wait_for(11);
    server.api().wait_for_hook(&hook.id, "one is left", |hook| hook.pending == Some(1));
}

/// The hook, once its first attempt has failed and the retry waits.
fn failed_once(api: &Api, hook: &Hook, receiver: &Receiver) -> Hook {
    receiver.wait_for(1);
    api.wait_for_hook(&hook.id, "the failure is recorded", |hook| {
        hook.last_attempt_at.is_some() && hook.next_attempt_at > hook.last_attempt_at
    })
}
