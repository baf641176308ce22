//! `hookyard export`: what a server knows as JSON lines, to take elsewhere.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::cli::Cli;
use crate::support::receiver::{Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::ADMIN_KEY;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// How many lines there are of each type, by account.
fn counts(lines: &[Value]) -> BTreeMap<(&str, &str), usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry((text(line, "account"), text(line, "type"))).or_default() += 1;
    }
    counts
}

/// A server whose accounts `default` and `acme` have a hook each, with two events and with more than a page of them.
fn used_server() -> (Server, Receiver) {
    let (server, receiver) = (Server::start(), Receiver::answering([200]));
    let (admin, acme) = (server.api(), server.api().account("acme"));
    let hook = admin.subscribe(&receiver.url("/"), "new_lead");
    admin
        .post_text("/api/v1/events", "{\"event\":\"new_lead\",\"data\":{\n \"n\":\r\n 1}}")
        .expect::<Value>(202);
    admin.emit("new_lead", &json!({"n": 2}));
    admin.wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
    let paused = acme.subscribe(&receiver.url("/acme"), "new_message");
    acme.pause(&paused.id);
    for _ in 0..3 {
        acme.emit_all(&vec![json!({"event": "new_message", "data": null}); 500]);
    }
    (server, receiver)
}

#[test]
fn an_export_has_every_hook_event_and_delivery_of_every_account_and_no_secret() {
    let (server, _receiver) = used_server();
    let file = server.data_dir().join("all.jsonl");
    let name = file.to_str().expect("it is UTF-8");

    Cli::of(&server).prints(&["export", name]);

    let exported = fs::read_to_string(&file).expect("it is there");
    let lines = lines(&exported);
    let expected = [
        (("acme", "delivery"), 1_500),
        (("acme", "event"), 1_500),
        (("acme", "hook"), 1),
        (("default", "delivery"), 2),
        (("default", "event"), 2),
        (("default", "hook"), 1),
    ];
    assert_eq!(counts(&lines), BTreeMap::from(expected));
    let delivered = lines.iter().filter(|line| line["status"] == "delivered").count();
    assert_eq!(delivered, 2);
    assert!(lines.iter().any(|line| line["data"] == json!({"n": 1})));
    assert!(!exported.contains("whsec_") && !exported.contains("secret"));
    assert!(Cli::of(&server).fails(1, &["export", name]).contains("--force replaces it"));
}

#[test]
fn an_export_is_of_one_account_and_a_time_if_wanted() {
    let (server, _receiver) = used_server();
    let cli = Cli::of(&server);

    let of_default = lines(&cli.prints(&["export", "--account", "default"]));
    let of_the_past = lines(&cli.prints(&["export", "-", "--until", "1h"]));
    let of_today = lines(&cli.prints(&["export", "--account", "default", "--since", "1h"]));

    assert_eq!(of_default.len(), 5);
    assert!(of_default.iter().all(|line| line["account"] == "default"));
    assert!(of_the_past.iter().all(|line| line["type"] == "hook") && of_the_past.len() == 2);
    assert_eq!(of_today, of_default);
}

#[test]
fn a_key_of_one_account_exports_that_one() {
    let (server, _receiver) = used_server();
    let key: Value =
        server.api().post("/api/v1/keys", &json!({"account": "default", "scopes": ["hooks"]})).expect(201);
    let cli = Cli::of(&server).variable("HOOKYARD_KEY", text(&key, "key"));

    assert!(cli.fails(1, &["export"]).contains("--account exports one alone"));
    assert_eq!(lines(&cli.prints(&["export", "--account", "default"])).len(), 5);
}

#[test]
fn an_export_that_cannot_be_made_leaves_no_file() {
    let server = Server::start();
    let nowhere = Cli::calling(deserted_url().trim_end_matches('/'), server.data_dir());
    let nowhere = nowhere.variable("HOOKYARD_KEY", ADMIN_KEY);

    for command in ["export", "backup"] {
        assert!(nowhere.fails(1, &[command, "a.file"]).contains("no server listens"));
        assert!(Cli::of(&server).fails(1, &[command, "no/such/a.file"]).contains("cannot write to no/such"));
    }
    assert_eq!(fs::read_dir(server.data_dir()).expect("it is there").count(), 1);
    server.api().emit("new_lead", &json!(1));
    assert_eq!(Cli::of(&server).run_unread(&["export"]).stderr, "");
    assert!(nowhere.fails(2, &["export", "--since", "yesterday"]).contains("24h"));
    assert!(nowhere.fails(2, &["restore", "a.backup"]).contains("--data-dir"));
}
