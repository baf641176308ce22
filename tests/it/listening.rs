//! `hookyard listen`: what it makes of deliveries, and what it answers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, JSON};
use crate::support::cli::Cli;
use crate::support::command::{Running, hookyard};
use crate::support::patience::until;
use crate::support::server::Server;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A listener on a free port, and its URL.
fn listening(arguments: &[&str]) -> (Running, String) {
    let listener = Running::start(hookyard(&["listen", "--port", "0"]).args(arguments));
    let url = listener.wait_for("listening on ");
    (listener, url)
}

fn subscribe(server: &Server, url: &str) {
    let wish = json!({"url": url, "event": "new_lead", "secret": SECRET});
    let _: Hook = server.api().post("/api/v1/hooks/subscribe", &wish).expect(201);
}

fn records(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn a_delivery_is_verified_and_shown_in_plain_text_where_there_is_no_terminal() {
    let (listener, url) = listening(&["--secret", SECRET]);
    let server = Server::start();
    subscribe(&server, &format!("{url}in?box=1"));

    let receipt = server.api().emit("new_lead", &json!({"lead": {"name": "Jane Doe"}}));

    until("it is answered", || listener.printed().contains("answered 200\n"));
    let printed = listener.printed();
    assert!(printed.contains("POST /in?box=1  new_lead\n"), "{printed}");
    assert!(printed.contains(&format!("webhook-id {}\n", receipt.id)), "{printed}");
    let verified = "signature verified by webhook-signature and x-fetchply-signature; signed ";
    assert!(printed.contains(verified), "{printed}");
    assert!(
        printed.contains("\n    \"data\": {\n      \"lead\": {\n        \"name\": \"Jane Doe\"\n"),
        "{printed}"
    );
    assert!(!printed.contains('\x1b'), "{printed:?}");
}

#[test]
fn statuses_are_answered_in_turn_and_a_repeated_id_is_told() {
    let (mut listener, url) =
        listening(&["--secret", SECRET, "--status", "500,200", "--json", "--count", "2"]);
    let server = Server::start();
    subscribe(&server, &url);

    let receipt = server.api().emit("new_lead", &json!({ "b": 1, "a": [] }));

    let ended = listener.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let records = records(&ended.printed);
    assert_eq!(records.len(), 2, "{ended:?}");
    for (record, (status, times)) in records.iter().zip([(500, 1), (200, 2)]) {
        assert_eq!((&record["status"], &record["times"]), (&json!(status), &json!(times)), "{record}");
        assert_eq!((&record["webhook_id"], &record["event"]), (&json!(receipt.id), &json!("new_lead")));
        assert_eq!((&record["verified"], &record["reason"]), (&json!(true), &json!(null)));
        assert_eq!(record["body"]["data"], json!({"a": [], "b": 1}));
        assert_eq!(record["headers"]["content-type"], "application/json");
        assert!(record["age_seconds"].as_i64().is_some_and(|age| (0..20).contains(&age)), "{record}");
    }
}

#[test]
fn a_request_of_another_secret_is_told_and_fails_a_counted_run() {
    let (mut listener, url) = listening(&["--secret", OTHER, "--json", "--count", "1"]);
    let server = Server::start();
    subscribe(&server, &url);

    server.api().emit("new_lead", &json!(1));

    let ended = listener.end();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let record = &records(&ended.printed)[0];
    assert_eq!((&record["verified"], &record["reason"]), (&json!(false), &json!("no signature matches")));
    assert!(ended.complaints.contains("1 of 1 requests not verified"), "{ended:?}");
}

#[test]
fn without_a_secret_it_says_so_and_how_to_subscribe_and_shows_any_request() {
    let (mut listener, url) = listening(&[]);
    listener.wait_for("HOOKYARD_SECRET.");
    let introduced = listener.printed();
    assert!(introduced.contains("nothing can be verified"), "{introduced}");
    assert!(introduced.contains(&format!("hookyard hooks subscribe {url} new_lead\n")), "{introduced}");
    assert!(introduced.contains("curl http://127.0.0.1:8080/api/v1/hooks/subscribe"), "{introduced}");

    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let api = Api::at(address.parse().expect("an address"), None);
    let status = api.send("POST", "/", JSON, Some(b"\x1b[2Jnot JSON")).status;

    assert_eq!(status, 200);
    until("it is shown", || listener.printed().contains("\u{fffd}[2Jnot JSON"));
    listener.wait_for("not verified: there is no secret");
    listener.signal(libc::SIGTERM);
    assert_eq!(listener.end().status.code(), Some(0));
}

#[test]
fn the_printed_command_subscribes_it() {
    let (listener, url) = listening(&["--count", "1"]);
    let server = Server::start();
    listener.wait_for("HOOKYARD_SECRET.");
    let printed = listener.printed();
    let line = printed.lines().find_map(|line| line.trim().strip_prefix("hookyard "));
    let words: Vec<&str> = line.expect("a command is printed").split(' ').collect();

    Cli::of(&server).prints(&words);

    assert_eq!(server.api().hooks()[0].url, url);
    server.api().emit("new_lead", &json!(1));
    until("it has arrived", || listener.printed().contains("answered 200\n"));
}

#[test]
fn an_answer_comes_after_its_delay_and_with_its_body() {
    let (_listener, url) = listening(&["--delay", "300ms", "--response", "later", "--status", "410"]);
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let api = Api::at(address.parse().expect("an address"), None);
    let before = Instant::now();

    let reply = api.send("POST", "/", JSON, Some(b"{}"));

    assert!(before.elapsed() >= Duration::from_millis(300), "{:?}", before.elapsed());
    assert_eq!((reply.status, reply.body.as_slice()), (410, &b"later"[..]));
}

#[test]
fn what_it_cannot_do_is_wrong_usage() {
    for arguments in
        [&["--status", "99"][..], &["--delay", "soon"], &["--secret", "short"], &["--count", "0"]]
    {
        let mut listener = Running::start(hookyard(&["listen", "--port", "0"]).args(arguments));
        assert_eq!(listener.end().status.code(), Some(2), "{arguments:?}");
    }
}
