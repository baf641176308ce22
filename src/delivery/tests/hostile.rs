//! Attempts against receivers that mean harm: each has an outcome with a name, in time and in little memory, and what
//! they leave on a connection is nobody's answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::receiver::{Connection, Receiver};
use super::{
    AMPLE, OK, SHORT, UNHURRIED, answered, body, endpoint, failed, local_client, memory, request, run,
};
use crate::attempt::{Attempt, ErrorKind, Outcome, RESPONSE_KEPT};
use crate::delivery::client::Client;
use crate::delivery::endpoint::Request;
use crate::delivery::intake;

/// What an attempt holds in memory that meets a short answer: the request, the connection, and the buffers for both.
const ORDINARY: usize = 24 * 1024;
/// What a response may make it hold beyond that, at any time.
pub const MEMORY: usize = 64 * 1024;

const OWN_ANSWER: &[u8] = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";

/// What is to be seen of a hostile response, and whether time is to run out over it.
struct Expected {
    outcome: Outcome,
    time: Duration,
}

fn at_once(outcome: Outcome) -> Expected {
    Expected { outcome, time: AMPLE }
}

fn out_of_time(outcome: Outcome) -> Expected {
    Expected { outcome, time: UNHURRIED }
}

/// Makes an attempt and holds it to its bounds.
pub async fn bounded(what: &str, client: &Client, url: &str) -> Attempt {
    let (attempt, most) = memory::during(client.attempt(&endpoint(url), request())).await;
    assert!(most <= ORDINARY + MEMORY, "{what}: {most} bytes");
    attempt
}

/// Answers the first request as `hostile` does, and the next with 500, which must be the second attempt's answer.
#[track_caller]
fn meets(
    what: &str,
    expected: &Expected,
    hostile: impl Fn(&mut Connection) + Send + Sync + 'static,
) -> Attempt {
    let receiver = Receiver::serving(move |connection, n| match n {
        1 => hostile(connection),
        _ => connection.say(OWN_ANSWER),
    });
    run(async {
        let client = local_client(expected.time);
        let first = bounded(what, &client, &receiver.url()).await;
        assert_eq!(first.outcome, expected.outcome, "{what}");
        assert!(u128::from(first.duration_ms) < 2 * AMPLE.as_millis(), "{what}: {} ms", first.duration_ms);
        let second = bounded(what, &client, &receiver.url()).await;
        assert_eq!(second.outcome, answered(500), "{what}: the next request gets its own answer");
        assert_eq!(receiver.accepted(), 2, "{what}: the connection is not used again");
        first
    })
}

/// Says a beginning, then the same again and again for as long as somebody listens.
fn endless(beginning: &'static str, again: &'static str) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    move |connection| {
        let again = again.repeat(4096 / again.len() + 1);
        connection.try_say(beginning.as_bytes());
        while connection.try_say(again.as_bytes()) {}
    }
}

fn says(bytes: &'static str) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    move |connection| {
        connection.try_say(bytes.as_bytes());
    }
}

fn then_waits(bytes: &'static str) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    move |connection| {
        connection.try_say(bytes.as_bytes());
        connection.wait_for_hang_up();
    }
}

fn then_resets(bytes: &'static str) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    move |connection| {
        connection.try_say(bytes.as_bytes());
        connection.reset();
    }
}

fn then_hangs_up(bytes: &'static str) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    move |connection| {
        connection.try_say(bytes.as_bytes());
        connection.hang_up();
    }
}

