//! Requests whose end is a matter of opinion: refused and hung up on, so that nobody sees two where another saw one.

use serde_json::Value;

use crate::support::raw::{Conversation, request, statuses};
use crate::support::server::Server;
use crate::support::settings::ADMIN_KEY;

const EVENT: &str = r#"{"event":"new_lead","data":"smuggled"}"#;
/// What would be answered too if the server took the end of the first request to be elsewhere.
const SECOND: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

/// An emitting request with these header lines, each with its own end, and this body; then a second one.
fn doubtful(lines: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\n{lines}\r\n{body}{SECOND}"
    )
    .into_bytes()
}

fn chunked(size: &str, end: &str) -> String {
    format!("{size}\r\n{EVENT}{end}0\r\n\r\n")
}

#[track_caller]
fn assert_refused_and_closed(server: &Server, lines: &str, body: &str) {
    let mut conversation = Conversation::with(server.address());
    let answered = conversation.say(&doubtful(lines, body)).answers();
    let statuses: Vec<u16> = answered.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [400], "{lines:?} {body:?}");
    assert!(conversation.is_closed(), "{lines:?} {body:?}");
}

#[track_caller]
fn assert_nothing_was_emitted(server: &Server) {
    assert_eq!(server.api().get("/api/v1/events").expect::<Vec<Value>>(200), [Value::Null; 0]);
}

#[test]
fn two_lengths_are_refused() {
    let server = Server::start();
    let length = EVENT.len();
    let whole = chunked(&format!("{length:x}"), "\r\n");

    assert_refused_and_closed(
        &server,
        &format!("content-length: {length}\r\ncontent-length: {length}\r\n"),
        EVENT,
    );
    assert_refused_and_closed(&server, &format!("content-length: {length}\r\ncontent-length: 0\r\n"), EVENT);
    assert_refused_and_closed(&server, &format!("content-length: {length}, {length}\r\n"), EVENT);
    let both = format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n");
    assert_refused_and_closed(&server, &both, &whole);
    let both = format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n");
    assert_refused_and_closed(&server, &both, &whole);
    assert_nothing_was_emitted(&server);
}

#[test]
fn a_length_that_is_no_number_is_refused() {
    let server = Server::start();

    for length in ["+38", "-1", "0x26", "38 38", "38;", "3_8", "", "\u{b}38", "99999999999999999999999999"] {
        assert_refused_and_closed(&server, &format!("content-length: {length}\r\n"), EVENT);
    }
    assert_nothing_was_emitted(&server);
}

#[test]
fn another_transfer_encoding_than_chunked_is_refused() {
    let server = Server::start();
    let whole = chunked(&format!("{:x}", EVENT.len()), "\r\n");

    for encoding in [
        "chunked, identity",
        "identity, chunked",
        "identity",
        "gzip, chunked",
        "xchunked",
        "\"chunked\"",
        "chunked;q=1",
        "chunked\u{b}",
        "\u{b}chunked",
        "\r\n chunked",
    ] {
        assert_refused_and_closed(&server, &format!("transfer-encoding: {encoding}\r\n"), &whole);
    }
    let twice = "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n";
    assert_refused_and_closed(&server, twice, &whole);
    let hidden = "transfer-encoding : chunked\r\n";
    assert_refused_and_closed(&server, hidden, &whole);
    assert_nothing_was_emitted(&server);
}

#[test]
fn header_lines_that_others_may_read_otherwise_are_refused() {
    let server = Server::start();
    let length = format!("content-length: {}\r\n", EVENT.len());

    for line in [
        "x: a\r\n folded\r\n",
        " x: leading space\r\n",
        "x y: z\r\n",
        ": no name\r\n",
        "no colon\r\n",
        "x: nul\0\r\n",
        "x: lone\rreturn\r\n",
        "x\u{1}: control\r\n",
        "host: another\r\n",
    ] {
        assert_refused_and_closed(&server, &format!("{line}{length}"), EVENT);
    }
    assert_nothing_was_emitted(&server);
}

