//! Endpoints: subscriptions as the operator's API shows them.

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

use super::{Operator, application, not_found, of_page};

const ENDPOINTS: &str = "/api/v1/app/acme/endpoint";

#[test]
fn a_hook_is_an_endpoint_and_an_endpoint_a_hook() {
    let (server, operator) = application();
    let api = server.api().account("acme");
    let hook = api.subscribe("http://127.0.0.1:9/hook", "new_lead");
    let endpoint = operator.get(&format!("{ENDPOINTS}/{}", hook.id.replacen("hook_", "ep_", 1)));
    assert_eq!(
        (text(&endpoint, "url"), &endpoint["eventTypes"]),
        ("http://127.0.0.1:9/hook", &json!(["new_lead"]))
    );
    assert_eq!(endpoint["filterTypes"], endpoint["eventTypes"]);

    let made =
        operator.endpoint("acme", &json!({"url": "http://127.0.0.1:9/hook", "eventTypes": ["new_lead"]}));
    let ids: Vec<String> = api.hooks().into_iter().map(|hook| hook.id).collect();
    assert_eq!(ids, [made.replacen("ep_", "hook_", 1), hook.id.clone()]);
    // What wants another envelope is not the hook that subscribing again finds.
    assert_eq!(api.subscribe("http://127.0.0.1:9/hook", "new_lead").id, hook.id);
}

