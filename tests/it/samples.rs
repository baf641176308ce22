//! Samples: what a client shows its user before the first delivery, in the shape of what is delivered.

use serde_json::{Value, json};

use crate::support::api::{Api, query, text};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

fn samples(api: &Api, event: &str) -> Vec<Value> {
    api.get(&format!("/api/v1/hooks/sample{}", query(&[("event", event)]))).expect(200)
}

fn data(samples: &[Value]) -> Vec<&Value> {
    samples.iter().map(|sample| &sample["data"]).collect()
}

/// The names of an object's fields, sorted.
fn fields(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn without_events_the_catalogues_example_is_the_sample() {
    let server = Server::start();
    let api = server.api().account("acme");

    for event in ["new_lead", "new_message", "agent_deleted"] {
        let samples = samples(&api, event);

        assert_eq!(data(&samples), [&api.example_of(event)]);
        assert_eq!(text(&samples[0], "event"), event);
        assert_eq!(fields(&samples[0]), ["data", "event", "id", "timestamp"]);
        assert!(!text(&samples[0], "id").is_empty());
    }
}

#[test]
fn recent_events_are_the_samples_newest_first() {
    let server = Server::start();
    let api = server.api().account("acme");
    let receipts = [1, 2, 3].map(|n| api.emit("new_lead", &json!({"n": n})));

    let samples = samples(&api, "new_lead");

    assert_eq!(data(&samples), [&json!({"n": 3}), &json!({"n": 2}), &json!({"n": 1})]);
    let timestamps: Vec<&str> = samples.iter().map(|sample| text(sample, "timestamp")).collect();
    assert_eq!(
        timestamps,
        receipts.each_ref().map(|receipt| receipt.timestamp.as_str()).into_iter().rev().collect::<Vec<_>>()
    );
}

#[test]
fn every_sample_has_an_id_of_its_own() {
    let server = Server::start();
    let api = server.api();
    for _ in 0..5 {
        api.emit("new_lead", &json!("all the same"));
    }

    let samples = samples(&api, "new_lead");

    let mut ids: Vec<&str> = samples.iter().map(|sample| text(sample, "id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), samples.len()), (5, 5));
}

#[test]
fn a_sample_is_what_is_delivered_and_an_id() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!({"agentId": "agent_abc123", "lead": {"name": "Jane Doe"}}));
    let delivered = receiver.wait_for(1).remove(0);

    let mut sample = samples(&api, "new_lead").remove(0);

    assert!(!text(&sample, "id").is_empty());
    sample.as_object_mut().expect("an object").remove("id");
    assert_eq!(sample, delivered.json());
}

#[test]
fn the_data_of_a_sample_keeps_its_bytes() {
    let server = Server::start();
    let data = r#"{ "b" : 1.0, "a":"\u00fc" }"#;
    let body = format!(r#"{{"event":"new_lead","data":{data}}}"#);
    assert_eq!(server.api().post_text("/api/v1/events", &body).status, 202);

    let reply = server.api().get("/api/v1/hooks/sample?event=new_lead");

    assert!(reply.text().contains(&format!(r#""data":{data}"#)), "{}", reply.describe());
}

#[test]
fn samples_are_of_the_event_that_was_asked_for() {
    let server = Server::start();
    let api = server.api();
    api.emit("new_lead", &json!("a lead"));
    api.emit("new_message", &json!("a message"));

    assert_eq!(data(&samples(&api, "new_lead")), [&json!("a lead")]);
    assert_eq!(data(&samples(&api, "agent_created")), [&api.example_of("agent_created")]);
}

#[test]
fn samples_are_of_ones_own_account() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    globex.emit("new_lead", &json!("a secret of theirs"));

    let shown = samples(&acme, "new_lead");

    assert_eq!(data(&shown), [&acme.example_of("new_lead")]);
    let as_admin = server.api().get("/api/v1/hooks/sample?event=new_lead&account=globex");
    assert_eq!(as_admin.expect::<Vec<Value>>(200)[0]["data"], "a secret of theirs");
}

#[test]
fn samples_are_limited_as_every_list_is() {
    let server = Server::start();
    for n in 0..60 {
        server.api().emit("new_lead", &json!(n));
    }
    let asked = |limit: &str| -> Vec<Value> {
        server.api().get(&format!("/api/v1/hooks/sample?event=new_lead{limit}")).expect(200)
    };

    assert_eq!(data(&asked("&limit=2")), [&json!(59), &json!(58)]);
    assert!(asked("").len() <= 50);
    let bad = server.api().get("/api/v1/hooks/sample?event=new_lead&limit=abc");
    assert!(matches!(bad.status, 400 | 422), "{}", bad.describe());
}

#[test]
fn an_unknown_event_is_refused_with_a_list_of_the_known() {
    let server = Server::start();

    let refusal = server.api().get("/api/v1/hooks/sample?event=new_laed").refused(422);
    let unnamed = server.api().get("/api/v1/hooks/sample").refused(422);

    assert_eq!(refusal.code, "unknown_event");
    assert!(refusal.message.contains("new_lead"), "{}", refusal.message);
    assert!(unnamed.message.contains("event"), "{}", unnamed.message);
}

#[test]
fn a_catalogue_of_ones_own_gives_the_sample() {
    let server = Server::start_with(Settings::quick().event_type("order.paid"));

    let samples = samples(&server.api(), "order.paid");

    assert_eq!(data(&samples), [&json!({"n": 1})]);
}

#[test]
fn samples_need_a_key() {
    let server = Server::start();

    server.anonymous().get("/api/v1/hooks/sample?event=new_lead").refused(401);
}

#[test]
fn looking_at_samples_makes_nothing() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");

    samples(&api, "new_lead");
    samples(&api, "new_lead");
    let receipt = api.emit("new_lead", &json!(1));

    api.wait_until_delivered(&hook.id, &receipt.id);
    assert_eq!(receiver.webhook_ids(), [receipt.id]);
    assert_eq!(api.get("/api/v1/events").expect::<Vec<Value>>(200).len(), 1);
}

#[test]
fn the_samples_survive_a_kill() {
    let mut server = Server::start();
    server.api().emit("new_lead", &json!("before"));

    server.kill();
    server.restart();

    assert_eq!(data(&samples(&server.api(), "new_lead")), [&json!("before")]);
}