#[test]
fn chunks_that_others_may_read_otherwise_are_refused() {
    let server = Server::start();
    let size = format!("{:x}", EVENT.len());
    let bare = format!("{size}\n{EVENT}\n0\n\n");

    for body in [
        chunked(&size, "XX"),
        chunked(&size, ""),
        chunked(&format!("+{size}"), "\r\n"),
        chunked(&format!("0x{size}"), "\r\n"),
        chunked("-1", "\r\n"),
        chunked("", "\r\n"),
        chunked(&format!("{size};a\nb"), "\r\n"),
        chunked("FFFFFFFFFFFFFFFFF", "\r\n"),
        bare,
    ] {
        assert_refused_and_closed(&server, "transfer-encoding: chunked\r\n", &body);
    }
    assert_nothing_was_emitted(&server);
}

#[test]
fn a_chunk_of_any_size_is_waited_for_and_not_believed() {
    let server = Server::start();

    for size in ["FFFFFFFFFFFFFFFF", "7FFFFFFFFFFFFFFF", "FFFFFFFF"] {
        let body = chunked(size, "\r\n");
        assert_eq!(statuses(server.address(), &doubtful("transfer-encoding: chunked\r\n", &body)), [400]);
    }
    assert!(server.resident_bytes() < 200 << 20, "{}", server.resident_bytes());
    assert_nothing_was_emitted(&server);
}

#[test]
fn an_older_version_has_no_chunks() {
    let server = Server::start();
    let whole = chunked(&format!("{:x}", EVENT.len()), "\r\n");
    let old = doubtful("transfer-encoding: chunked\r\nconnection: keep-alive\r\n", &whole);
    let old = String::from_utf8_lossy(&old).replacen("HTTP/1.1", "HTTP/1.0", 1);

    assert_eq!(statuses(server.address(), old.as_bytes()), [400]);
    assert_nothing_was_emitted(&server);
}

#[test]
fn an_upgrade_that_is_not_wanted_leaves_nothing_to_be_taken_for_a_request() {
    let server = Server::start();
    let upgrade = format!("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: {}\r\n", EVENT.len());

    let upgraded = statuses(server.address(), &doubtful(&upgrade, EVENT));
    assert_eq!(upgraded.len(), 1, "{upgraded:?}");
    for target in ["example.com:443", "/health/live", "*"] {
        let connect = format!("CONNECT {target} HTTP/1.1\r\nhost: x\r\n\r\n{SECOND}");
        let answered = statuses(server.address(), connect.as_bytes());
        assert!(matches!(answered[..], [400..=499]), "{target}: {answered:?}");
    }
}

#[test]
fn trailers_and_extensions_of_chunks_change_nothing() {
    let server = Server::start();
    let size = format!("{:x}", EVENT.len());
    let body = format!("{size};a=b\r\n{EVENT}\r\n0\r\ncontent-length: 3\r\nauthorization: x\r\n\r\n");

    assert_eq!(statuses(server.address(), &doubtful("transfer-encoding: chunked\r\n", &body)), [202, 200]);
}

#[test]
fn a_body_that_nobody_wants_is_not_taken_for_a_request() {
    let server = Server::start();
    let inner = request("DELETE", "/api/v1/keys/key_000000000000000000000000000", b"");
    let outer = |method: &str, key: &str| {
        let head = format!(
            "{method} /api/v1/hooks HTTP/1.1\r\nhost: x\r\n{key}content-length: {}\r\n\r\n",
            inner.len()
        );
        [head.as_bytes(), &inner, SECOND.as_bytes()].concat()
    };
    let key = format!("authorization: Bearer {ADMIN_KEY}\r\n");

    assert_eq!(statuses(server.address(), &outer("GET", &key)), [200, 200]);
    assert_eq!(statuses(server.address(), &outer("GET", "")), [401, 200]);
    assert_eq!(statuses(server.address(), &outer("PATCH", &key)), [405, 200]);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start();
    let event = |n: usize| {
        request("POST", "/api/v1/events", format!(r#"{{"event":"new_lead","data":{n}}}"#).as_bytes())
    };
    let mut pipeline = Vec::new();
    for n in 0..200 {
        pipeline.extend(event(n));
        pipeline.extend(request("GET", "/api/v1/events?limit=1", b""));
    }

    let answered = Conversation::with(server.address()).say(&pipeline).end().answers();

    assert_eq!(answered.len(), 400);
    for (n, pair) in answered.chunks(2).enumerate() {
        let [emitted, listed] = pair else { panic!("an odd number of answers") };
        let newest: Vec<Value> = serde_json::from_slice(&listed.body).expect("a list");
        assert_eq!((emitted.status, newest[0]["data"].as_u64()), (202, Some(n as u64)));
    }
}