/// Says these bytes one by one, and each only when the other side may have read the last, for as long as it listens.
fn dribbling(bytes: &'static str) -> impl Fn(&mut Connection) + Send + Sync + 'static {
    move |connection| {
        for byte in bytes.bytes().chain(std::iter::repeat(b'x')) {
            if !connection.try_say(&[byte]) {
                return;
            }
            thread::sleep(SHORT / 50);
        }
    }
}

#[test]
fn an_ordinary_attempt_takes_little_memory() {
    let receiver = Receiver::answering(OK);
    run(async {
        let client = local_client(AMPLE);
        let (attempt, most) = memory::during(client.attempt(&endpoint(&receiver.url()), request())).await;
        assert_eq!(attempt.outcome, answered(200));
        assert!(most <= ORDINARY, "{most} bytes");
    });
}

#[test]
fn a_head_without_end_is_a_protocol_error() {
    let protocol = at_once(failed(ErrorKind::Protocol));
    meets("headers", &protocol, endless("HTTP/1.1 200 OK\r\n", "x: y\r\n"));
    meets("a header's value", &protocol, endless("HTTP/1.1 200 OK\r\nx: ", "y"));
    meets("a header's name", &protocol, endless("HTTP/1.1 200 OK\r\n", "x"));
    meets("the reason", &protocol, endless("HTTP/1.1 200 ", "OK"));
    meets("empty lines", &protocol, endless("", "\r\n"));
    meets("interim responses", &protocol, endless("", "HTTP/1.1 100 Continue\r\n\r\n"));
    meets("early hints", &protocol, endless("", "HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n"));
}

#[test]
fn a_long_head_is_read_up_to_its_limit_and_no_further() {
    let long = |bytes: usize| {
        let bare = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\nx: \r\n\r\n".len();
        let value = "y".repeat(bytes - bare);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\nx: {value}\r\n\r\n");
        move |connection: &mut Connection| {
            connection.try_say(head.as_bytes());
        }
    };
    let limit = intake::HEAD;
    meets("the longest", &at_once(answered(200)), long(limit));
    meets("one longer", &at_once(failed(ErrorKind::Protocol)), long(limit + 1));
}

#[test]
fn many_headers_take_little_memory() {
    let head = |headers: usize| {
        let headers: String = (0..headers).map(|n| format!("x-{n:02}-{}: v\r\n", "n".repeat(170))).collect();
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}content-length: 0\r\n\r\n");
        move |connection: &mut Connection| {
            connection.try_say(head.as_bytes());
        }
    };
    // The status line, two more headers and the empty line come to it.
    let most = intake::LINES - 4;
    meets("as many as there may be", &at_once(answered(200)), head(most));
    meets("one more", &at_once(failed(ErrorKind::Protocol)), head(most + 1));
}

#[test]
fn a_body_without_end_is_cut_off_and_what_its_head_said_counts() {
    let ok = at_once(answered(200));
    let whole = "x".repeat(RESPONSE_KEPT);
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n";
    assert_eq!(meets("a gigantic length", &ok, endless(length, "x")).response, whole);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(meets("chunks", &ok, endless(chunked, "1\r\nx\r\n")).response, whole);
    assert_eq!(
        meets(
            "a gigantic chunk",
            &ok,
            endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n", "x")
        )
        .response,
        whole
    );
    assert_eq!(meets("HTTP/1.0", &ok, endless("HTTP/1.0 200 OK\r\n\r\n", "x")).response, whole);
    meets("no length", &ok, endless("HTTP/1.1 200 OK\r\n\r\n", "x"));
    meets(
        "trailers",
        &out_of_time(answered(200)),
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "x: y\r\n"),
    );
    meets(
        "a chunk's extension",
        &out_of_time(answered(200)),
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", "x"),
    );
    meets(
        "a failure",
        &at_once(answered(500)),
        endless("HTTP/1.1 500 Oops\r\ncontent-length: 999999\r\n\r\n", "x"),
    );
}

#[test]
fn a_body_that_is_broken_off_changes_nothing() {
    let ok = at_once(answered(200));
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    meets("a reset", &ok, then_resets(announced));
    meets("an early end", &ok, then_hangs_up("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nfirst"));
    meets("silence", &out_of_time(answered(200)), then_waits(announced));
    for garbage in [
        "zz\r\nxx\r\n",
        "-1\r\nx\r\n",
        "\r\n\r\n",
        "10000000000000000\r\nx",
        "1\r\nxy\r\n",
        "5 5\r\nhello\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{garbage}").leak();
        meets(garbage, &ok, says(answer));
    }
}

#[test]
fn a_compressed_body_stays_compressed() {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(&vec![0; 16 * 1024 * 1024]).unwrap();
    let bomb = zip.finish().unwrap();
    for encoding in ["gzip", "deflate", "br", "gzip, gzip"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        let answer = [head.as_bytes(), &bomb].concat();
        let kept = meets(encoding, &at_once(answered(200)), move |connection| {
            connection.try_say(&answer);
        });
        assert_eq!(kept.response, bomb[..RESPONSE_KEPT], "{encoding}");
    }
}

