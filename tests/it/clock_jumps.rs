//! A wall clock that is set back or forward by an hour, while the server runs and while it does not: retries come
//! neither early nor never, and everything else stays what it is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, Receipt, text};
use crate::support::deliveries::instant;
use crate::support::patience::{CLOCK_STEP, until};
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::wall_clock::WallClock;

const HOUR: i64 = 3_600;
const JUMPS: [i64; 2] = [-HOUR, HOUR];
/// Long enough that a busy machine has set the clock before.
const WAIT: Duration = Duration::from_secs(4);
const EVENTS: usize = 20;

fn server(clock: &WallClock, settings: Settings) -> Server {
    Server::start_with(clock.given_to(settings))
}

/// Retries after the wait, never probes.
fn patient() -> Settings {
    Settings::quick().schedule(&["4s"; 3]).set("retry.jitter_percent", "0").probe_after(1_000)
}

/// Refuses each event once.
fn refusing_once() -> Receiver {
    Receiver::answering_with(|request| if request.index < EVENTS { 500 } else { 200 })
}

/// Emits all events, and waits until each was refused and that is on disk.
fn emit_and_fail(api: &Api, hook: &Hook, receiver: &Receiver) {
    api.emit_all(&vec![json!({"event": "new_lead", "data": 1}); EVENTS]);
    receiver.wait_for(EVENTS);
    until("all failures are recorded", || {
        let deliveries = api.deliveries_of(&hook.id, &[]);
        deliveries.iter().filter(|delivery| delivery.attempts > 0).count() == EVENTS
    });
}

/// Asserts that every event came twice, and not before its time.
#[track_caller]
fn assert_retried_in_time(requests: &[Received]) {
    let mut first: HashMap<&str, Instant> = HashMap::new();
    for request in &requests[..EVENTS] {
        first.insert(request.webhook_id(), request.arrived);
    }
    assert_eq!(requests.len(), 2 * EVENTS);
    for retry in &requests[EVENTS..] {
        let before = first.remove(retry.webhook_id()).expect("each is retried once");
        let waited = retry.arrived - before;
        assert!(waited + CLOCK_STEP >= WAIT, "retried after {waited:?}");
    }
}

#[track_caller]
fn assert_signed_at(request: &Received, shift: i64) {
    WallClock::assert_now(request.header("webhook-timestamp").parse().expect("seconds"), shift);
}

#[test]
fn a_jump_while_it_runs_makes_no_retry_early_nor_late() {
    for jump in JUMPS {
        let (clock, receiver) = (WallClock::new(), refusing_once());
        let server = server(&clock, patient());
        let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
        emit_and_fail(&server.api(), &hook, &receiver);

        clock.set(jump);
        let set = Instant::now();

        let requests = receiver.wait_for(2 * EVENTS);
        assert_retried_in_time(&requests);
        requests[..EVENTS].iter().for_each(|request| assert_signed_at(request, 0));
        // One that arrived just after may have been signed just before.
        let later = requests.iter().filter(|request| request.arrived > set + WAIT / 2);
        later.for_each(|request| assert_signed_at(request, jump));
    }
}

#[test]
fn a_jump_back_over_a_restart_makes_no_retry_early_nor_late() {
    let (clock, receiver) = (WallClock::new(), refusing_once());
    let mut server = server(&clock, patient());
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    emit_and_fail(&server.api(), &hook, &receiver);

    server.kill();
    clock.set(-HOUR);
    server.restart();

    let requests = receiver.wait_for(2 * EVENTS);
    assert_retried_in_time(&requests);
    requests[EVENTS..].iter().for_each(|request| assert_signed_at(request, -HOUR));
}

#[test]
fn retries_that_were_planned_before_a_jump_back_survive_a_restart_after_it() {
    let (clock, receiver) = (WallClock::new(), refusing_once());
    clock.set(HOUR);
    let mut server = server(&clock, patient());
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    clock.set(0);
    emit_and_fail(&server.api(), &hook, &receiver);

    server.kill();
    server.restart();

    assert_retried_in_time(&receiver.wait_for(2 * EVENTS));
}

