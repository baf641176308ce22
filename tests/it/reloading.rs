//! SIGHUP: what changes without a restart, what does not, and that a mistake changes nothing.

use std::fs;

use serde_json::{Value, json};

use crate::support::api::{Api, JSON, text};
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

fn emits(api: &Api, event: &str, data: &str) -> u16 {
    let body = format!(r#"{{"event":"{event}","data":{data}}}"#);
    api.send("POST", "/api/v1/events", JSON, Some(body.as_bytes())).status
}

#[test]
fn event_types_and_limits_change_at_once() {
    let mut server = Server::start_with(Settings::quick().event_type("order_paid"));
    let api = server.api();
    let long = format!("{:?}", "x".repeat(100));
    assert_eq!((emits(&api, "order_sent", "1"), emits(&api, "order_paid", &long)), (422, 202));

    let settings = Settings::quick().event_type("order_sent").set("limits.data_bytes", "50");
    server.reload(settings);

    assert_eq!((emits(&api, "order_sent", "1"), emits(&api, "order_paid", "1")), (202, 422));
    assert_eq!(emits(&api, "order_sent", &long), 413);
    let types: Vec<Value> = api.get("/api/v1/event-types").expect(200);
    assert_eq!(types.iter().map(|known| text(known, "name")).collect::<Vec<_>>(), ["order_sent"]);
    let said = server.complaints();
    assert!(said.contains("event_type, limits.data_bytes"), "{said}");
    assert!(!said.contains("need a restart"), "{said}");
}

#[test]
fn the_file_of_the_admin_key_is_read_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("key");
    let (old, new) = ("fp_old_0123456789abcdef", "fp_new_0123456789abcdef");
    fs::write(&file, old).expect("the directory is writable");
    let settings = Settings::quick()
        .unset("admin_key")
        .set("admin_key_file", &format!("{:?}", file.display().to_string()));
    let mut server = Server::start_with(settings.clone());
    let statuses =
        |server: &Server| [old, new].map(|key| server.api_with_key(key).get("/api/v1/accounts").status);
    assert_eq!(statuses(&server), [200, 401]);

    fs::write(&file, new).expect("the directory is writable");
    server.reload(settings);

    assert_eq!(statuses(&server), [401, 200]);
    let said = server.complaints();
    assert!(said.contains("changed=\"admin_key\"") && !said.contains("fp_new"), "{said}");
}

#[test]
fn the_level_of_the_log_changes_at_once() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let settled = |server: &Server| {
        server.api().wait_for_hook(&hook.id, "the attempt is settled", |hook| hook.pending == Some(0));
    };
    server.api().emit("new_lead", &json!(1));
    settled(&server);
    server.reload(Settings::quick().set("log", "\"hookyard=debug\""));
    assert!(!server.complaints().contains("DEBUG"), "{}", server.complaints());

    server.api().emit("new_lead", &json!(2));

    until("the attempt is logged", || server.complaints().contains("DEBUG"));
    server.reload(Settings::quick().set("log", "\"error,hookyard::cli=info\""));
    let said = server.complaints().matches("DEBUG").count();
    server.api().emit("new_lead", &json!(3));
    settled(&server);
    assert_eq!(server.complaints().matches("DEBUG").count(), said);
}

#[test]
fn a_mistake_is_logged_and_changes_nothing() {
    let settings = Settings::quick().event_type("order_paid").set("limits.in_flight_bytes", "20000000");
    let mut server = Server::start_with(settings);
    let mistakes = [
        ("limits.batch_events", "0", "limits.batch_events = 0"),
        ("log", "\"hookyard=loud\"", "log = "),
        ("limit.batch_events", "5", "unknown key limit"),
        // It does not fit what stays.
        ("limits.request_bytes", "268435456", "limits.in_flight_bytes = 20000000"),
    ];

    for (key, value, said) in mistakes {
        let settings = Settings::quick().event_type("order_sent").set("limits.in_flight_bytes", "300000000");
        server.reload(settings.set(key, value));
        let complaints = server.complaints();
        let last = complaints.lines().last().unwrap_or_default();
        assert!(last.contains("ERROR") && last.contains(said), "{said}: {complaints}");
    }

    assert_eq!(
        (emits(&server.api(), "order_paid", "1"), emits(&server.api(), "order_sent", "1")),
        (202, 422)
    );
}

#[test]
fn what_needs_a_restart_is_named_and_stays_as_it_was() {
    let mut server = Server::start();

    let changed =
        Settings::quick().set("delivery.timeout", "\"1s\"").set("workers", "1").set("key_prefix", "\"k_\"");
    server.reload(changed.clone());
    server.reload(changed);

    let said = server.complaints();
    assert_eq!(said.matches("keys=\"delivery.timeout, workers\"").count(), 2, "{said}");
    // What needs none is in force.
    let wish = json!({"account": "default", "scopes": ["hooks"]});
    let key: Value = server.api().post("/api/v1/keys", &wish).expect(201);
    assert!(text(&key, "key").starts_with("k_"), "{key}");
}

#[test]
fn a_public_url_leads_callers_back_to_where_they_came_from() {
    let mut server = Server::start();
    let api = server.api();
    let location = |event: &str| {
        let reply = api.subscribing(&json!({"url": "http://127.0.0.1:9/", "event": event}));
        reply.header("location").expect("a new hook has a location").to_owned()
    };
    assert!(location("new_lead").starts_with("/api/v1/hooks/hook_"));

    server.reload(Settings::quick().set("public_url", "\"https://example.com/hookyard/\""));

    assert!(location("new_message").starts_with("https://example.com/hookyard/api/v1/hooks/hook_"));
    let page = api.get("/api/v1/hooks?limit=1");
    let link = page.header("link").expect("there is another page");
    assert!(link.starts_with("<https://example.com/hookyard/api/v1/hooks?limit=1&cursor="), "{link}");
}
