//! Hooks that were given up, and replays of what they missed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::api::{Api, Hook, Reply};
use super::receiver::Receiver;
use super::server::Server;
use super::settings::Settings;

/// A server that has one request of a hook in flight, so that nothing is under way when a hook was given up.
pub fn one_at_a_time() -> Server {
    Server::start_with(Settings::quick().set("delivery.max_in_flight", "1"))
}

/// A hook that was given up with the backlog that these events are.
pub fn given_up(api: &Api, receiver: &Receiver, events: usize) -> (Hook, Vec<String>) {
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    let ids = (0..events).map(|n| api.emit("new_lead", &json!(n)).id).collect();
    receiver.answer_from_now(410);
    api.resume(&hook.id);
    api.wait_for_hook(&hook.id, "all is parked", |hook| hook.dead == Some(events as u64));
    (hook, ids)
}

/// The same, and subscribed again to a receiver that takes everything.
pub fn revived(api: &Api, receiver: &Receiver, events: usize) -> (Hook, Vec<String>) {
    let (hook, ids) = given_up(api, receiver, events);
    receiver.answer_from_now(200);
    api.subscribe(&hook.url, "new_lead");
    (hook, ids)
}

/// The number of deliveries that a replay, which must be accepted, has queued.
#[track_caller]
pub fn queued(reply: &Reply) -> u64 {
    reply.expect::<Value>(202)["queued"].as_u64().expect("the number queued")
}

/// The events that arrived after the first `seen` requests, each of which must be there once.
#[track_caller]
pub fn arrived_after(receiver: &Receiver, seen: usize, events: usize) -> BTreeSet<String> {
    receiver.wait_for(seen + events);
    let ids = receiver.webhook_ids().split_off(seen);
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    distinct
}

pub fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}