#[test]
fn an_endpoint_with_all_that_can_be_said_of_one_survives_a_kill() {
    let (mut server, operator) = application();
    let wish = json!({
        "url": "http://127.0.0.1:9/", "uid": "billing", "description": "Bills", "throttleRate": 7,
        "eventTypes": ["new_lead", "new_message"], "channels": ["eu", "us"], "metadata": {"team": "a"}, "disabled": true,
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    let made = operator.create(ENDPOINTS, &wish);
    assert_eq!(
        (&made["version"], &made["disabled"], &made["channels"]),
        (&json!(1), &json!(true), &json!(["eu", "us"]))
    );
    assert!(made.get("secret").is_none(), "{made}");
    server.kill();
    server.restart();
    let operator = Operator(server.api());
    assert_eq!(operator.get(&format!("{ENDPOINTS}/billing")), made);
    assert_eq!(
        text(&operator.get(&format!("{ENDPOINTS}/billing/secret")), "key"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    );
}

#[test]
fn a_change_leaves_what_is_absent_and_clears_what_is_null() {
    let (_server, operator) = application();
    let wish = json!({"url": "http://127.0.0.1:9/", "uid": "e", "description": "d", "channels": ["c"], "eventTypes": ["new_lead"]});
    let id = operator.endpoint("acme", &wish);
    let path = format!("{ENDPOINTS}/{id}");
    let renamed = operator.patch(&path, &json!({"description": "e", "metadata": {"a": "b"}}));
    assert_eq!(
        (text(&renamed, "uid"), &renamed["channels"], &renamed["metadata"]),
        ("e", &json!(["c"]), &json!({"a": "b"}))
    );
    let cleared =
        operator.patch(&path, &json!({"uid": null, "channels": null, "filterTypes": null, "metadata": null}));
    assert_eq!(
        (cleared.get("uid"), &cleared["channels"], &cleared["eventTypes"]),
        (Some(&Value::Null), &Value::Null, &Value::Null)
    );
    let replaced: Value =
        operator.put(&path, &json!({"url": "http://127.0.0.1:9/other", "uid": "f"})).expect(200);
    assert_eq!((text(&replaced, "url"), text(&replaced, "description")), ("http://127.0.0.1:9/other", ""));
    let made: Value =
        operator.put(&format!("{ENDPOINTS}/unknown"), &json!({"url": "http://127.0.0.1:9/"})).expect(201);
    assert_ne!(text(&made, "id"), id);
    let taken =
        operator.refused(409, "POST", ENDPOINTS, Some(&json!({"url": "http://127.0.0.1:9/", "uid": "f"})));
    assert_eq!(taken, ("conflict".into(), "A conflict has occurred".into()));
    operator.act("DELETE", &path, None);
    assert_eq!(operator.refused(404, "GET", &path, None), not_found());
    operator.endpoint("acme", &json!({"url": "http://127.0.0.1:9/", "uid": "f"}));
}

#[test]
fn a_changed_endpoint_gets_what_it_wants_where_it_wants_it() {
    let (_server, operator) = application();
    let (first, second) = (Receiver::answering([200]), Receiver::answering([200]));
    let id = operator.endpoint("acme", &json!({"url": first.url("/"), "eventTypes": ["new_lead"]}));
    let path = format!("{ENDPOINTS}/{id}");
    operator.send("acme", &json!({"eventType": "new_lead", "payload": {"n": 1}}));
    first.wait_for(1);
    operator.patch(&path, &json!({"url": second.url("/"), "eventTypes": ["new_message"]}));
    operator.send("acme", &json!({"eventType": "new_lead", "payload": {"n": 2}}));
    operator.send("acme", &json!({"eventType": "new_message", "payload": {"n": 3}}));
    assert_eq!(second.wait_for(1)[0].json(), json!({"n": 3}));
    operator.patch(&path, &json!({"disabled": true}));
    operator.send("acme", &json!({"eventType": "new_message", "payload": {"n": 4}}));
    operator.patch(&path, &json!({"disabled": false}));
    operator.send("acme", &json!({"eventType": "new_message", "payload": {"n": 5}}));
    assert_eq!(second.wait_for(2)[1].json(), json!({"n": 5}));
    assert_eq!((first.count(), second.count()), (1, 2));
}

#[test]
fn channels_narrow_what_an_endpoint_gets() {
    let (_server, operator) = application();
    let (choosy, open) = (Receiver::answering([200]), Receiver::answering([200]));
    operator.endpoint("acme", &json!({"url": choosy.url("/"), "channels": ["eu"]}));
    operator.endpoint("acme", &json!({"url": open.url("/")}));
    for (n, channels) in
        [json!(["eu", "us"]), json!(["us"]), Value::Null, json!(["eu"])].into_iter().enumerate()
    {
        operator.send("acme", &json!({"eventType": "anything", "payload": {"n": n}, "channels": channels}));
    }
    let numbers = |receiver: &Receiver, count| {
        let mut numbers: Vec<u64> =
            receiver.wait_for(count).iter().map(|one| one.json()["n"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers(&open, 4), [0, 1, 2, 3]);
    assert_eq!(numbers(&choosy, 2), [0, 3]);
}

#[test]
fn endpoints_are_listed_newest_first_and_in_both_directions() {
    let (_server, operator) = application();
    for n in 0..4 {
        operator.endpoint("acme", &json!({"url": "http://127.0.0.1:9/", "uid": format!("e{n}")}));
    }
    let first = operator.get(&format!("{ENDPOINTS}?limit=2"));
    assert_eq!(of_page(&first, "uid"), ["e3", "e2"]);
    let second = operator.get(&format!("{ENDPOINTS}?limit=2&iterator={}", text(&first, "iterator")));
    assert_eq!((of_page(&second, "uid"), &second["done"]), (vec!["e1", "e0"], &json!(true)));
    let back = operator.get(&format!("{ENDPOINTS}?limit=2&iterator={}", text(&second, "prevIterator")));
    assert_eq!(of_page(&back, "uid"), ["e3", "e2"]);
    let oldest = operator.get(&format!("{ENDPOINTS}?limit=1&order=ascending"));
    assert_eq!(of_page(&oldest, "uid"), ["e0"]);
}

#[test]
fn what_is_wrong_with_an_endpoint_is_told_with_its_place() {
    let (_server, operator) = application();
    let place = |body: Value| {
        operator.faults("POST", ENDPOINTS, &body).into_iter().map(|fault| fault.0).collect::<Vec<_>>()
    };
    let with = |name: &str, value: Value| json!({"url": "http://127.0.0.1:9/", name: value});
    assert_eq!(place(json!({"url": "ftp://example.com"})), ["body.url"]);
    assert_eq!(place(json!({"url": "nothing"})), ["body.url"]);
    assert_eq!(place(with("eventTypes", json!([]))), ["body.event_types_ids"]);
    assert_eq!(place(with("eventTypes", json!(["not.declared"]))), ["body.eventTypes"]);
    assert_eq!(place(with("channels", json!([]))), ["body.channels"]);
    assert_eq!(place(with("channels", json!(["a b"]))), ["body.channels.__all__"]);
    assert_eq!(place(with("uid", json!("ep_1"))), ["body.uid.__all__"]);
    assert_eq!(place(with("throttleRate", json!(0))), ["body.rate_limit"]);
    assert_eq!(place(with("description", Value::Null)), ["body.description"]);
    assert_eq!(place(with("secret", json!("plain-secret-of-some-length"))), ["body.secret"]);
    assert_eq!(place(with("secret", json!("whsec_c2hvcnQ="))), ["body.key.__all__"]);
    assert_eq!(place(json!({"url": "ftp://example.com", "channels": [], "uid": ""})).len(), 3);
}

#[test]
fn headers_are_replaced_changed_and_sent_and_credentials_are_not_shown() {
    let (_server, operator) = application();
    let receiver = Receiver::answering([200]);
    let id = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let path = format!("{ENDPOINTS}/{id}/headers");
    assert_eq!(operator.get(&path), json!({"headers": {}, "sensitive": []}));
    operator.act(
        "PUT",
        &path,
        Some(&json!({"headers": {"x-team": "a", "Authorization": "Bearer hidden", "x-old": "b"}})),
    );
    assert_eq!(
        operator.get(&path),
        json!({"headers": {"x-team": "a", "x-old": "b"}, "sensitive": ["authorization"]})
    );
    operator.act("PATCH", &path, Some(&json!({"headers": {"x-team": "c", "x-old": null, "x-none": null}})));
    assert_eq!(operator.get(&path)["headers"], json!({"x-team": "c"}));
    operator.send("acme", &json!({"eventType": "a", "payload": {}}));
    let sent = &receiver.wait_for(1)[0];
    assert_eq!((sent.header("x-team"), sent.header("authorization")), ("c", "Bearer hidden"));
    // As the clients of the dialect take one away.
    operator.act("PATCH", &path, Some(&json!({"headers": {"x-new": "d"}, "deleteHeaders": ["X-Team"]})));
    assert_eq!(operator.get(&path), json!({"headers": {"x-new": "d"}, "sensitive": ["authorization"]}));
    let made =
        operator.endpoint("acme", &json!({"url": receiver.url("/"), "headers": {"x-of-its-own": "e"}}));
    let headers = operator.get(&format!("{ENDPOINTS}/{made}/headers"));
    assert_eq!(headers["headers"], json!({"x-of-its-own": "e"}));
    for name in ["svix-id", "X-Amz-Date", "content-type", "cache-control", "host"] {
        let faults = operator.faults("PUT", &path, &json!({"headers": {name: "a"}}));
        assert_eq!(faults[0].0, "body.headers.__all__", "{name}");
    }
}

#[test]
fn a_secret_is_rotated_and_the_old_ones_sign_until_their_grace_is_over() {
    let (_server, operator) = application();
    let receiver = Receiver::answering([200]);
    let id = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let path = format!("{ENDPOINTS}/{id}/secret");
    let key = || text(&operator.get(&path), "key").to_owned();
    let (first, rotation) = (key(), format!("{path}/rotate"));
    let rotate = |wish: Value| {
        let rotated: Value = operator.call("POST", &rotation, Some(&wish)).expect(200);
        assert_eq!(text(&rotated, "key"), key());
    };
    rotate(json!({}));
    let second = key();
    rotate(json!({"key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}));
    operator.send("acme", &json!({"eventType": "a", "payload": {"a": 1}}));
    let sent = &receiver.wait_for(1)[0];
    assert_eq!(sent.header("webhook-signature").split(' ').count(), 3);
    for secret in [first.as_str(), second.as_str(), key().as_str()] {
        assert!(sent.is_signed_with(secret));
    }
    rotate(json!({"gracePeriodSeconds": 0}));
    for _ in 0..8 {
        rotate(json!({}));
    }
    let (code, detail) = operator.refused(400, "POST", &rotation, Some(&json!({})));
    assert!(code == "limit_reached" && detail.starts_with("You can only rotate a key 10 times;"), "{detail}");
}

#[test]
fn an_example_goes_to_the_endpoint_that_is_named_and_to_no_other() {
    let (server, operator) = application();
    let (named, other) = (Receiver::answering([200]), Receiver::answering([200]));
    let id = operator.endpoint("acme", &json!({"url": named.url("/"), "eventTypes": ["new_message"]}));
    operator.endpoint("acme", &json!({"url": other.url("/")}));
    let schema = json!({"1": {"type": "object", "examples": [{"n": 7}]}});
    operator
        .create("/api/v1/event-type", &json!({"name": "with.example", "description": "", "schemas": schema}));
    operator.create("/api/v1/event-type", &json!({"name": "without.one", "description": ""}));
    let path = format!("{ENDPOINTS}/{id}/send-example");
    let send = |event_type: &str| operator.call("POST", &path, Some(&json!({"eventType": event_type})));
    let message: Value = send("with.example").expect(200);
    assert_eq!((text(&message, "eventType"), &message["payload"]), ("with.example", &json!({})));
    assert_eq!(named.wait_for(1)[0].json(), json!({"n": 7}));
    let _: Value = send("new_lead").expect(200);
    let _: Value = send("svix.ping").expect(200);
    assert!(named.wait_for(3)[1..].iter().any(|sent| sent.json() == json!({"success": true})));
    let refused =
        |event_type, status| operator.refused(status, "POST", &path, Some(&json!({"eventType": event_type})));
    assert_eq!(
        (refused("without.one", 400).0, refused("unknown", 404)),
        ("invalid_scheme".to_owned(), not_found())
    );
    let own = Operator(server.api().key_of("acme", &["hooks", "events"]));
    own.refused(403, "POST", &path, Some(&json!({"eventType": "new_lead"})));
    assert_eq!(other.count(), 0);
}

#[test]
fn the_messages_of_an_endpoint_are_counted_by_where_they_stand() {
    let (_server, operator) = application();
    let receiver = Receiver::answering_with(|_| 200);
    let id = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let path = format!("{ENDPOINTS}/{id}/stats");
    for n in 0..3 {
        operator.send("acme", &json!({"eventType": "a", "payload": {"n": n}}));
    }
    let counts =
        |success, fail| json!({"success": success, "pending": 0, "sending": 0, "fail": fail, "canceled": 0});
    until("all are delivered", || operator.get(&path) == counts(3, 0));
    receiver.answer_from_now(500);
    operator.send("acme", &json!({"eventType": "a", "payload": {}}));
    until("one is given up", || operator.get(&path) == counts(3, 1));
    assert_eq!(operator.get(&format!("{path}?until=2020-01-01T00:00:00")), counts(0, 0));
    let refused = |query: &str| operator.refused(400, "GET", &format!("{path}{query}"), None);
    assert_eq!(
        refused("?until=2099-01-01T00:00:00Z"),
        ("invalid_range".into(), "'until' cannot be in the future".into())
    );
    assert!(
        refused("?since=2020-01-01T00:00:00Z").1.starts_with("'since' cannot be more than 28 days prior to ")
    );
}

#[test]
fn more_messages_than_are_looked_at_are_counted_from_what_was_counted_already() {
    let (server, operator) = application();
    let receiver = Receiver::answering_with(|_| 200);
    let id = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let path = format!("{ENDPOINTS}/{id}/stats");
    let api = server.api().account("acme");
    let emit = |events: usize| {
        api.emit_all(&(0..events).map(|n| json!({"event": "new_lead", "data": n})).collect::<Vec<_>>());
    };
    let counts = |success, pending| json!({"success": success, "pending": pending, "sending": 0, "fail": 0, "canceled": 0});
    emit(3);
    until("all are delivered", || operator.get(&path) == counts(3, 0));
    let _: Value = api.act(&format!("/api/v1/hooks/{}/pause", id.replacen("ep_", "hook_", 1))).expect(200);
    for _ in 0..17 {
        emit(1_000);
    }
    assert_eq!(operator.get(&path), counts(3, 17_000));
}

#[test]
fn an_endpoint_may_be_signed_to_with_a_key_of_which_it_has_the_public_half_alone() {
    let (mut server, operator) = application();
    let receiver = Receiver::answering_with(|_| 200);
    let private = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    let id = operator.endpoint("acme", &json!({"url": receiver.url("/"), "secret": private}));
    let path = format!("{ENDPOINTS}/{id}/secret");
    let public = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    assert_eq!(text(&operator.get(&path), "key"), public);
    server.kill();
    server.restart();
    let operator = Operator(server.api());
    operator.send("acme", &json!({"eventType": "a", "payload": {"n": 1}}));
    let sent = receiver.wait_for(1).remove(0);
    let (id, at) = (sent.header("webhook-id"), sent.header("webhook-timestamp"));
    let signature = sent.header("webhook-signature").strip_prefix("v1a,").expect("of a pair of keys");
    let [signature, public] = [signature, public.strip_prefix("whpk_").unwrap()].map(|text| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    });
    let signed = [format!("{id}.{at}.").as_bytes(), &sent.body].concat();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
    key.verify(&signed, &signature).expect("a good signature");
    let hook = server
        .api()
        .account("acme")
        .subscribing(&json!({"url": receiver.url("/h"), "event": "new_lead", "secret": private}));
    assert!(text(&hook.expect(201), "secret").starts_with("whpk_"));
}

#[test]
fn a_hook_is_not_changed_into_another_hook() {
    let (server, operator) = application();
    let api = server.api().account("acme");
    let (first, second) = (
        api.subscribe("http://127.0.0.1:9/1", "new_lead"),
        api.subscribe("http://127.0.0.1:9/2", "new_lead"),
    );
    let path = format!("{ENDPOINTS}/{}", second.id.replacen("hook_", "ep_", 1));
    let same = json!({"url": "http://127.0.0.1:9/1"});
    assert_eq!(operator.refused(409, "PATCH", &path, Some(&same)).0, "conflict");
    operator.patch(&path, &json!({"url": "http://127.0.0.1:9/3"}));
    let again = api.subscribing(&json!({"url": "http://127.0.0.1:9/3", "event": "new_lead"}));
    assert_eq!(text(&again.expect(200), "id"), second.id);
    assert_eq!(api.subscribe("http://127.0.0.1:9/1", "new_lead").id, first.id);
}

#[test]
fn an_endpoint_that_moves_is_tried_at_once_where_it_is_now() {
    let server = Server::start_with(Settings::quick().set("retry.schedule", r#"["1h"]"#).probe_after(1));
    let operator = Operator(server.api());
    let (broken, sound) = (Receiver::answering_with(|_| 500), Receiver::answering_with(|_| 200));
    let id = operator.endpoint("default", &json!({"url": broken.url("/")}));
    operator.send("default", &json!({"eventType": "a", "payload": {"n": 1}}));
    broken.wait_for(1);
    let attempts = format!("/api/v1/app/default/attempt/endpoint/{id}");
    until("the failure is on disk", || operator.get(&attempts)["data"].as_array().unwrap().len() == 1);
    operator.patch(&format!("/api/v1/app/default/endpoint/{id}"), &json!({"url": sound.url("/")}));
    operator.send("default", &json!({"eventType": "a", "payload": {"n": 2}}));
    assert_eq!(sound.wait_for(1)[0].json(), json!({"n": 2}));
}

#[test]
fn an_endpoint_says_how_it_is_served_and_what_must_hold_of_payloads() {
    let (_server, operator) = application();
    let receiver = Receiver::answering([200]);
    let wish = json!({
        "url": receiver.url("/"), "uid": "e", "throttleRate": 70, "filter": "@.n > 1",
        "delivery": {"ordering": "fifo", "retries": ["1s"]},
    });
    let made = operator.create(ENDPOINTS, &wish);
    let policy = json!({"rate": 70, "ordering": "fifo", "sequence": false, "retries": ["1s"],
        "deactivate": "exhausted", "poison": "deactivate"});
    assert_eq!(
        (&made["delivery"], &made["filter"], &made["throttleRate"]),
        (&policy, &json!("@.n > 1"), &json!(70))
    );
    for n in [1, 2] {
        operator.send("acme", &json!({"eventType": "a", "payload": {"n": n}}));
    }
    assert_eq!(receiver.wait_for(1)[0].json(), json!({"n": 2}));

    let path = format!("{ENDPOINTS}/e");
    // Clients that know nothing of these leave them alone.
    let put: Value = operator.put(&path, &json!({"url": receiver.url("/"), "uid": "e"})).expect(200);
    assert_eq!((&put["filter"], put["delivery"].get("rate")), (&json!("@.n > 1"), None));
    assert_eq!(put["delivery"]["ordering"], "fifo");
    let patched = operator.patch(&path, &json!({"filter": null, "delivery": {}}));
    assert_eq!((patched.get("filter"), patched.get("delivery")), (None, None));
    let faults = |body: Value| operator.faults("PATCH", &path, &body);
    assert_eq!(faults(json!({"delivery": {"rate": 0}}))[0].0, "body.delivery");
    assert_eq!(faults(json!({"filter": "n > 1"}))[0].0, "body.filter");
    assert_eq!(operator.get(&path), patched);
}

#[test]
fn an_endpoint_may_name_patterns_of_event_types() {
    let (_server, operator) = application();
    operator.create("/api/v1/event-type", &json!({"name": "order.paid", "description": ""}));
    let wish = json!({"url": "http://127.0.0.1:9/", "eventTypes": ["order.*"]});
    let made = operator.create(ENDPOINTS, &wish);
    assert_eq!(made["eventTypes"], json!(["order.*"]));
    let wish = json!({"url": "http://127.0.0.1:9/", "eventTypes": ["paid.*"]});
    assert_eq!(operator.faults("POST", ENDPOINTS, &wish)[0].0, "body.eventTypes");
}
