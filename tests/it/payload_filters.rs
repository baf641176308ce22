//! Payload filters and patterns of event types: which events a hook gets by what it says of them.

use serde_json::{Value, json};

use crate::support::api::{Api, JSON, Reply, text};
use crate::support::cli::Cli;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const LARGE: &str = "@.amount > 100";

fn subscribe_with(api: &Api, receiver: &Receiver, filter: &str) -> Value {
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "filter": filter});
    api.subscribing(&wish).expect(201)
}

fn put(api: &Api, id: &str, body: &Value) -> Reply {
    let path = format!("/api/v1/hooks/{id}/filter");
    api.send("PUT", &path, JSON, Some(body.to_string().as_bytes()))
}

fn amounts(receiver: &Receiver, n: usize) -> Vec<Value> {
    let mut amounts: Vec<Value> =
        receiver.wait_for(n).iter().map(|request| request.data()["amount"].clone()).collect();
    amounts.sort_by_key(|amount| amount.as_u64());
    amounts
}

#[test]
fn a_hook_gets_the_events_of_whose_data_its_filter_holds() {
    let mut server = Server::start();
    let (large, all) = (Receiver::answering([200]), Receiver::answering([200]));
    let hook = subscribe_with(&server.api(), &large, LARGE);
    assert_eq!(hook["filter"], LARGE);
    server.api().subscribe(&all.url("/"), "new_lead");
    let matched: Vec<u64> = [50, 150, 100, 101]
        .map(|amount| server.api().emit("new_lead", &json!({"amount": amount})).matched)
        .into();
    assert_eq!(matched, [1, 2, 1, 2]);
    assert_eq!(server.api().emit("new_lead", &json!("no object")).matched, 1);
    all.wait_for(5);
    assert_eq!(amounts(&large, 2), [101, 150]);
    // A batch, and after a kill.
    server.api().wait_for_hook(text(&hook, "id"), "all is settled", |hook| hook.pending == Some(0));
    server.kill();
    server.restart();
    let batch: Vec<Value> = [7, 700].map(|n| json!({"event": "new_lead", "data": {"amount": n}})).into();
    let matched: Vec<u64> = server.api().emit_all(&batch).iter().map(|receipt| receipt.matched).collect();
    assert_eq!(matched, [1, 2]);
    assert_eq!(amounts(&large, 3), [101, 150, 700]);
}

#[test]
fn a_filter_is_replaced_and_removed_and_counts_from_then_on() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = subscribe_with(&api, &receiver, LARGE);
    let id = text(&hook, "id");
    let matched = |amount: u64| api.emit("new_lead", &json!({"amount": amount})).matched;
    assert_eq!((matched(5), matched(500)), (0, 1));
    let small: Value = put(&api, id, &json!({"filter": "@.amount < 100"})).expect(200);
    assert_eq!(small["filter"], "@.amount < 100");
    assert_eq!((matched(5), matched(500)), (1, 0));
    let none: Value = put(&api, id, &json!({"filter": null})).expect(200);
    assert!(none.get("filter").is_none(), "{none}");
    assert_eq!((matched(5), matched(500)), (1, 1));
    assert_eq!(put(&api, id, &json!({})).refused(422).message, "filter is required; it may be null");
    // One that is there keeps its own.
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "filter": LARGE});
    assert!(api.subscribing(&wish).expect::<Value>(200).get("filter").is_none());
}

#[test]
fn what_is_replayed_is_what_the_filter_lets_through_now() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let ids: Vec<String> = [1, 1000].map(|n| api.emit("new_lead", &json!({"amount": n})).id).into();
    let hook = subscribe_with(&api, &receiver, LARGE);
    let id = text(&hook, "id");
    let all: Value = api.post(&format!("/api/v1/hooks/{id}/replay"), &json!({"status": "all"})).expect(202);
    assert_eq!(all["queued"], 1);
    assert_eq!(amounts(&receiver, 1), [1000]);
    for (event, queued) in [(&ids[0], 0), (&ids[1], 1)] {
        let answer: Value = api.post(&format!("/api/v1/events/{event}/replay"), &json!({})).expect(202);
        assert_eq!(answer["queued"], queued);
    }
    let named = json!({"hook": id});
    let refused = api.post(&format!("/api/v1/events/{}/replay", ids[0]), &named).refused(422);
    assert_eq!(refused.code, "invalid_field");
}

#[test]
fn what_is_no_filter_is_refused_and_changes_nothing() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = subscribe_with(&api, &receiver, LARGE);
    let long = "@.a && ".repeat(200) + "@.a";
    let deep = "(".repeat(600) + "@.a" + &")".repeat(600);
    for bad in ["amount > 100", "@.amount >", "@.a] [?@.b", "", "@..a", "@.a[?@.b]", &long, &deep] {
        let refusal = put(&api, text(&hook, "id"), &json!({ "filter": bad })).refused(422);
        assert_eq!(refusal.code, "invalid_field");
        assert!(refusal.message.starts_with("filter "), "{}", refusal.message);
        let wish = json!({"url": receiver.url("/2"), "event": "new_lead", "filter": bad});
        assert_eq!(api.subscribing(&wish).refused(422).message, refusal.message);
    }
    let hooks: Vec<Value> = api.get("/api/v1/hooks").expect(200);
    assert_eq!((hooks.len(), &hooks[0]["filter"]), (1, &json!(LARGE)));
}

#[test]
fn of_data_that_cannot_be_read_nothing_is_let_through() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    subscribe_with(&api, &receiver, "!@.missing");
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let body = format!(r#"{{"event":"new_lead","data":{deep}}}"#);
    let receipt: Value = api.post_text("/api/v1/events", &body).expect(202);
    assert_eq!(receipt["matched"], 0);
    assert_eq!(api.emit("new_lead", &json!([])).matched, 1);
}

#[test]
fn a_pattern_stands_for_every_type_below_it() {
    let settings = Settings::quick().event_type("lead.created").event_type("lead.a.b").event_type("leads");
    let server = Server::start_with(settings);
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "lead.*");
    assert_eq!(hook.event, "lead.*");
    let matched = |event: &str| api.emit(event, &json!(1)).matched;
    assert_eq!((matched("lead.created"), matched("lead.a.b"), matched("leads")), (1, 1, 0));
    let mut events: Vec<String> =
        receiver.wait_for(2).iter().map(|request| text(&request.json(), "event").to_owned()).collect();
    events.sort();
    assert_eq!(events, ["lead.a.b", "lead.created"]);
    // Both names make two hooks, and each gets it.
    api.subscribe(&receiver.url("/"), "lead.created");
    assert_eq!(matched("lead.created"), 2);
    let tested: Value = api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect(200);
    assert_eq!(tested["status"], 200);
    for unknown in ["paid.*", "lead*", "*", "hookyard.*"] {
        let wish = json!({"url": receiver.url("/"), "event": unknown});
        assert_eq!(api.subscribing(&wish).refused(422).code, "unknown_event", "{unknown}");
    }
    assert_eq!(api.emitting(&json!({"event": "lead.*", "data": 1})).refused(422).code, "unknown_event");
}

#[test]
fn the_commands_set_and_remove_filters() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let made = cli.prints(&["hooks", "subscribe", "http://127.0.0.1:9/", "new_lead", "--filter", LARGE]);
    assert!(made.contains("filter\t@.amount > 100\n"), "{made}");
    let id = server.api().hooks()[0].id.clone();
    assert!(cli.prints(&["hooks", "set-filter", &id, "@.a == 1"]).contains("filter\t@.a == 1\n"));
    assert!(!cli.prints(&["hooks", "set-filter", &id]).contains("filter"));
}
