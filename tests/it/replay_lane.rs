//! Replays have a lane of their own: however much is replayed, what is fresh comes at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook};
use crate::support::cli::Cli;
use crate::support::patience::until;
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// So many are replayed.
const OLD: usize = 400;
/// A fresh one comes before more of these have come than this, wherever it is emitted among them.
const FEW: usize = 40;

fn emit_old(api: &Api) {
    api.emit_all(&vec![json!({"event": "new_lead", "data": "old"}); OLD]);
}

fn slowly(receiver_answers: u16) -> Answer {
    Answer::from(receiver_answers).after(Duration::from_millis(50))
}

fn count(requests: &[Received], data: &str) -> usize {
    requests.iter().filter(|request| request.data() == json!(data)).count()
}

/// Emits some fresh events while old ones come again, and asserts that none of them waits for many of these.
fn assert_fresh_ones_come_at_once(api: &Api, hook: &Hook, receiver: &Receiver) {
    for n in 1..=5 {
        let before = count(&receiver.requests(), "old");
        api.emit("new_lead", &json!("fresh"));
        let requests = receiver.wait_until("the fresh one comes", |requests| count(requests, "fresh") == n);
        let between = count(&requests, "old") - before;
        assert!(between <= FEW, "{between} came before it");
    }
    assert!(api.hook(&hook.id).pending > Some(OLD as u64 / 4), "too little was replayed to tell");
}

#[test]
fn what_is_replayed_does_not_hold_up_what_is_fresh() {
    let server = Server::start_with(Settings::quick().set("delivery.max_in_flight", "4"));
    let api = server.api();
    let receiver = Receiver::answering_with(|_| slowly(200));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    emit_old(&api);
    api.wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));

    let replayed: Value =
        api.post(&format!("/api/v1/hooks/{}/replay", hook.id), &json!({"status": "all"})).expect(202);
    assert_eq!(replayed["queued"], OLD);
    let shown: Value = api.get(&format!("/api/v1/hooks/{}", hook.id)).expect(200);
    let replaying = shown["replaying"].as_u64().expect("it says how far it is");
    assert!((1..=OLD as u64).contains(&replaying), "{replaying}");
    assert_fresh_ones_come_at_once(&api, &hook, &receiver);

    api.wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));
    assert_eq!(count(&receiver.requests(), "old"), 2 * OLD);
    assert_eq!(count(&receiver.requests(), "fresh"), 5);
    assert_eq!(api.get(&format!("/api/v1/hooks/{}", hook.id)).expect::<Value>(200).get("replaying"), None);
}

#[test]
fn what_comes_back_with_its_hook_does_not_hold_up_what_is_fresh() {
    let server = Server::start_with(Settings::quick().set("delivery.max_in_flight", "4"));
    let api = server.api();
    let receiver = Receiver::answering_with(|request| slowly(if request.index == 0 { 410 } else { 200 }));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    emit_old(&api);
    api.resume(&hook.id);
    // What was in flight beside the first has been delivered, and is parked no more.
    let parked = || Some((OLD + 1 - receiver.count()) as u64);
    let is_over =
        |hook: &Hook| hook.status == "deactivated" && (hook.pending, hook.dead) == (Some(0), parked());
    let parked = api.wait_for_hook(&hook.id, "all are parked", is_over).dead.expect("it is shown");

    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "replay": true});
    let back: Value = api.subscribing(&wish).expect(201);
    assert_eq!(back["replaying"], parked);
    assert_fresh_ones_come_at_once(&api, &hook, &receiver);

    api.wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));
    let mut ids = receiver.webhook_ids();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), OLD + 5);
}

#[test]
fn a_replay_goes_on_while_much_that_is_fresh_comes() {
    let server = Server::start_with(Settings::quick().set("delivery.max_in_flight", "4"));
    let api = server.api();
    let receiver = Receiver::answering_with(|_| slowly(200));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit_all(&vec![json!({"event": "new_lead", "data": "old"}); 50]);
    api.wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));
    api.emit_all(&vec![json!({"event": "new_lead", "data": "fresh"}); OLD]);
    api.post(&format!("/api/v1/hooks/{}/replay", hook.id), &json!({"status": "all"})).expect::<Value>(202);

    receiver.wait_until("the replay is over", |requests| count(requests, "old") == 100);
    assert!(count(&receiver.requests(), "fresh") < OLD, "it had to wait for all that was fresh");
}

#[test]
fn whoever_waits_for_a_replay_does_not_wait_for_what_is_fresh() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let (api, cli) = (server.api(), Cli::of(&server));
    let receiver = Receiver::answering_with(|request| if request.data() == json!("bad") { 500 } else { 200 });
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!("good"));
    api.wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    api.emit("new_lead", &json!("bad"));
    until("it failed", || receiver.count() == 2);

    let said = cli.prints(&["hooks", "replay", &hook.id, "--status", "all", "--wait"]);
    assert!(said.ends_with("what was replayed has been attempted; deliveries that wait: 1\n"), "{said}");
}
