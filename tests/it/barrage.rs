//! A barrage of everything hostile, again and again: the server's memory stays where it is.

use std::thread;

use serde_json::json;

use crate::support::raw::{Conversation, request};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::ADMIN_KEY;

/// Callers at a time.
const CALLERS: usize = 4;
/// Rounds of each before memory is looked at, and between the two looks.
const ROUNDS: usize = 40;
/// By how much memory may differ between two looks: less than a kilobyte for each connection.
const ALLOWED: u64 = 12 << 20;

/// Everything that is refused: each on a connection of its own.
fn barrage() -> Vec<Vec<u8>> {
    let deep = "[".repeat(100_000);
    let long = "a".repeat(100_000);
    let key = format!("authorization: Bearer {ADMIN_KEY}\r\n");
    let json = "content-type: application/json\r\n";
    let post = format!("POST /api/v1/events HTTP/1.1\r\nhost: x\r\n{key}{json}");
    let texts = [
        "GARBAGE\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /api/v1/hooks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {long}\r\n\r\n"),
        format!("GET /api/v1/hooks?{} HTTP/1.1\r\nhost: x\r\n{key}\r\n", "limit=0&".repeat(10_000)),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(5_000)),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{long}: b\r\n\r\n"),
        format!("{post}content-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        format!("{post}content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n{long}"),
        format!("{post}transfer-encoding: chunked\r\n\r\nZZ\r\n"),
        format!("{post}content-length: 18446744073709551615\r\n\r\n{long}"),
        format!("{post}content-length: 16777216\r\n\r\n{long}"),
        format!("{post}content-length: 100\r\n\r\n{{\"event\":"),
        format!("{post}connection: upgrade\r\nupgrade: websocket\r\n\r\n{long}"),
        "CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(),
        "GET /api/v1/hooks/%00%ff HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100),
    ];
    let bodies = [
        deep.clone(),
        format!("{{\"event\":{deep}"),
        format!("{{\"event\":\"{long}\",\"data\":1}}"),
        format!("{{\"event\":\"new_lead\",\"data\":1,\"id\":\"{long}\"}}"),
        format!("[{}]", "{\"event\":\"new_lead\",\"data\":1},".repeat(1_001)),
    ];
    let methods = [
        ("POST", "/api/v1/events"),
        ("POST", "/api/v1/hooks/subscribe"),
        ("DELETE", "/api/v1/hooks/subscribe"),
    ];
    let refused = methods.iter().flat_map(|(method, path)| {
        bodies.iter().map(|body| request(method, path, body.as_bytes())).collect::<Vec<_>>()
    });
    texts.into_iter().map(String::into_bytes).chain(refused).collect()
}

/// Lets all callers go through the barrage, each with keys of its own to try; none of it may be answered with a 500.
fn endure(server: &Server, barrage: &[Vec<u8>], rounds: usize) {
    thread::scope(|callers| {
        for caller in 0..CALLERS {
            callers.spawn(move || {
                for round in 0..rounds {
                    for bytes in barrage {
                        for answer in Conversation::with(server.address()).say(bytes).end().answers() {
                            assert!(answer.status < 500, "{answer:?}");
                        }
                    }
                    for guess in 0..25 {
                        let key = format!("fp_{caller}_{round}_{guess}");
                        let status = server.api_with_key(&key).get("/api/v1/keys").status;
                        assert!(matches!(status, 401 | 429), "{status}");
                    }
                }
            });
        }
    });
}

#[test]
fn memory_does_not_grow_with_what_is_refused() {
    let server = Server::start();
    let barrage = barrage();
    endure(&server, &barrage, ROUNDS);
    let before = server.resident_bytes();

    endure(&server, &barrage, ROUNDS);

    let after = server.resident_bytes();
    let requests = CALLERS * ROUNDS * (barrage.len() + 25);
    println!("{requests} hostile connections: {before} bytes before, {after} after");
    assert!(after < before + ALLOWED, "{before} bytes before, {after} after {requests} requests");
    let said = server.complaints();
    assert!(!said.contains("ERROR") && !said.contains("panicked"), "{said}");
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));
    assert_eq!(receiver.wait_for(1)[0].webhook_id(), receipt.id);
}
