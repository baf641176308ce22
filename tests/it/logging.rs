//! The log: text for people, or JSON for machines.

use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

#[test]
fn a_log_in_json_has_an_object_a_line() {
    let server = Server::start_with(Settings::quick().set("log_format", r#""json""#));
    let (api, receiver) = (server.api(), Receiver::answering([410]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");

    let log = server.complaints();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| !line.starts_with("hookyard: DEV MODE"))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let warned = lines.iter().find(|line| line["message"] == "a hook is deactivated");
    let warned = warned.unwrap_or_else(|| panic!("nothing was said: {log}"));
    assert_eq!(warned["level"], "WARN");
    assert_eq!(warned["reason"], "the receiver answered 410 Gone");
    assert!(warned["timestamp"].is_string() && warned["hook"] == *hook.id, "{warned}");
}
