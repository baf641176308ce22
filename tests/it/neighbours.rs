//! Bad neighbours: hooks whose receivers hang, reset connections or dribble, and accounts full of them, take nothing
//! from others.

use serde_json::json;

use crate::support::api::{Api, Hook};
use crate::support::misbehaving::{dribbling, resetting};
use crate::support::patience::{Gate, until};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// An attempt that hangs does so for longer than any test lasts, and no retry comes.
fn settings() -> Settings {
    Settings::quick().set("delivery.timeout", r#""2m""#).late_schedule()
}

/// Hooks whose receivers take requests and do not answer them while the gate is closed.
struct Hanging {
    receivers: Vec<Receiver>,
    hooks: Vec<Hook>,
    gate: Gate,
}

impl Hanging {
    fn hooks(api: &Api, count: usize) -> Self {
        let gate = Gate::default();
        let receivers: Vec<Receiver> = (0..count).map(|_| Receiver::holding(&gate)).collect();
        let hooks = receivers.iter().map(|receiver| api.subscribe(&receiver.url("/"), "new_lead")).collect();
        Self { receivers, hooks, gate }
    }

    fn requests(&self) -> usize {
        self.receivers.iter().map(|receiver| receiver.requests().len()).sum()
    }

    /// Asserts that no attempt has ended yet.
    fn assert_they_hang(&self, api: &Api) {
        let ended = |hook: &&Hook| api.hook(&hook.id).last_attempt_at.is_some();
        assert_eq!(self.hooks.iter().filter(ended).count(), 0);
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.gate.open();
    }
}

#[test]
fn hooks_get_theirs_while_their_neighbours_hang_and_reset_and_dribble() {
    const EVENTS: usize = 50;
    let server = Server::start_with(settings());
    let api = server.api();
    let hanging = Hanging::hooks(&api, 1);
    [resetting(), dribbling()].iter().for_each(|url| drop(api.subscribe(url, "new_lead")));
    let others = [(); 10].map(|()| Receiver::answering([200]));
    others.iter().for_each(|receiver| drop(api.subscribe(&receiver.url("/"), "new_lead")));

    let receipts: Vec<String> = (0..EVENTS).map(|n| api.emit("new_lead", &json!(n)).id).collect();

    for receiver in &others {
        let mut arrived = receiver.wait_for(EVENTS);
        arrived.sort_by_key(|request| receipts.iter().position(|id| id == request.webhook_id()));
        assert!(arrived.iter().map(|request| request.webhook_id()).eq(&receipts));
    }
    hanging.assert_they_hang(&api);
    assert!(hanging.requests() <= 32, "one endpoint has so many requests in flight");
}

#[test]
fn an_account_whose_receivers_all_hang_leaves_requests_for_others() {
    let server = Server::start_with(settings().set("delivery.max_connections", "16"));
    let (bad, good) = (server.api().account("bad"), server.api().account("good"));
    let hanging = Hanging::hooks(&bad, 20);
    let healthy = Receiver::answering([200]);
    good.subscribe(&healthy.url("/"), "new_lead");

    for n in 0..20 {
        bad.emit("new_lead", &json!(n));
    }
    // It has all that it can get.
    until("seven eighths of sixteen hang", || hanging.requests() >= 14);
    for n in 0..20 {
        good.emit("new_lead", &json!(n));
    }

    healthy.wait_for(20);
    hanging.assert_they_hang(&bad);
    assert_eq!(hanging.requests(), 14);
}

#[test]
fn hooks_that_hang_leave_requests_for_others_of_their_account() {
    let server = Server::start_with(settings().set("delivery.max_connections", "64"));
    let api = server.api();
    let hanging = Hanging::hooks(&api, 4);
    let healthy = Receiver::answering([200]);

    for n in 0..40 {
        api.emit("new_lead", &json!(n));
    }
    hanging.receivers.iter().for_each(|receiver| drop(receiver.wait_for(6)));
    api.subscribe(&healthy.url("/"), "new_message");
    for n in 0..20 {
        api.emit("new_message", &json!(n));
    }

    healthy.wait_for(20);
    hanging.assert_they_hang(&api);
    assert!(hanging.requests() < 56, "{} of the account's 56 requests hang", hanging.requests());
}
