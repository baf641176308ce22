//! Errors: the status that each mistake gets, in the one shape that all have.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::support::api::{Api, JSON, Receipt};
use crate::support::server::Server;
use crate::support::settings::Settings;

const SUBSCRIBE: &str = "/api/v1/hooks/subscribe";
const EVENTS: &str = "/api/v1/events";

#[test]
fn malformed_json_is_400() {
    let server = Server::start();
    let bodies: [&[u8]; 8] = [
        b"{",
        b"nope",
        b"{\"url\":}",
        b"{\"url\":\"https://example.com\"",
        b"{\"event\":\"new_lead\",\"data\":1}}",
        b"{\"event\":\"new_lead\",\"data\":01}",
        b"{\"event\":\"new_lead\",\"data\":\"\xff\"}",
        b"{'event':'new_lead','data':1}",
    ];

    for path in [SUBSCRIBE, EVENTS, "/api/v1/accounts", "/api/v1/keys"] {
        for body in bodies {
            let reply = server.api().send("POST", path, JSON, Some(body));
            assert_eq!(reply.status, 400, "{path} {}: {}", String::from_utf8_lossy(body), reply.describe());
            reply.refused(400);
        }
    }
}

#[test]
fn a_missing_or_wrong_key_is_401_and_says_which_scheme() {
    let server = Server::start();
    let unknown = format!("Bearer fp_{}", "x".repeat(32));
    let headers: [&[(&str, &str)]; 6] = [
        &[],
        &[("authorization", "")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer not-a-key")],
        &[("authorization", &unknown)],
        &[("authorization", "Basic ZnA6eA==")],
    ];

    for headers in headers {
        let places = [("GET", "/api/v1/hooks"), ("POST", EVENTS), ("GET", "/api/v1/keys")];
        for (method, path) in places {
            let reply = server.anonymous().send(method, path, headers, None);
            reply.refused(401);
            let scheme = reply.header("www-authenticate");
            assert!(
                scheme.is_some_and(|scheme| scheme.starts_with("Bearer")),
                "{path} {headers:?}: {scheme:?}"
            );
        }
    }
}

#[test]
fn the_scheme_of_a_key_is_read_without_regard_to_case() {
    let server = Server::start();
    let key = crate::support::settings::ADMIN_KEY;

    let reply =
        server.anonymous().send("GET", "/api/v1/hooks", &[("authorization", &format!("bearer {key}"))], None);

    assert_eq!(reply.status, 200, "{}", reply.describe());
}

#[test]
fn an_unknown_place_or_id_is_404() {
    let server = Server::start();
    let api = server.api();

    for path in ["/api/v1/nothing", "/api/v2/hooks", "/nothing", "/api/v1/hooks/subscribe/more/yet"] {
        api.get(path).refused(404);
    }
    for id in ["0".repeat(27), "z".repeat(27), "x".into(), "%00".into(), "é".into(), "a".repeat(5000)] {
        let id = id.replace('é', "%C3%A9");
        for path in
            ["/api/v1/hooks/hook_", "/api/v1/hooks/", "/api/v1/events/evt_", "/api/v1/deliveries/dlv_"]
        {
            api.get(&format!("{path}{id}")).refused(404);
        }
    }
}

#[test]
fn a_method_that_a_place_does_not_know_is_405() {
    let server = Server::start();

    for (method, path) in [
        ("PUT", SUBSCRIBE),
        ("PATCH", SUBSCRIBE),
        ("DELETE", EVENTS),
        ("PUT", "/api/v1/hooks"),
        ("GET", "/api/v1/hooks/hook_000000000000000000000000000/pause"),
        ("DELETE", "/api/v1/accounts"),
        ("POST", "/health/live"),
    ] {
        let reply = server.api().send(method, path, &[], None);
        assert_eq!(reply.status, 405, "{method} {path}: {}", reply.describe());
        reply.refused(405);
    }
}

#[test]
fn a_body_over_the_limit_is_413() {
    let server = Server::start();
    let event_with = |size: usize| format!(r#"{{"event":"new_lead","data":"{}"}}"#, "x".repeat(size - 2));

    let largest = server.api().post_text(EVENTS, &event_with(1 << 20));
    let larger = server.api().post_text(EVENTS, &event_with((1 << 20) + 1));
    let far_larger = server.api().post_text(EVENTS, &event_with((16 << 20) + 1));

    assert_eq!(largest.status, 202, "{}", largest.describe());
    larger.refused(413);
    far_larger.refused(413);
    assert_eq!(server.api().emit("new_lead", &json!(1)).matched, 0);
}

#[test]
fn the_limits_are_configurable() {
    let settings = Settings::quick().set("limits.data_bytes", "100").set("limits.request_bytes", "1000");
    let server = Server::start_with(settings);
    let event_with = |size: usize| format!(r#"{{"event":"new_lead","data":"{}"}}"#, "x".repeat(size - 2));

    assert_eq!(server.api().post_text(EVENTS, &event_with(100)).status, 202);
    server.api().post_text(EVENTS, &event_with(101)).refused(413);
    let request = format!("[{}]", vec![event_with(90); 10].join(","));
    server.api().post_text(EVENTS, &request).refused(413);
}

#[test]
fn a_body_that_is_not_declared_as_json_is_415() {
    let server = Server::start();
    let body = json!({"url": "https://example.com/", "event": "new_lead"}).to_string();

    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "text/json-like"] {
        let reply = server.api().send("POST", SUBSCRIBE, &[("content-type", kind)], Some(body.as_bytes()));
        reply.refused(415);
    }
}

#[test]
fn json_of_another_type_is_422() {
    let server = Server::start();

    for body in [json!([]), json!("text"), json!(7), json!(null), json!(true), json!({})] {
        server.api().post(SUBSCRIBE, &body).refused(422);
    }
    for body in [json!("text"), json!(7), json!(null), json!({}), json!([[]]), json!([null])] {
        server.api().post(EVENTS, &body).refused(422);
    }
    for (body, field) in [
        (json!({"event": 7, "data": 1}), "event"),
        (json!({"event": null, "data": 1}), "event"),
        (json!({"data": 1}), "event"),
        (json!({"event": "new_lead"}), "data"),
        (json!({"event": "new_lead", "data": 1, "timestamp": []}), "timestamp"),
        (json!({"event": "new_lead", "data": 1, "id": {}}), "id"),
    ] {
        let refusal = server.api().post(EVENTS, &body).refused(422);
        assert!(refusal.message.contains(field), "{body}: {}", refusal.message);
    }
}

#[test]
fn a_conflict_of_idempotency_is_409() {
    let server = Server::start();
    let _: Receipt = server.api().emitting(&json!({"id": "k", "event": "new_lead", "data": 1})).expect(202);

    let refusal = server.api().emitting(&json!({"id": "k", "event": "new_lead", "data": 2})).refused(409);

    assert!(!refusal.code.is_empty() && !refusal.message.is_empty());
}

#[test]
fn every_request_has_an_id_of_its_own() {
    let server = Server::start();

    let first = server.api().get("/api/v1/nothing");
    let second = server.api().get("/api/v1/nothing");

    assert!(first.header("x-request-id").is_some());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[test]
fn no_body_at_all_makes_the_server_fail() {
    let server = Server::start();
    let api = server.api();
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });

    let outcome = runner.run(&(any_request(), any_body()), |((method, path), body)| {
        let reply = api.send(method, path, JSON, Some(body.as_bytes()));
        let answered = (200..500).contains(&reply.status);
        let shaped = reply.status < 400 || serde_json::from_slice::<Value>(&reply.body).is_ok();
        if answered && shaped { Ok(()) } else { Err(TestCaseError::fail(reply.describe())) }
    });

    assert_eq!(outcome, Ok(()));
    assert_still_serves(&api);
}

#[test]
fn a_hostile_nesting_of_json_is_no_danger() {
    let server = Server::start();
    for data in ["[".repeat(100_000), "[".repeat(100_000) + &"]".repeat(100_000), "{\"a\":".repeat(50_000)] {
        let reply = server.api().post_text(EVENTS, &format!(r#"{{"event":"new_lead","data":{data}}}"#));
        assert!(matches!(reply.status, 202 | 400 | 422), "{}", reply.describe());
        let reply = server.api().post_text(SUBSCRIBE, &data);
        assert!(matches!(reply.status, 400 | 422), "{}", reply.describe());
    }
    assert_still_serves(&server.api());
}

fn assert_still_serves(api: &Api) {
    assert_eq!(api.emit("agent_created", &json!(1)).event, "agent_created");
}

fn any_request() -> impl Strategy<Value = (&'static str, &'static str)> {
    const UNKNOWN: &str = "/api/v1/hooks/hook_000000000000000000000000000";
    prop::sample::select(vec![
        ("POST", SUBSCRIBE),
        ("DELETE", SUBSCRIBE),
        ("DELETE", UNKNOWN),
        ("POST", EVENTS),
        ("POST", "/api/v1/accounts"),
        ("POST", "/api/v1/keys"),
        ("POST", "/api/v1/hooks/hook_000000000000000000000000000/rotate-secret"),
        ("POST", "/api/v1/hooks/hook_000000000000000000000000000/replay"),
        ("POST", "/api/v1/events/evt_000000000000000000000000000/replay"),
    ])
}

/// Bodies that come close: the documented fields, with values of any kind.
fn any_body() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec![
        "url",
        "event",
        "secret",
        "id",
        "data",
        "timestamp",
        "account",
        "scopes",
        "name",
        "replay",
        "since",
        "overlap",
    ]);
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("1e999".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("[\"hooks\",7]".to_owned()),
        Just("\"new_lead\"".to_owned()),
        Just("\"http://127.0.0.1:1/\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    let object = prop::collection::vec((field, value), 0..5).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    prop_oneof![
        4 => object.clone(),
        1 => prop::collection::vec(object, 0..3).prop_map(|objects| format!("[{}]", objects.join(","))),
        1 => any::<String>(),
    ]
}
