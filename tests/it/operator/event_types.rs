//! Event types that are declared at run time.

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

use super::{Operator, application, of_page};

#[test]
fn what_is_declared_can_be_subscribed_to_and_emitted_through_the_other_api_too() {
    let (server, operator) = application();
    let receiver = Receiver::answering([200]);
    let api = server.api().account("acme");
    api.subscribing(&json!({"url": receiver.url("/"), "event": "user.signup", "account": "acme"}))
        .refused(422);
    operator.create("/api/v1/event-type", &json!({"name": "user.signup", "description": "A user signs up"}));
    api.subscribe(&receiver.url("/"), "user.signup");
    api.emit("user.signup", &json!({"n": 1}));
    assert_eq!(receiver.wait_for(1)[0].data(), json!({"n": 1}));
}

#[test]
fn an_event_type_is_made_changed_archived_and_brought_back() {
    let (mut server, operator) = application();
    let wish = json!({"name": "a.b", "description": "d", "schemas": {"1": {"type": "object"}}, "featureFlag": "beta"});
    let made = operator.create("/api/v1/event-type", &wish);
    assert_eq!((&made["schemas"], &made["archived"]), (&json!({"1": {"type": "object"}}), &json!(false)));
    let conflict = operator.refused(409, "POST", "/api/v1/event-type", Some(&wish));
    assert_eq!(conflict, ("event_type_exists".into(), "An event_type with this name already exists".into()));
    let patched = operator.patch("/api/v1/event-type/a.b", &json!({"deprecated": true, "schemas": null}));
    assert_eq!(
        (&patched["deprecated"], &patched["schemas"], text(&patched, "description")),
        (&json!(true), &Value::Null, "d")
    );
    operator.act("DELETE", "/api/v1/event-type/a.b", None);
    server.kill();
    server.restart();
    let operator = Operator(server.api());
    assert_eq!(operator.get("/api/v1/event-type/a.b")["archived"], json!(true));
    assert!(!of_page(&operator.get("/api/v1/event-type"), "name").contains(&"a.b"));
    assert!(of_page(&operator.get("/api/v1/event-type?include_archived=true"), "name").contains(&"a.b"));
    let back = operator.create("/api/v1/event-type", &json!({"name": "a.b", "description": "again"}));
    assert_eq!((&back["archived"], &back["createdAt"]), (&json!(false), &made["createdAt"]));
    operator.act("DELETE", "/api/v1/event-type/a.b?expunge=true", None);
    operator.refused(404, "GET", "/api/v1/event-type/a.b", None);
    let made: Value = operator.put("/api/v1/event-type/a.b", &json!({"description": "new"})).expect(201);
    assert_eq!(text(&made, "name"), "a.b");
    let replaced: Value =
        operator.put("/api/v1/event-type/a.b", &json!({"description": "newer"})).expect(200);
    assert_eq!(text(&replaced, "description"), "newer");
}

#[test]
fn event_types_are_listed_by_name_in_both_directions() {
    let (_server, operator) = application();
    for name in ["zz.3", "zz.1", "zz.2"] {
        operator.create("/api/v1/event-type", &json!({"name": name, "description": ""}));
    }
    let page = operator.get("/api/v1/event-type?limit=2&iterator=zz");
    assert_eq!((of_page(&page, "name"), &page["done"]), (vec!["zz.1", "zz.2"], &json!(false)));
    let back = operator.get("/api/v1/event-type?limit=2&iterator=-zz.3");
    assert_eq!(of_page(&back, "name"), ["zz.1", "zz.2"]);
    // Those of the configuration are among them, and can be looked at.
    assert_eq!(text(&operator.get("/api/v1/event-type/new_lead"), "name"), "new_lead");
}

#[test]
fn an_application_is_not_shown_what_stands_behind_a_flag() {
    let (server, operator) = application();
    operator
        .create("/api/v1/event-type", &json!({"name": "zz.beta", "description": "", "featureFlag": "beta"}));
    let own = Operator(server.api().key_of("acme", &["hooks"]));
    own.refused(404, "GET", "/api/v1/event-type/zz.beta", None);
    assert!(!of_page(&own.get("/api/v1/event-type"), "name").contains(&"zz.beta"));
}

#[test]
fn data_is_held_against_the_schema_of_its_type_where_that_is_asked_for() {
    let server = Server::start_with(Settings::quick().set("events.validate", "true"));
    let operator = Operator(server.api());
    let schema =
        |kind: &str| json!({"type": "object", "properties": {"n": {"type": kind}}, "required": ["n"]});
    let wish = json!({"name": "counted", "description": "", "schemas": {"1": schema("string"), "2": schema("integer")}});
    operator.create("/api/v1/event-type", &wish);
    let path = "/api/v1/app/default/msg";
    let wrong = json!({"eventType": "counted", "payload": {"n": "seven"}});
    let faults = operator.faults("POST", path, &wrong);
    assert!(faults[0].0 == "body.payload.n" && faults[0].1.contains("integer"), "{faults:?}");
    assert_eq!(
        operator.faults("POST", path, &json!({"eventType": "counted", "payload": {}}))[0].0,
        "body.payload"
    );
    operator.send("default", &json!({"eventType": "counted", "payload": {"n": 7}}));
    let refused = server.api().emitting(&json!({"event": "counted", "data": {"n": "seven"}})).refused(422);
    assert!(
        refused.message.starts_with("data does not match the schema of \"counted\": /n: "),
        "{}",
        refused.message
    );
    assert!(!refused.message.contains("seven"), "{}", refused.message);
    operator.patch("/api/v1/event-type/counted", &json!({"schemas": null}));
    operator.send("default", &wrong);
    let broken = json!({"name": "broken", "description": "", "schemas": {"1": {"type": "nothing"}}});
    let faults = operator.faults("POST", "/api/v1/event-type", &broken);
    assert!(faults[0].0 == "body.schemas" && faults[0].1.contains("not a JSON Schema"), "{faults:?}");
}
