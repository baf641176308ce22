//! Attempts against receivers on real sockets, the rude ones above all.

mod hostile;
mod memory;
pub mod receiver;
mod tls;

use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use standardwebhooks::Webhook;

use crate::attempt::{Attempt, ErrorKind, Outcome, RESPONSE_KEPT};
use crate::clock::Timestamp;
use crate::delivery::client::{Client, Settings};
use crate::delivery::endpoint::{Endpoint, Request};
use crate::delivery::guard::Guard;
use crate::delivery::signature::{Headers, Signer, TOLERANCE, verify};
use crate::delivery::tls::trusting_the_web;
use crate::event::Body;
use crate::id::EventId;
use receiver::Receiver;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"event":"new_lead","timestamp":"2025-01-15T10:30:00Z","data":{"a": 1.0}}"#;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Long enough for whatever is to happen; a test that waits for it fails.
const AMPLE: Duration = Duration::from_secs(10);
/// For tests in which the time is to run out.
const SHORT: Duration = Duration::from_millis(200);
/// For tests in which the time is to run out, but not before a busy machine has got to what comes first.
const UNHURRIED: Duration = Duration::from_secs(3);

fn client(timeout: Duration, https_only: bool, allow_networks: &[&str]) -> Client {
    let networks = allow_networks.iter().map(|network| network.parse().unwrap()).collect();
    let guard = Arc::new(Guard::new(https_only, networks));
    Client::new(
        Arc::new(Settings::new(timeout, "x-fetchply-signature", guard, trusting_the_web()).unwrap()),
        Rc::default(),
    )
}

fn local_client(timeout: Duration) -> Client {
    client(timeout, false, &["127.0.0.0/8", "::1/128"])
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::new(&url.parse().unwrap(), Signer::new(&SECRET.parse().unwrap())).unwrap()
}

fn request() -> Request {
    let (id, body) = (EventId::from_bytes([7; 20]), body(Bytes::from_static(BODY)));
    Request { id, body, n: 1, asked: false, sequence: None, test: false, trace: None }
}

/// A body of these bytes, whatever they are.
fn body(bytes: Bytes) -> Body {
    Body { timestamp: 0..0, data: 0..bytes.len() as u32, bytes }
}

fn run<F: Future>(test: F) -> F::Output {
    actix_rt::System::new().block_on(test)
}

/// Makes one attempt with a client of its own.
fn attempt_at(url: &str, timeout: Duration) -> Attempt {
    run(local_client(timeout).attempt(&endpoint(url), request()))
}

fn outcome_of(answer: &'static [u8]) -> Outcome {
    attempt_at(&Receiver::answering(answer).url(), AMPLE).outcome
}

fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None }
}

fn failed(kind: ErrorKind) -> Outcome {
    Outcome::Failed(kind)
}

#[test]
fn the_request_is_the_documented_one() {
    let receiver = Receiver::answering(OK);
    let before = Timestamp::now();
    let attempt = attempt_at(&format!("{}a?b=c#d", receiver.url()), AMPLE);
    assert_eq!((attempt.n, attempt.outcome), (1, answered(200)));
    assert_eq!(attempt.response, "ok");
    assert!(attempt.at >= before && attempt.at <= Timestamp::now());

    let got = receiver.request();
    assert_eq!(got.line, "POST /a?b=c HTTP/1.1");
    assert_eq!(got.body, BODY);
    let header = |name: &str| got.header(name).unwrap_or_else(|| panic!("no header {name}"));
    assert_eq!(header("host"), receiver.authority());
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("content-length"), BODY.len().to_string());
    assert_eq!(header("user-agent"), concat!("hookyard/", env!("CARGO_PKG_VERSION")));
    assert_eq!(header("webhook-id"), request().id.to_string());
    assert_eq!(header("webhook-timestamp"), attempt.at.unix_seconds().to_string());
    let hex = Signer::new(&SECRET.parse().unwrap()).hex(BODY);
    assert_eq!(Some(header("x-fetchply-signature")), hex.as_deref());
    for absent in ["webhook-test", "accept-encoding", "expect", "transfer-encoding", "cookie"] {
        assert_eq!(got.header(absent), None, "{absent}");
    }
}

#[test]
fn the_signature_convinces_verifiers_of_others_and_ours() {
    let receiver = Receiver::answering(OK);
    attempt_at(&receiver.url(), AMPLE);
    let got = receiver.request();

    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, got.header(name).unwrap().parse().unwrap());
    }
    Webhook::new(SECRET).unwrap().verify(&got.body, &headers).unwrap();

    let headers = Headers::find(|name| got.header(name)).unwrap();
    verify(SECRET, &headers, &got.body, TOLERANCE, Timestamp::now()).unwrap();
}

#[test]
fn a_test_is_marked_as_one() {
    let receiver = Receiver::answering(OK);
    run(local_client(AMPLE).attempt(&endpoint(&receiver.url()), Request { test: true, ..request() }));
    assert_eq!(receiver.request().header("webhook-test"), Some("true"));
}

