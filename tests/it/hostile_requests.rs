//! Requests that no client sends by accident: the server refuses them, and goes on serving everybody else.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;

use crate::support::raw::{connect, exchange, status};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::ADMIN_KEY;

/// Asserts that an event still finds its way from one end to the other.
#[track_caller]
fn assert_delivers(server: &Server) {
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));
    assert_eq!(receiver.wait_for(1)[0].webhook_id(), receipt.id);
    server.api().unsubscribe(&hook.id);
}

#[test]
fn what_is_no_http_is_refused_or_dropped() {
    let server = Server::start();
    let requests: [&[u8]; 7] = [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health/live HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nno colon here\r\n\r\n",
        b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
    ];

    for request in requests {
        let answered = exchange(server.address(), request);
        let shown = String::from_utf8_lossy(request);
        assert!(answered.is_none_or(|status| (400..500).contains(&status)), "{answered:?} to {shown:?}");
    }
    assert_delivers(&server);
}

#[test]
fn thousands_of_headers_are_refused_or_dropped() {
    let server = Server::start();
    let headers: String = (0..5_000).map(|n| format!("x-header-{n}: value\r\n")).collect();

    let answered =
        exchange(server.address(), format!("GET /api/v1/hooks HTTP/1.1\r\n{headers}\r\n").as_bytes());

    assert!(answered.is_none_or(|status| (400..500).contains(&status)), "{answered:?}");
    assert_delivers(&server);
}

#[test]
fn a_header_or_a_path_of_a_megabyte_is_refused_or_dropped() {
    let server = Server::start();
    let long = "a".repeat(1 << 20);

    for request in [
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /api/v1/hooks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {long}\r\n\r\n"),
    ] {
        let answered = exchange(server.address(), request.as_bytes());
        assert!(answered.is_none_or(|status| (400..500).contains(&status)), "{answered:?}");
    }
    assert_delivers(&server);
}

#[test]
fn a_hundred_slow_senders_keep_nobody_else_waiting() {
    let server = Server::start();
    let begin = |bytes: &[u8]| -> TcpStream {
        let mut stream = connect(server.address());
        stream.write_all(bytes).expect("the server reads");
        stream
    };
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\ncontent-length: 40\r\n\r\n{{\"event\":"
    );

    let in_the_headers: Vec<TcpStream> =
        (0..50).map(|_| begin(b"GET /api/v1/hooks HTTP/1.1\r\nx-slow: ")).collect();
    let in_the_body: Vec<TcpStream> = (0..50).map(|_| begin(head.as_bytes())).collect();

    assert_delivers(&server);
    drop((in_the_headers, in_the_body));
    assert_delivers(&server);
}

#[test]
fn a_request_that_comes_in_pieces_is_served() {
    let server = Server::start();
    let body = r#"{"event":"new_lead","data":"in pieces"}"#;
    let request = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(server.address());
    stream.set_nodelay(true).expect("a TCP option");

    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).expect("the server reads");
    }

    assert_eq!(status(&mut stream), Some(202));
}

#[test]
fn a_sender_that_leaves_in_the_middle_emits_nothing() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let whole = r#"{"event":"new_lead","data":"never finished"}"#;
    let mut stream = connect(server.address());
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{whole}",
        whole.len() + 1
    );

    stream.write_all(head.as_bytes()).expect("the server reads");
    drop(stream);
    let receipt = server.api().emit("new_lead", &json!("after"));

    receiver.wait_for(1);
    server.api().wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
    assert_eq!(receiver.webhook_ids(), [receipt.id]);
}

#[test]
fn ids_with_anything_in_them_are_just_unknown() {
    let server = Server::start();

    for id in ["..%2f..%2fetc%2fpasswd", "%ff%fe", "hook_%0d%0aset-cookie:x", "hook_' OR 1=1", "{}", "hook_"]
    {
        let request = format!(
            "GET /api/v1/hooks/{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\r\n",
            id.replace(' ', "%20")
        );
        let answered = exchange(server.address(), request.as_bytes());
        assert!(answered.is_some_and(|status| (400..500).contains(&status)), "{answered:?} to {id}");
    }
    assert_delivers(&server);
}
