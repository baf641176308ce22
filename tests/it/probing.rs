//! Probing: an endpoint that keeps failing gets the oldest delivery alone, and the rest once it has recovered.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, Receipt};
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Enough failures in a row to be sure that probing has begun, whichever of them is settled.
const FAILURES: usize = 4;
const WAITING: usize = 20;

fn settings() -> Settings {
    Settings::quick().steady_schedule("150ms").probe_after(FAILURES as u32 - 1)
}

/// A hook whose first event has failed until probing began, and events that wait behind it.
struct Probed {
    hook: Hook,
    oldest: String,
    waiting: Vec<String>,
}

impl Probed {
    fn begin(api: &Api, receiver: &Receiver) -> Self {
        let hook = api.subscribe(&receiver.url("/"), "new_lead");
        let oldest = api.emit("new_lead", &json!("the oldest")).id;
        receiver.wait_for(FAILURES);
        let batch: Vec<Value> = (0..WAITING).map(|n| json!({"event": "new_lead", "data": n})).collect();
        let waiting = api.emit_all(&batch).into_iter().map(|receipt: Receipt| receipt.id).collect();
        Self { hook, oldest, waiting }
    }

    /// Waits for some more probes, and asserts that nothing but the oldest was sent.
    fn assert_oldest_alone(&self, receiver: &Receiver) {
        receiver.wait_for(receiver.requests().len() + 4);
        assert!(receiver.webhook_ids().iter().all(|id| *id == self.oldest), "{:?}", receiver.webhook_ids());
    }

    /// Asserts that everything arrives after recovery: the waiting events once each, and no probe after its success.
    fn assert_all_arrive_once(&self, api: &Api, receiver: &Receiver, recovered: &str) {
        let hook = api.wait_for_hook(&self.hook.id, recovered, |hook| hook.pending == Some(0));
        assert_eq!((hook.status.as_str(), hook.dead), ("active", Some(0)));
        let mut arrived = receiver.webhook_ids();
        arrived.retain(|id| *id != self.oldest);
        let mut expected = self.waiting.clone();
        arrived.sort();
        expected.sort();
        assert_eq!(arrived, expected);
    }
}

#[test]
fn a_failing_endpoint_is_probed_by_the_oldest_delivery_alone() {
    for status in [500, 503, 429] {
        let server = Server::start_with(settings());
        let receiver = Receiver::answering([status]);

        let probed = Probed::begin(&server.api(), &receiver);
        probed.assert_oldest_alone(&receiver);
        receiver.answer_from_now(200);

        probed.assert_all_arrive_once(&server.api(), &receiver, "it recovers from 5xx or 429");
    }
}

#[test]
fn an_endpoint_that_does_not_answer_is_probed_too() {
    let server = Server::start_with(settings());
    let receiver = Receiver::answering_with(|_: &Received| Answer::nonsense());

    let probed = Probed::begin(&server.api(), &receiver);
    probed.assert_oldest_alone(&receiver);
    receiver.answer_from_now(200);

    probed.assert_all_arrive_once(&server.api(), &receiver, "it recovers from nonsense");
}

#[test]
fn other_4xx_never_start_probing() {
    let server = Server::start_with(settings());
    let receiver = Receiver::answering([404]);

    let probed = Probed::begin(&server.api(), &receiver);

    // Each of them is attempted although the oldest goes on failing.
    receiver.wait_until("every waiting event was attempted", |received| {
        probed.waiting.iter().all(|id| received.iter().any(|request| request.webhook_id() == id))
    });
}

#[test]
fn health_survives_a_kill() {
    let mut server = Server::start_with(settings());
    let receiver = Receiver::answering([500]);
    let probed = Probed::begin(&server.api(), &receiver);
    probed.assert_oldest_alone(&receiver);

    server.kill();
    server.restart();

    probed.assert_oldest_alone(&receiver);
    receiver.answer_from_now(200);
    probed.assert_all_arrive_once(&server.api(), &receiver, "it recovers after a restart");
}

#[test]
fn a_probed_hook_holds_up_no_other() {
    let server = Server::start_with(settings());
    let (failing, healthy) = (Receiver::answering([500]), Receiver::answering([200]));
    let probed = Probed::begin(&server.api(), &failing);
    let other = server.api().subscribe(&healthy.url("/"), "new_lead");

    for n in 0..10 {
        server.api().emit("new_lead", &json!(n));
    }

    healthy.wait_for(10);
    server.api().wait_for_hook(&other.id, "the healthy one is done", |hook| hook.pending == Some(0));
    assert!(failing.webhook_ids().iter().all(|id| *id == probed.oldest));
}
