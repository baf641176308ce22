//! What was in flight when a hook was paused or given up, and ends when it is back.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook};
use crate::support::patience::Gate;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Every hook on one arbiter, so that their messages meet.
fn server() -> Server {
    Server::start_with(Settings::quick().set("workers", "1"))
}

/// A receiver that holds its first request until the gate opens and answers it so, the second with 410, then with 200.
fn receiver_of_an_old_attempt(gate: &Gate, answer: u16) -> Receiver {
    let gate = gate.clone();
    Receiver::answering_with(move |request| match request.index {
        0 => {
            gate.pass();
            answer
        }
        1 => 410,
        _ => 200,
    })
}

/// A hook that was deactivated and came back while an attempt from before was in flight, and has ended now.
fn revived_hook(api: &Api, receiver: &Receiver, gate: &Gate) -> Hook {
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    receiver.wait_for(1);
    api.emit("new_lead", &json!(2));
    api.wait_for_hook(&hook.id, "a 410 deactivated it", |hook| hook.status == "deactivated");
    api.subscribe(&receiver.url("/"), "new_lead");

    gate.open();

    // Its attempt is settled with this event's, or before.
    let after = api.emit("new_lead", &json!("after")).id;
    receiver.wait_until("what came after is delivered", |received| {
        received.iter().any(|request| request.webhook_id() == after)
    });
    api.wait_for_hook(&hook.id, "nothing waits but dead letters", |hook| {
        (hook.pending, hook.dead) == (Some(0), Some(2))
    })
}

#[test]
fn a_410_from_before_does_not_deactivate_a_hook_that_is_back() {
    let (server, gate) = (server(), Gate::default());
    let receiver = receiver_of_an_old_attempt(&gate, 410);

    let hook = revived_hook(&server.api(), &receiver, &gate);

    assert_eq!(hook.status, "active");
}

#[test]
fn a_failure_from_before_stays_a_dead_letter() {
    let (server, gate) = (server(), Gate::default());
    let receiver = receiver_of_an_old_attempt(&gate, 500);

    revived_hook(&server.api(), &receiver, &gate);

    assert_eq!(receiver.requests().len(), 3, "the old delivery was attempted again");
}

#[test]
fn attempts_that_end_while_a_hook_is_resumed_are_not_repeated() {
    const EVENTS: usize = 32;
    let server = server();
    let api = server.api();
    for _ in 0..5 {
        let gate = Gate::default();
        let held = gate.clone();
        let receiver = Receiver::answering_with(move |request| {
            held.pass();
            // They end one after the other, some of them while the backlog is being read.
            thread::sleep(Duration::from_micros(700 * (request.index % EVENTS) as u64));
            200
        });
        let hook = api.subscribe(&receiver.url("/"), "new_lead");
        let batch: Vec<Value> = (0..EVENTS).map(|n| json!({"event": "new_lead", "data": n})).collect();
        api.emit_all(&batch);
        receiver.wait_for(EVENTS);
        api.pause(&hook.id);

        gate.open();
        api.resume(&hook.id);

        api.wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
        let last = api.emit("new_lead", &json!("last")).id;
        receiver.wait_until("what came after is delivered", |received| {
            received.iter().any(|request| request.webhook_id() == last)
        });
        let mut counts: HashMap<String, usize> = HashMap::new();
        receiver.webhook_ids().into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
        counts.retain(|_, count| *count > 1);
        assert!(counts.is_empty(), "{counts:?}");
        api.unsubscribe(&hook.id);
    }
}

#[test]
fn a_hook_that_comes_back_while_its_attempts_fail_delivers_again() {
    const OLD: usize = 31;
    let server = server();
    let api = server.api();
    for round in 0..5 {
        let gate = Gate::default();
        let held = gate.clone();
        let receiver = Receiver::answering_with(move |request| match request.index {
            old if old < OLD => {
                held.pass();
                thread::sleep(Duration::from_micros(600 * old as u64));
                410
            }
            OLD => 410,
            _ => 200,
        });
        let hook = api.subscribe(&receiver.url("/"), "new_lead");
        let batch: Vec<Value> = (0..OLD).map(|n| json!({"event": "new_lead", "data": n})).collect();
        api.emit_all(&batch);
        receiver.wait_for(OLD);
        api.emit("new_lead", &json!("the first to fail"));
        api.wait_for_hook(&hook.id, "a 410 deactivated it", |hook| hook.status == "deactivated");

        gate.open();
        api.subscribe(&receiver.url("/"), "new_lead");

        let after = api.emit("new_lead", &json!("after")).id;
        receiver.wait_until(&format!("round {round}: what came after is delivered"), |received| {
            received.iter().any(|request| request.webhook_id() == after)
        });
        assert_eq!(api.hook(&hook.id).status, "active", "round {round}");
        api.unsubscribe(&hook.id);
    }
}