#[test]
fn a_jump_forward_over_a_restart_sends_a_broken_hook_one_request_at_a_time() {
    let clock = WallClock::new();
    let receiver = Receiver::answering([500]);
    let mut server = server(&clock, patient().steady_schedule("1h").probe_after(3));
    let api = server.api();
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let receipts: Vec<Receipt> = (0..EVENTS).map(|n| api.emit("new_lead", &json!(n))).collect();
    api.wait_for_hook(&hook.id, "it is probed", |hook| hook.next_attempt_at.is_some());
    let before = receiver.wait_for(3).len();

    server.kill();
    clock.set(2 * HOUR);
    server.restart();

    receiver.wait_for(before + 1);
    let api = server.api();
    // Not the first that came: some were sent at once.
    let oldest = receipts[0].id.as_str();
    until("the probe is recorded", || {
        let deliveries = api.deliveries_of(&hook.id, &[]);
        deliveries.iter().any(|delivery| delivery.event_id == oldest && delivery.attempts == 2)
    });
    let after: Vec<String> = receiver.webhook_ids().split_off(before);
    assert_eq!(after, [oldest], "only the oldest is attempted");
}

#[test]
fn a_receiver_is_left_alone_for_as_long_as_it_asked() {
    for jump in JUMPS {
        let clock = WallClock::new();
        let receiver = Receiver::answering_with(|request| match request.index {
            0 => Answer::from(429).header("Retry-After", "3"),
            _ => Answer::from(200),
        });
        let server = server(&clock, patient());
        let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
        server.api().emit("new_lead", &json!("refused"));
        receiver.wait_for(1);
        server
            .api()
            .wait_for_hook(&hook.id, "the failure is recorded", |hook| hook.next_attempt_at.is_some());

        clock.set(jump);
        server.api().emit("new_lead", &json!("held back"));

        let requests = receiver.wait_for(3);
        for request in &requests[1..] {
            let waited = request.arrived - requests[0].arrived;
            assert!(waited + CLOCK_STEP >= Duration::from_secs(3), "held back for {waited:?}");
        }
    }
}

#[test]
fn events_keep_their_order_and_their_keys() {
    let clock = WallClock::new();
    let mut server = server(&clock, Settings::quick());
    let emit = |api: &Api, n: i64| -> Value {
        api.emitting(&json!({"event": "new_lead", "data": n, "id": format!("key {n}")})).expect(202)
    };
    let mut ids = Vec::new();
    for (n, jump) in [0, HOUR, 0, -HOUR, 0, -HOUR, HOUR].into_iter().enumerate() {
        clock.set(jump);
        if n % 3 == 2 {
            server.kill();
            server.restart();
        }
        let receipt = emit(&server.api(), n as i64);
        assert_eq!(receipt["duplicate"], false);
        ids.push(text(&receipt, "id").to_owned());
        WallClock::assert_now(instant(text(&receipt, "timestamp")).unix_timestamp(), jump);
        for (earlier, id) in ids.iter().enumerate() {
            let again = emit(&server.api(), earlier as i64);
            assert_eq!((&again["duplicate"], text(&again, "id")), (&json!(true), id.as_str()));
        }
    }
    let events: Vec<Value> = server.api().get("/api/v1/events").expect(200);
    let listed: Vec<&str> = events.iter().map(|event| text(event, "id")).collect();
    ids.reverse();
    assert_eq!(listed, ids);
}

#[test]
fn the_next_attempt_is_shown_by_the_wall_clock() {
    let (clock, receiver) = (WallClock::new(), Receiver::answering([500]));
    let server = server(&clock, Settings::quick().late_schedule().set("retry.jitter_percent", "0"));
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let event = server.api().emit("new_lead", &json!(1)).id;
    server.api().wait_until_attempted(&hook.id, &event, 1);
    for jump in JUMPS {
        clock.set(jump);
        let hook = server.api().hook(&hook.id);
        let delivery = server.api().deliveries_of(&hook.id, &[]).remove(0);
        for next in [hook.next_attempt_at, delivery.next_attempt_at] {
            let next = instant(&next.expect("it is to be retried")).unix_timestamp();
            WallClock::assert_now(next - HOUR, jump);
        }
    }
}