#[test]
fn what_only_looks_like_http_is_a_protocol_error() {
    for answer in [
        "<html>it works</html>\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 -200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx\0y: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\rb: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\u{1}\u{2}",
        "HTTP/1.1 199 Strange\r\ncontent-length: 2\r\n\r\nok",
        "\u{15}\u{3}\u{3}\0\u{2}\u{2}F",
    ] {
        meets(answer, &at_once(failed(ErrorKind::Protocol)), says(answer));
    }
}

#[test]
fn a_length_too_many_or_too_few_ends_the_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\nok",
        "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let status = answer[9..12].parse().unwrap();
        // The receiver of an HTTP/1.0 response waits for its end.
        let expected =
            if answer.contains("/1.0") { out_of_time(answered(status)) } else { at_once(answered(status)) };
        meets(answer, &expected, says(answer));
    }
}

#[test]
fn a_status_that_nobody_knows_is_told_as_it_is() {
    for status in [299, 399, 600, 999] {
        let answer = format!("HTTP/1.1 {status} ?\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").leak();
        meets(answer, &at_once(answered(status)), says(answer));
    }
}

#[test]
fn a_byte_at_a_time_is_too_slow_for_a_head_and_in_time_for_a_body() {
    meets("a head", &out_of_time(failed(ErrorKind::Timeout)), dribbling("HTTP/1.1 200 OK\r\nx: "));
    meets("a body", &out_of_time(answered(200)), |connection| {
        connection.try_say(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        dribbling("")(connection);
    });
}

#[test]
fn what_follows_a_response_is_nobodys_answer() {
    const STALE: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::serving(|connection, n| connection.say(if n == 1 { STALE } else { OWN_ANSWER }));
    run(async {
        let client = local_client(AMPLE);
        assert_eq!(bounded("stale", &client, &receiver.url()).await.outcome, answered(200));
        assert_eq!(bounded("stale", &client, &receiver.url()).await.outcome, answered(500));
    });
    let (have_answer, had_answer) = mpsc::channel();
    let (had_answer, (say, said)) = (Mutex::new(had_answer), mpsc::channel());
    let late = Receiver::serving(move |connection, n| {
        connection.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        if n == 1 {
            had_answer.lock().unwrap().recv().unwrap();
            connection.try_say(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            say.send(()).unwrap();
        }
    });
    run(async {
        let client = local_client(AMPLE);
        assert_eq!(bounded("late", &client, &late.url()).await.outcome, answered(200));
        have_answer.send(()).unwrap();
        while said.try_recv().is_err() {
            tokio::time::sleep(SHORT / 50).await;
        }
        assert_eq!(bounded("late", &client, &late.url()).await.outcome, answered(200));
    });
    assert_eq!(late.accepted(), 2, "bytes that wait on a connection end it");
}

/// Serves every connection as `serve` says, without reading a request.
fn deaf(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    url
}

#[test]
fn an_answer_may_come_before_the_request_is_read() {
    let url = deaf(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
    });
    run(async {
        let attempt = bounded("an early answer", &local_client(AMPLE), &url).await;
        assert_eq!(attempt.outcome, answered(200));
    });
}

#[test]
fn an_answer_counts_although_the_receiver_hung_up_before_it_had_read_all() {
    let url = deaf(|mut stream| {
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").unwrap();
        // Until there is something that it has not read.
        thread::sleep(Duration::from_millis(50));
    });
    run(async {
        let large = Request { body: body(vec![b'x'; 16 << 20].into()), ..request() };
        let attempt = local_client(AMPLE).attempt(&endpoint(&url), large).await;
        assert_eq!(attempt.outcome, answered(413));
    });
}

#[test]
fn whoever_does_not_read_is_a_timeout() {
    let held = Mutex::new(Vec::new());
    let url = deaf(move |mut stream| {
        drop(stream.set_nonblocking(true));
        drop(stream.write_all(&[b'x'; 1024 * 1024]));
        held.lock().unwrap().push(stream);
    });
    let body = body(Bytes::from(vec![b'x'; 16 * 1024 * 1024]));
    let attempt = run(local_client(SHORT).attempt(&endpoint(&url), Request { body, ..request() }));
    assert_eq!(attempt.outcome, failed(ErrorKind::Timeout));
}

#[test]
fn a_cookie_is_not_sent_back() {
    let receiver =
        Receiver::answering(b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n");
    run(async {
        let client = local_client(AMPLE);
        for _ in 0..2 {
            assert_eq!(bounded("a cookie", &client, &receiver.url()).await.outcome, answered(200));
            assert_eq!(receiver.request().header("cookie"), None);
        }
    });
}
