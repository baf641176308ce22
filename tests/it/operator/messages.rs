//! Messages: events as the operator's API shows them, and how they arrive.

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

use super::{Operator, application, not_found, of_page};

const MESSAGES: &str = "/api/v1/app/acme/msg";

#[test]
fn a_payload_arrives_byte_for_byte_as_the_body_and_is_signed() {
    let (server, operator) = application();
    let receiver = Receiver::answering([200]);
    let id = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let secret = operator.get(&format!("/api/v1/app/acme/endpoint/{id}/secret"));
    let payload = r#"{ "b" : 1.0, "a": "é", "a":[1,  2]}"#;
    let body = format!(r#"{{"eventType":"order.paid", "payload": {payload} }}"#);
    let message: Value = server.api().send("POST", MESSAGES, &[], Some(body.as_bytes())).expect(202);
    let sent = &receiver.wait_for(1)[0];
    assert_eq!(sent.text(), payload);
    assert!(sent.is_signed_with(text(&secret, "key")));
    for name in ["id", "timestamp", "signature"] {
        assert_eq!(sent.header(&format!("svix-{name}")), sent.header(&format!("webhook-{name}")), "{name}");
    }
    assert_eq!(sent.header("webhook-id"), text(&message, "id"));
    assert!(sent.values("x-fetchply-signature").is_empty());
}

#[test]
fn the_branded_headers_can_be_turned_off() {
    let server = Server::start_with(Settings::quick().set("delivery.svix_headers", "false"));
    let (operator, receiver) = (Operator(server.api()), Receiver::answering([200]));
    operator.endpoint("default", &json!({"url": receiver.url("/")}));
    operator.send("default", &json!({"eventType": "a", "payload": {}}));
    let sent = &receiver.wait_for(1)[0];
    assert!(sent.values("svix-id").is_empty() && sent.header("webhook-id").starts_with("msg_"));
}

#[test]
fn a_message_reaches_hooks_in_their_own_envelope_and_an_event_endpoints_in_theirs() {
    let (server, operator) = application();
    let (hook, endpoint) = (Receiver::answering([200]), Receiver::answering([200]));
    let api = server.api().account("acme");
    api.subscribe(&hook.url("/"), "new_lead");
    operator.endpoint("acme", &json!({"url": endpoint.url("/"), "eventTypes": ["new_lead"]}));
    let message = operator.send("acme", &json!({"eventType": "new_lead", "payload": {"n": 1}}));
    assert_eq!(
        (hook.wait_for(1)[0].data(), endpoint.wait_for(1)[0].json()),
        (json!({"n": 1}), json!({"n": 1}))
    );
    let id = text(&message, "id").replacen("msg_", "evt_", 1);
    assert_eq!(hook.requests()[0].webhook_id(), id);
    let receipt = api.emit("new_lead", &json!({"n": 2}));
    assert_eq!(endpoint.wait_for(2)[1].json(), json!({"n": 2}));
    let shown = operator.get(&format!("{MESSAGES}/{}", receipt.id.replacen("evt_", "msg_", 1)));
    assert_eq!(shown["payload"], json!({"n": 2}));
}

#[test]
fn a_message_is_found_by_its_id_and_by_the_id_that_its_sender_gave_it() {
    let (mut server, operator) = application();
    let wish = json!({"eventType": "a", "eventId": "order-7", "payload": {"n": 1}, "channels": ["eu"]});
    let message = operator.send("acme", &wish);
    assert_eq!((text(&message, "eventId"), &message["channels"]), ("order-7", &json!(["eu"])));
    assert_eq!(operator.get(&format!("{MESSAGES}/order-7")), message);
    let conflict = operator.refused(409, "POST", MESSAGES, Some(&wish));
    assert_eq!(conflict, ("conflict".into(), "A conflict has occurred".into()));
    server.kill();
    server.restart();
    let operator = Operator(server.api());
    assert_eq!(operator.get(&format!("{MESSAGES}/order-7")), message);
    let bare = operator.get(&format!("{MESSAGES}/order-7?with_content=false"));
    assert_eq!(bare["payload"], json!({}));
    assert_eq!(operator.refused(404, "GET", &format!("{MESSAGES}/order-8"), None), not_found());
    // Another application may have the same.
    operator.create("/api/v1/app", &json!({"name": "Other", "uid": "other"}));
    operator.send("other", &wish);
}

#[test]
fn a_message_that_is_repeated_under_its_key_is_accepted_once_even_across_a_kill() {
    let (mut server, _) = application();
    let send = |server: &Server, key: &str, n: u32| -> Value {
        let body =
            json!({"eventType": "a", "eventId": format!("order-{key}"), "payload": {"n": n}}).to_string();
        server.api().send("POST", MESSAGES, &[("idempotency-key", key)], Some(body.as_bytes())).expect(202)
    };
    let first = send(&server, "one", 1);
    assert_eq!(send(&server, "one", 1), first);
    server.kill();
    server.restart();
    assert_eq!(send(&server, "one", 1), first);
    assert_ne!(send(&server, "two", 1), first);
    let listed = Operator(server.api()).get(MESSAGES);
    assert_eq!(of_page(&listed, "eventId"), ["order-two", "order-one"]);
}

#[test]
fn messages_are_listed_newest_first_and_narrowed() {
    let (_server, operator) = application();
    for n in 0..6 {
        let channels = if n % 2 == 0 { json!(["even"]) } else { json!(["odd"]) };
        let event_type = format!("type.{}", n % 3);
        operator.send("acme", &json!({"eventType": event_type, "eventId": format!("m{n}"), "payload": {}, "channels": channels}));
    }
    let list = |query: &str| operator.get(&format!("{MESSAGES}{query}"));
    let first = list("?limit=4");
    assert_eq!((of_page(&first, "eventId"), &first["done"]), (vec!["m5", "m4", "m3", "m2"], &json!(false)));
    let second = list(&format!("?limit=4&iterator={}", text(&first, "iterator")));
    assert_eq!((of_page(&second, "eventId"), &second["done"]), (vec!["m1", "m0"], &json!(true)));
    let back = list(&format!("?limit=3&iterator={}", text(&second, "prevIterator")));
    assert_eq!((of_page(&back, "eventId"), &back["done"]), (vec!["m4", "m3", "m2"], &json!(false)));
    assert_eq!(of_page(&list("?channel=even"), "eventId"), ["m4", "m2", "m0"]);
    for query in [
        "?event_types=type.1,type.2",
        "?event_types[]=type.1&event_types[]=type.2",
        "?event_types[0]=type.1&event_types[1]=type.2",
    ] {
        assert_eq!(of_page(&list(query), "eventId"), ["m5", "m4", "m2", "m1"], "{query}");
    }
    assert!(of_page(&list("?before=2020-01-01T00:00:00Z"), "id").is_empty());
    assert_eq!(of_page(&list("?after=2020-01-01%2000:00:00.123%20UTC"), "id").len(), 6);
    operator.refused(400, "GET", &format!("{MESSAGES}?before=yesterday"), None);
    let path = format!("{MESSAGES}?event_types=type.1,not%20one");
    let told: Value = operator.call("GET", &path, None).expect(422);
    let why = "String must match the following pattern: [a-zA-Z0-9\\-_.].";
    let fault = json!({"loc": ["query", "event_types", "__all__"], "msg": why, "type": "value_error"});
    assert_eq!(told, json!({"detail": [fault]}));

    // What came after a moment is read from that moment on.
    let oldest = list("?limit=2&after=2020-01-01T00:00:00Z");
    assert_eq!((of_page(&oldest, "eventId"), &oldest["done"]), (vec!["m1", "m0"], &json!(false)));
    let newer =
        list(&format!("?limit=4&after=2020-01-01T00:00:00Z&iterator={}", text(&oldest, "prevIterator")));
    assert_eq!((of_page(&newer, "eventId"), &newer["done"]), (vec!["m5", "m4", "m3", "m2"], &json!(true)));
}

#[test]
fn what_is_wrong_with_a_message_is_told_with_its_place() {
    let (_server, operator) = application();
    let place = |body: Value| {
        operator.faults("POST", MESSAGES, &body).into_iter().map(|fault| fault.0).collect::<Vec<_>>()
    };
    assert_eq!(place(json!({"payload": {}})), ["body.."]);
    assert_eq!(place(json!({"eventType": "a"})), ["body.."]);
    assert_eq!(place(json!({"eventType": "a b", "payload": {}})), ["body.event_type.__all__"]);
    assert_eq!(place(json!({"eventType": "hookyard.x", "payload": {}})), ["body.event_type"]);
    assert_eq!(place(json!({"eventType": "a", "payload": []})), ["body.payload"]);
    assert_eq!(place(json!({"eventType": "a", "payload": {}, "channels": []})), ["body.channels"]);
    assert_eq!(place(json!({"eventType": "a", "payload": {}, "eventId": "msg_1"})), ["body.uid.__all__"]);
    assert_eq!(
        place(json!({"eventType": "a", "payload": {}, "payloadRetentionPeriod": 4})),
        ["body.payload_retention_period"]
    );
    let unknown = json!({"eventType": "a", "payload": {}});
    operator.refused(404, "POST", "/api/v1/app/nobody/msg", Some(&unknown));
    let with = |application: Value| json!({"eventType": "a", "payload": {}, "application": application});
    let fault = |body: &Value| operator.faults("POST", "/api/v1/app/nobody/msg", body).remove(0);
    assert_eq!(fault(&with(json!({"name": "N"}))).1, "Application UID not set in body");
    assert_eq!(
        fault(&with(json!({"name": "N", "uid": "other"}))).1,
        "Application UID in the path and body must match"
    );
    let faults = operator.faults("POST", "/api/v1/app/nobody/msg", &with(json!({"name": "", "uid": "a b"})));
    let places: Vec<&str> = faults.iter().map(|fault| fault.0.as_str()).collect();
    assert_eq!(places, ["body.application.name", "body.application.uid.__all__"]);
    assert_eq!(fault(&json!([])), ("body..".into(), "invalid type: sequence, expected an object".into()));
    operator.send("nobody", &with(json!({"name": "N", "uid": "nobody"})));
    assert_eq!(text(&operator.get("/api/v1/app/nobody"), "name"), "N");
}

#[test]
fn the_first_messages_of_a_new_application_make_it_once() {
    let (server, operator) = application();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let send = |n: u32| {
            let operator = Operator(server.api());
            let wish =
                json!({"eventType": "a", "payload": {"n": n}, "application": {"name": "New", "uid": "new"}});
            text(&operator.send("new", &wish), "id").to_owned()
        };
        let sending: Vec<_> = (0..10).map(|n| scope.spawn(move || send(n))).collect();
        sending.into_iter().map(|sending| sending.join().expect("it is accepted")).collect()
    });
    let listed = operator.get("/api/v1/app/new/msg");
    let mut found = of_page(&listed, "id");
    found.sort_unstable();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    assert_eq!(found, ids);
}

#[test]
fn a_payload_that_is_expunged_is_gone_and_cannot_be_sent_again() {
    let (server, operator) = application();
    let receiver = Receiver::answering([200]);
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    operator.send("acme", &json!({"eventType": "a", "eventId": "m", "payload": {"n": "marker"}}));
    receiver.wait_for(1);
    let own = server.api().account("acme");
    let content = format!("{MESSAGES}/m/content");
    assert_eq!(own.delete(&content).status, 403);
    operator.act("DELETE", &content, None);
    let message = operator.get(&format!("{MESSAGES}/m"));
    assert_eq!((&message["payload"], text(&message, "eventId")), (&json!({"expired": true}), "m"));
    let resend = format!("{MESSAGES}/m/endpoint/{endpoint}/resend");
    assert_eq!(operator.refused(400, "POST", &resend, None).0, "missing_payload");
    assert_eq!(operator.refused(404, "DELETE", &format!("{MESSAGES}/n/content"), None), not_found());
}
