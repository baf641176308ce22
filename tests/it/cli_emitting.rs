//! `hookyard emit`: one event from an argument, a file or the standard input, and many from JSON lines.

use std::fs;

use serde_json::Value;

use crate::support::cli::Cli;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// JSON whose bytes tell whether they were kept.
const DATA: &str = r#"{ "b" : 1.0e+2, "a":"\u00e9", "a":[ 1 ] }"#;

#[test]
fn the_bytes_of_the_data_arrive_whichever_way_they_were_given() {
    let server = Server::start();
    let (cli, receiver) = (Cli::of(&server), Receiver::answering([200]));
    server.api().subscribe(&receiver.url("/"), "new_lead");
    fs::write(server.data_dir().join("lead.json"), format!("{DATA}\n")).expect("it is writable");

    cli.prints(&["emit", "new_lead", DATA]);
    cli.prints(&["emit", "new_lead", "@lead.json"]);
    let piped = &["emit", "new_lead", "-"];
    cli.run_with_input(piped, DATA).succeeded(piped);

    for request in receiver.wait_for(3) {
        assert!(request.text().ends_with(&format!("\"data\":{DATA}}}")), "{}", request.text());
    }
}

#[test]
fn an_event_says_when_it_happened_and_is_accepted_once_under_its_key() {
    let server = Server::start();
    let (cli, receiver) = (Cli::of(&server), Receiver::answering([200]));
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let emit = ["emit", "new_lead", "null", "--id", "order-1", "--timestamp", "2025-01-15T10:30:00+01:00"];

    let first = cli.prints(&emit);
    let again: Value = cli.prints_json(&[&emit[..], &["--json"]].concat());

    assert_eq!(again["id"], first.trim_end());
    assert_eq!(again["duplicate"], true);
    assert_eq!(receiver.wait_for(1)[0].json()["timestamp"], "2025-01-15T10:30:00+01:00");
}

#[test]
fn the_example_of_the_catalogue_can_be_emitted() {
    let server = Server::start();
    let (cli, receiver) = (Cli::of(&server), Receiver::answering([200]));
    server.api().subscribe(&receiver.url("/"), "new_lead");

    cli.prints(&["emit", "new_lead", "--example"]);

    let types: Value = server.api().get("/api/v1/event-types").expect(200);
    assert_eq!(receiver.wait_for(1)[0].data(), types[0]["example"]);
}

#[test]
fn lines_are_emitted_in_batches_in_their_order() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let lines: String = (0..2_500).map(|n| format!("{{\"n\":{n}}}\n\n")).collect();
    fs::write(server.data_dir().join("leads.jsonl"), &lines).expect("it is writable");

    let summary = cli.prints(&["emit", "new_lead", "--lines", "leads.jsonl"]);
    let receipts = cli.run_with_input(&["emit", "new_lead", "--lines", "--json", "--batch", "7"], &lines);

    assert_eq!(summary, "accepted 2500 events: 0 deliveries\n");
    let receipts = receipts.succeeded(&["emit"]);
    let receipts = receipts.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    assert_eq!(receipts.filter(|receipt| receipt["event"] == "new_lead").count(), 2_500);
}

#[test]
fn lines_may_be_whole_events() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let line = |event: &str, id: &str| format!("{{\"event\":\"{event}\",\"data\":1,\"id\":\"{id}\"}}\n");
    let lines = [line("new_lead", "a"), line("agent_created", "b"), line("new_lead", "a")].concat();

    let emit = &["emit", "--lines", "--batch", "1"];
    let summary = cli.run_with_input(emit, &lines).succeeded(emit);

    assert_eq!(summary, "accepted 3 events, 1 of them before: 0 deliveries\n");
}

#[test]
fn a_line_that_is_refused_is_named_by_its_number() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let good = "{\"event\":\"new_lead\",\"data\":1}\n";
    let emit = &["emit", "--lines", "--batch", "2"];
    let refused = |bad: &str| {
        let lines = format!("{good}{good}{good}\n{bad}\n");
        cli.run_with_input(emit, &lines).failed(2, emit)
    };

    let incomplete = refused("{\"event\":\"new_lead\"}");
    let malformed = refused("{\"event\":");
    let data_alone = refused("17");
    let unknown = refused("{\"event\":\"no_such\",\"data\":1}");

    assert!(incomplete.contains("line 5: data is required"), "{incomplete}");
    assert!(malformed.contains("line 5 is no JSON"), "{malformed}");
    assert!(data_alone.contains("line 5 is no event"), "{data_alone}");
    assert!(unknown.contains("lines 3 to 5: unknown event \"no_such\""), "{unknown}");
    for said in [incomplete, malformed, data_alone, unknown] {
        assert!(said.contains("accepted before that: 2 events"), "{said}");
    }
}

#[test]
fn an_unknown_event_is_told_the_known_ones() {
    let server = Server::start_with(Settings::quick().event_type("ours"));

    let said = Cli::of(&server).fails(2, &["emit", "theirs", "{}"]);

    assert!(said.contains("\"theirs\"") && said.contains("ours"), "{said}");
}