#[test]
fn the_status_decides() {
    assert_eq!(outcome_of(b"HTTP/1.1 204 No Content\r\n\r\n"), answered(204));
    assert_eq!(
        outcome_of(b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        answered(202)
    );
    assert_eq!(outcome_of(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"), answered(410));
    assert_eq!(
        outcome_of(b"HTTP/1.1 500 Oops\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n"),
        answered(500)
    );
    let asked = outcome_of(b"HTTP/1.1 503 Busy\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(asked, Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(9)) });
}

#[test]
fn a_redirect_is_not_followed() {
    let decoy = Receiver::answering(OK);
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", decoy.url());
    let receiver = Receiver::serving(move |connection, _| connection.say(redirect.as_bytes()));
    assert_eq!(attempt_at(&receiver.url(), AMPLE).outcome, answered(302));
    assert_eq!(decoy.accepted(), 0);
}

#[test]
fn a_connection_serves_one_attempt_after_another() {
    let receiver = Receiver::answering(OK);
    let (client, endpoint) = (local_client(AMPLE), endpoint(&receiver.url()));
    run(async {
        for _ in 0..3 {
            assert_eq!(client.attempt(&endpoint, request()).await.outcome, answered(200));
        }
    });
    assert_eq!(receiver.accepted(), 1);
}

#[test]
fn none_of_many_dead_connections_is_used() {
    const MANY: usize = 300;
    let all = Barrier::new(MANY);
    let receiver = Receiver::serving(move |connection, n| {
        if n <= MANY {
            all.wait();
        }
        connection.say(OK);
        if n <= MANY {
            connection.hang_up();
        }
    });
    let (client, endpoint) = (local_client(UNHURRIED), endpoint(&receiver.url()));
    run(async {
        let attempts = join_all((0..MANY).map(|_| client.attempt(&endpoint, request()))).await;
        assert!(attempts.iter().all(|attempt| attempt.outcome == answered(200)));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(client.attempt(&endpoint, request()).await.outcome, answered(200));
    });
    assert_eq!(receiver.accepted(), MANY + 1);
}

#[test]
fn a_response_that_never_ends_is_still_the_success_it_began_as() {
    let receiver = Receiver::serving(|connection, _| {
        connection.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nfirst");
        connection.wait_for_hang_up();
    });
    let attempt = attempt_at(&receiver.url(), UNHURRIED);
    assert_eq!(attempt.outcome, answered(200));
    assert_eq!(attempt.response, "first");
    assert!(u128::from(attempt.duration_ms) <= UNHURRIED.as_millis());
}

#[test]
fn a_flood_is_cut_off_early_and_its_first_bytes_are_kept() {
    let receiver = Receiver::serving(|connection, _| {
        connection.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while connection.try_say(b"10\r\n0123456789abcdef\r\n") {}
    });
    let started = Instant::now();
    let attempt = attempt_at(&receiver.url(), AMPLE);
    assert_eq!(attempt.outcome, answered(200));
    assert_eq!(attempt.response, "0123456789abcdef".repeat(RESPONSE_KEPT / 16));
    assert!(started.elapsed() < AMPLE);
}

/// All of it comes at once, and then nothing: whoever waited for more would wait until the timeout.
#[test]
fn a_long_response_does_not_hold_up_its_attempt() {
    for length in [4_095, 4_096, 4_097, 6_000, 20_000] {
        let receiver = Receiver::serving(move |connection, _| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            connection.say(&[head.into_bytes(), vec![b'x'; length]].concat());
            connection.wait_for_hang_up();
        });
        let started = Instant::now();
        let attempt = attempt_at(&receiver.url(), AMPLE);
        assert_eq!(attempt.outcome, answered(200));
        assert_eq!(attempt.response, "x".repeat(RESPONSE_KEPT));
        assert!(started.elapsed() < AMPLE / 2, "{length}: {:?}", started.elapsed());
    }
}

#[test]
fn headers_that_come_too_late_are_a_timeout() {
    let silent = Receiver::serving(|connection, _| connection.wait_for_hang_up());
    let attempt = attempt_at(&silent.url(), SHORT);
    assert_eq!(attempt.outcome, failed(ErrorKind::Timeout));
    assert!(u128::from(attempt.duration_ms) >= SHORT.as_millis());

    let halfway = Receiver::serving(|connection, _| {
        connection.say(b"HTTP/1.1 200 OK\r\ncontent-le");
        connection.wait_for_hang_up();
    });
    assert_eq!(attempt_at(&halfway.url(), SHORT).outcome, failed(ErrorKind::Timeout));
}

#[test]
fn a_connection_that_breaks_is_a_connect_error() {
    let hangs_up = Receiver::serving(|connection, _| connection.hang_up());
    assert_eq!(attempt_at(&hangs_up.url(), AMPLE).outcome, failed(ErrorKind::Connect));
    let resets = Receiver::serving(|connection, _| connection.reset());
    assert_eq!(attempt_at(&resets.url(), AMPLE).outcome, failed(ErrorKind::Connect));
    let halfway = Receiver::serving(|connection, _| {
        connection.say(b"HTTP/1.1 200 OK\r\ncontent-le");
        connection.hang_up();
    });
    assert_eq!(attempt_at(&halfway.url(), AMPLE).outcome, failed(ErrorKind::Connect));
    assert_eq!(attempt_at(&receiver::closed_port(), AMPLE).outcome, failed(ErrorKind::Connect));
}

#[test]
fn what_is_not_http_is_a_protocol_error() {
    assert_eq!(outcome_of(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), failed(ErrorKind::Protocol));
    assert_eq!(outcome_of(b"HTTP/1.1 2xx Fine\r\n\r\n"), failed(ErrorKind::Protocol));
    assert_eq!(outcome_of(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), failed(ErrorKind::Protocol));
    let headers = Receiver::serving(|connection, _| {
        connection.say(b"HTTP/1.1 200 OK\r\n");
        while connection.try_say(b"x: y\r\n") {}
    });
    assert_eq!(attempt_at(&headers.url(), AMPLE).outcome, failed(ErrorKind::Protocol));
}

#[test]
fn a_header_name_that_the_http_client_would_panic_over_is_a_protocol_error() {
    let receiver = Receiver::serving(|connection, _| {
        let name = "x".repeat(70_000);
        connection.say(format!("HTTP/1.1 200 OK\r\n{name}: y\r\ncontent-length: 0\r\n\r\n").as_bytes());
    });
    assert_eq!(attempt_at(&receiver.url(), AMPLE).outcome, failed(ErrorKind::Protocol));
}

/// Answers the first request with `first`, later ones with 500, and wants a connection for each of the two.
fn the_next_request_gets_its_own_answer(first: &'static [u8], expected: Outcome) {
    const ERROR: &[u8] = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::serving(move |connection, n| connection.say(if n == 1 { first } else { ERROR }));
    let (client, endpoint) = (local_client(AMPLE), endpoint(&receiver.url()));
    run(async {
        assert_eq!(client.attempt(&endpoint, request()).await.outcome, expected);
        assert_eq!(client.attempt(&endpoint, request()).await.outcome, answered(500));
    });
    assert_eq!(receiver.accepted(), 2);
}

#[test]
fn an_interim_response_is_a_failure_and_not_followed_by_a_stale_success() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    the_next_request_gets_its_own_answer(interim, failed(ErrorKind::Protocol));
}

#[test]
fn a_connection_is_left_where_the_end_of_a_response_is_not_known() {
    the_next_request_gets_its_own_answer(b"HTTP/1.1 200 OK\r\n\r\n", answered(200));
    the_next_request_gets_its_own_answer(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", answered(200));
    let upgrade = b"HTTP/1.1 200 OK\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\nok";
    the_next_request_gets_its_own_answer(upgrade, answered(200));
    the_next_request_gets_its_own_answer(b"HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n", answered(304));
}

#[test]
fn a_name_without_an_address_is_a_dns_error() {
    assert_eq!(attempt_at("http://name.invalid/", AMPLE).outcome, failed(ErrorKind::Dns));
}

#[test]
fn nothing_connects_to_a_refused_target() {
    let decoy = Receiver::answering(OK);
    let port = decoy.port();
    let strangers = client(AMPLE, false, &["10.0.0.0/8"]);
    run(async {
        for host in
            ["127.0.0.1", "localhost", "a.localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"]
        {
            let attempt = strangers.attempt(&endpoint(&format!("http://{host}:{port}/")), request()).await;
            assert_eq!(attempt.outcome, failed(ErrorKind::Blocked), "{host}");
        }
    });
    let https_only = client(AMPLE, true, &["127.0.0.0/8"]);
    let attempt = run(https_only.attempt(&endpoint(&decoy.url()), request()));
    assert_eq!(attempt.outcome, failed(ErrorKind::Blocked));
    assert_eq!(decoy.accepted(), 0);
}

#[test]
fn localhost_is_reached_where_one_of_its_addresses_is_allowed() {
    let receiver = Receiver::answering(OK);
    let client = client(AMPLE, false, &["127.0.0.0/8"]);
    let url = format!("http://hooks.localhost:{}/", receiver.port());
    assert_eq!(run(client.attempt(&endpoint(&url), request())).outcome, answered(200));
}

#[test]
fn the_signature_header_may_not_take_the_place_of_another() {
    let guard = Arc::new(Guard::new(true, Vec::new()));
    let named = |name: &str| Settings::new(AMPLE, name, guard.clone(), trusting_the_web());
    assert!(named("X-Acme-Signature").is_ok());
    for taken in ["", "a b", "Host", "content-length", "webhook-signature", "Webhook-Test"] {
        let message = named(taken).unwrap_err().to_string();
        assert!(message.starts_with(&format!("\"{taken}\" is not a header name")), "{message}");
    }
}
