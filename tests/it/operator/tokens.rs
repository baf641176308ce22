//! Tokens: who may do what, and what an application's own token never sees.

use serde_json::{Value, json};

use crate::support::api::text;

use super::{Operator, application, not_found};

#[test]
fn a_visitor_without_a_token_is_told_so() {
    let (server, _) = application();
    for caller in [server.anonymous(), server.api_with_key("fp_unknown")] {
        let refused: Value = caller.get("/api/v1/app").expect(401);
        assert_eq!(refused, json!({"code": "authentication_failed", "detail": "Invalid token"}));
    }
}

#[test]
fn an_applications_token_sees_its_own_application_alone() {
    let (server, operator) = application();
    operator.create("/api/v1/app", &json!({"name": "Other", "uid": "other"}));
    let own = Operator(server.api().key_of("acme", &["hooks", "events"]));
    assert_eq!(text(&own.get("/api/v1/app/acme"), "uid"), "acme");
    let endpoint = own.endpoint("acme", &json!({"url": "http://127.0.0.1:9/"}));
    let message = own.send("acme", &json!({"eventType": "a", "payload": {}}));
    for path in [
        "/api/v1/app/other".to_owned(),
        "/api/v1/app/other/endpoint".to_owned(),
        format!("/api/v1/app/other/endpoint/{endpoint}"),
        "/api/v1/app/other/msg".to_owned(),
        format!("/api/v1/app/other/msg/{}", text(&message, "id")),
        "/api/v1/app/unknown".to_owned(),
    ] {
        assert_eq!(own.refused(404, "GET", &path, None), not_found(), "{path}");
    }
    let body = json!({"name": "a", "description": "b", "eventType": "c", "payload": {}});
    let denied =
        ("insufficient access".to_owned(), "Insufficient access for the given operation.".to_owned());
    for (method, path) in [
        ("GET", "/api/v1/app"),
        ("POST", "/api/v1/app"),
        ("PUT", "/api/v1/app/acme"),
        ("PATCH", "/api/v1/app/acme"),
        ("DELETE", "/api/v1/app/acme"),
        ("POST", "/api/v1/event-type"),
        ("DELETE", "/api/v1/event-type/new_lead"),
    ] {
        assert_eq!(own.refused(403, method, path, Some(&body)), denied, "{method} {path}");
    }
    // What belongs to one application is not found through another, not even by the organisation.
    let elsewhere = format!("/api/v1/app/other/endpoint/{endpoint}");
    assert_eq!(operator.refused(404, "GET", &elsewhere, None), not_found());
    let elsewhere = format!("/api/v1/app/other/msg/{}", text(&message, "id"));
    assert_eq!(operator.refused(404, "GET", &elsewhere, None), not_found());
}

#[test]
fn a_key_that_may_only_emit_manages_no_endpoints() {
    let (server, _) = application();
    let emitter = Operator(server.api().key_of("acme", &["events"]));
    emitter.send("acme", &json!({"eventType": "a", "payload": {}}));
    assert_eq!(emitter.refused(403, "GET", "/api/v1/app/acme/endpoint", None).0, "insufficient access");
    let manager = Operator(server.api().key_of("acme", &["hooks"]));
    manager.get("/api/v1/app/acme/endpoint");
    let message = json!({"eventType": "a", "payload": {}});
    assert_eq!(manager.refused(403, "POST", "/api/v1/app/acme/msg", Some(&message)).0, "insufficient access");
}
