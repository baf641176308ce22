//! Bodies that are meant to break a parser: each is refused, or kept as it is.

use serde_json::Value;

use crate::support::api::{Api, JSON, Reply, text};
use crate::support::cli::Cli;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

const EVENTS: &str = "/api/v1/events";
const SUBSCRIBE: &str = "/api/v1/hooks/subscribe";
/// Deeper than any stack is.
const DEPTH: usize = 100_000;

fn lists() -> String {
    format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH))
}

fn objects() -> String {
    format!("{}1{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH))
}

fn post(api: &Api, body: &[u8]) -> Reply {
    api.send("POST", EVENTS, JSON, Some(body))
}

#[test]
fn data_of_any_depth_arrives_as_it_was_sent() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");

    for (n, data) in [lists(), objects()].iter().enumerate() {
        let receipt: Value =
            post(&api, format!(r#"{{"event":"new_lead","data":{data}}}"#).as_bytes()).expect(202);
        let arrived = receiver.wait_for(n + 1).remove(n);
        assert!(arrived.text().ends_with(&format!(r#","data":{data}}}"#)), "{} bytes", arrived.body.len());
        let shown = api.get(&format!("{EVENTS}/{}", text(&receipt, "id"))).text();
        assert!(shown.contains(data.as_str()), "{} bytes", shown.len());
    }
    for path in ["/api/v1/events?limit=2", "/api/v1/hooks/sample?event=new_lead"] {
        let listed = api.get(path).text();
        assert!(listed.contains(&lists()) && listed.contains(&objects()), "{path}");
    }
}

#[test]
fn depth_where_none_belongs_is_refused() {
    let server = Server::start();
    let api = server.api();

    for deep in [lists(), objects()] {
        for path in [SUBSCRIBE, "/api/v1/keys", "/api/v1/accounts", EVENTS] {
            for body in [
                deep.clone(),
                format!(
                    r#"{{"event":{deep},"url":{deep},"data":1,"scopes":{deep},"id":{deep},"account":{deep}}}"#
                ),
                format!("[{deep}]"),
            ] {
                let reply = api.send("POST", path, JSON, Some(body.as_bytes()));
                // An account needs no member, and unknown ones are ignored.
                let taken = path.ends_with("accounts") && reply.status == 201;
                assert!(taken || matches!(reply.status, 400 | 422), "{path}: {}", reply.describe());
            }
        }
        for body in
            [deep.clone(), format!(r#"{{"id":{deep}}}"#), format!(r#"{{"url":{deep},"event":{deep}}}"#)]
        {
            api.send("DELETE", SUBSCRIBE, JSON, Some(body.as_bytes())).refused(422);
        }
    }
    for open in ["[", r#"{"a":"#, r#"{"event":"new_lead","data":["#] {
        post(&api, open.repeat(DEPTH).as_bytes()).refused(400);
    }
}

#[test]
fn the_command_line_is_not_brought_down_by_what_others_emitted() {
    let server = Server::start();
    let receipt: Value =
        post(&server.api(), format!(r#"{{"event":"new_lead","data":{}}}"#, lists()).as_bytes()).expect(202);
    let id = text(&receipt, "id").to_owned();

    for arguments in [&["explain", &id][..], &["events", "list"], &["events", "show", &id, "--json"]] {
        let ran = Cli::of(&server).run(arguments);
        assert!(ran.code.is_some(), "{arguments:?} was killed by a signal: {}", ran.stderr);
    }
}

#[test]
fn what_is_no_text_is_no_json() {
    let server = Server::start();
    let api = server.api();
    let bodies: [&[u8]; 9] = [
        b"{\"event\":\"new_lead\",\"data\":\"\xff\"}",
        b"{\"event\":\"\xff\",\"data\":1}",
        b"{\"event\":\"new_lead\",\"data\":\"\xc0\x80\"}",
        b"{\"event\":\"new_lead\",\"data\":\"\xed\xa0\x80\"}",
        b"{\"event\":\"new_lead\",\"data\":\"\0\"}",
        b"{\"event\":\"new_lead\",\"data\":\"\n\"}",
        b"\xef\xbb\xbf{\"event\":\"new_lead\",\"data\":1}",
        b"{\0\"\0e\0v\0",
        b"{\"\\ud800\":1,\"event\":\"new_lead\",\"data\":1}",
    ];

    for body in bodies {
        post(&api, body).refused(400);
    }
    assert_eq!(api.get(EVENTS).expect::<Vec<Value>>(200), [Value::Null; 0]);
}

#[test]
fn half_a_surrogate_is_data_and_no_name() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");

    let data = r#"{"\udc00":"\ud800 \uD83D"}"#;
    post(&api, format!(r#"{{"event":"new_lead","data":{data}}}"#).as_bytes()).expect::<Value>(202);

    assert!(receiver.wait_for(1)[0].text().ends_with(&format!(r#""data":{data}}}"#)));
    for body in [
        r#"{"event":"\ud800","data":1}"#,
        r#"{"event":"new_lead","data":1,"id":"\udc00"}"#,
        r#"{"event":"new_lead","data":1,"account":"\udc00"}"#,
        r#"{"event":"new_lead","data":1,"timestamp":"\udc00"}"#,
    ] {
        post(&api, body.as_bytes()).refused(422);
    }
    api.send("POST", SUBSCRIBE, JSON, Some(br#"{"event":"new_lead","url":"\ud800"}"#)).refused(422);
}

#[test]
fn numbers_keep_their_spelling_however_large() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");
    let digits = "9".repeat(100_000);

    for (n, number) in ["1e999999999", "-0.0e-999", digits.as_str()].iter().enumerate() {
        post(&api, format!(r#"{{"event":"new_lead","data":{number}}}"#).as_bytes()).expect::<Value>(202);
        assert!(receiver.wait_for(n + 1)[n].text().ends_with(&format!(":{number}}}")));
    }
    for number in ["NaN", "Infinity", "01", "+1", "0x1", "1.", ".5", "--1"] {
        post(&api, format!(r#"{{"event":"new_lead","data":{number}}}"#).as_bytes()).refused(400);
    }
}

#[test]
fn a_member_that_comes_twice_means_one_thing_throughout() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");

    post(&api, br#"{"event":"new_message","event":"new_lead","data":1,"data":2}"#).expect::<Value>(202);

    let arrived = &receiver.wait_for(1)[0];
    assert_eq!((arrived.json()["event"].as_str(), arrived.data().as_u64()), (Some("new_lead"), Some(2)));
}
