//! Responses of receivers that mean harm: each is an outcome with a name, soon and in little memory, asked of the real
//! binary. `src/delivery/tests/` has the many ways; this has one of each kind.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::cli::Cli;
use crate::support::deliveries::{Attempt, instant};
use crate::support::patience::{PATIENCE, until};
use crate::support::receiver::{Receiver, deserted_url};
use crate::support::rude::{Rude, linger};
use crate::support::server::Server;
use crate::support::settings::Settings;

#[track_caller]
fn attempt(api: &Api, url: &str) -> Attempt {
    let hook = api.subscribe(url, "new_lead");
    api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect(200)
}

/// Two attempts that meet this, each on a connection of its own.
#[track_caller]
fn meets(
    api: &Api,
    what: &str,
    receiver: &Rude,
    scheme: &str,
    status: Option<u16>,
    error: Option<&str>,
) -> Attempt {
    let hook = api.subscribe(&receiver.url(scheme), "new_lead");
    let test = || api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect::<Attempt>(200);
    let (first, second) = (test(), test());
    for attempt in [&first, &second] {
        assert_eq!((attempt.status, attempt.error.as_deref()), (status, error), "{what}");
        assert!(attempt.duration_ms < PATIENCE.as_millis() as u64, "{what}: {} ms", attempt.duration_ms);
    }
    assert_eq!(receiver.accepted(), 2, "{what}: the connection is not used again");
    first
}

#[test]
fn what_is_no_answer_is_an_error_with_a_name() {
    let server = Server::start_with(Settings::quick());
    let api = server.api();
    let protocol =
        |what: &str, receiver: &Rude| drop(meets(&api, what, receiver, "http", None, Some("protocol")));

    protocol("endless headers", &Rude::without_end("HTTP/1.1 200 OK\r\n", "x: y\r\n"));
    protocol("an endless header", &Rude::without_end("HTTP/1.1 200 OK\r\nx: ", "y"));
    protocol("an endless name", &Rude::without_end("HTTP/1.1 200 OK\r\n", "x"));
    protocol("interim responses", &Rude::without_end("", "HTTP/1.1 100 Continue\r\n\r\n"));
    protocol("HTTP/0.9", &Rude::saying("<html>it works</html>\n"));
    protocol("an upgrade", &Rude::saying("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"));
    protocol(
        "two lengths",
        &Rude::saying("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok"),
    );
    protocol("NUL in a header", &Rude::saying("HTTP/1.1 200 OK\r\nx: \0\r\n\r\n"));
    protocol("TLS", &Rude::saying("\u{15}\u{3}\u{3}\0\u{2}\u{2}F"));
    let hangs_up = Rude::meeting(|stream| drop(stream.shutdown(Shutdown::Both)));
    meets(&api, "an early end", &hangs_up, "http", None, Some("connect"));
    let plain = Rude::saying("HTTP/1.1 400 Bad Request\r\n\r\n");
    meets(&api, "no TLS", &plain, "https", None, Some("tls"));
    assert_eq!(attempt(&api, &deserted_url()).error.as_deref(), Some("connect"));
    assert_eq!(attempt(&api, "http://nobody.invalid/").error.as_deref(), Some("dns"));
}

#[test]
fn an_answer_counts_whatever_comes_of_its_body() {
    let server = Server::start_with(Settings::quick());
    let api = server.api();
    let ok = |what: &str, receiver: &Rude| meets(&api, what, receiver, "http", Some(200), None);

    ok("no length", &Rude::without_end("HTTP/1.1 200 OK\r\n\r\n", "x"));
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n";
    assert_eq!(ok("a gigantic length", &Rude::without_end(length, "x")).response, Some("x".repeat(256)));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    ok("endless chunks", &Rude::without_end(chunked, "1\r\nx\r\n"));
    ok("chunks that are none", &Rude::without_end(chunked, "zz"));
    ok(
        "an early end",
        &Rude::meeting(|stream| {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"));
            drop(stream.shutdown(Shutdown::Both));
        }),
    );
    let mut zip = GzEncoder::new(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n".to_vec(),
        Compression::best(),
    );
    zip.write_all(&vec![0; 16 * 1024 * 1024]).expect("memory is enough");
    ok("a bomb", &Rude::saying(zip.finish().expect("memory is enough")));
}

#[test]
fn whoever_is_too_slow_is_a_timeout() {
    let server = Server::start_with(Settings::quick().set("delivery.timeout", r#""500ms""#));
    let api = server.api();
    let dribbling = |beginning: &'static str| {
        Rude::meeting(move |stream| {
            for byte in beginning.bytes().chain(std::iter::repeat(b'x')) {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
            }
        })
    };

    meets(&api, "silence", &Rude::meeting(linger), "http", None, Some("timeout"));
    meets(&api, "a slow head", &dribbling("HTTP/1.1 200 OK\r\nx: "), "http", None, Some("timeout"));
    meets(&api, "a silent handshake", &Rude::meeting(linger), "https", None, Some("timeout"));
    meets(
        &api,
        "a slow handshake",
        &dribbling("\u{16}\u{3}\u{3}\u{3f}\u{7f}\u{2}"),
        "https",
        None,
        Some("timeout"),
    );
    // Time to begin with, on a busy machine.
    let patient = Server::start_with(Settings::quick().set("delivery.timeout", r#""3s""#));
    meets(&patient.api(), "a slow body", &dribbling("HTTP/1.1 200 OK\r\n\r\n"), "http", Some(200), None);
}

#[test]
fn nothing_that_a_response_says_is_done() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let decoy = Receiver::answering([200]);
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {}\r\nrefresh: 0; url={0}\r\nset-cookie: a=b\r\nconnection: close\r\n\r\n",
            decoy.url("/")
        );
        meets(&api, "a redirect", &Rude::saying(head), "http", Some(status), None);
    }
    assert_eq!(decoy.requests().len(), 0);

    for nonsense in [
        "soon",
        "-1",
        "1e9",
        "",
        "99999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ] {
        let head = format!(
            "HTTP/1.1 429 Later\r\nretry-after: {nonsense}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        );
        let receiver = Rude::saying(head);
        let hook = api.subscribe(&receiver.url("http"), "new_lead");
        let event = api.emit("new_lead", &json!({"n": nonsense})).id;
        let delivery = api.wait_until_attempted(&hook.id, &event, 1);
        let wait: time::Duration = instant(delivery.next_attempt_at.as_deref().expect("it is tried again"))
            - instant(&delivery.log()[0].at);
        assert!((3_500..=4_500).contains(&wait.whole_seconds()), "{nonsense}: {wait}");
        api.unsubscribe(&hook.id);
    }
}

#[test]
fn what_a_response_shows_is_no_command_to_a_terminal() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let (api, cli) = (server.api(), Cli::of(&server));
    let body = "\u{1b}[2J\u{1b}]0;owned\u{7}\0\u{9b}31m\u{7f}\r\nevil\u{8}";
    let head =
        format!("HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let receiver = Rude::saying(head);
    let hook = api.subscribe(&receiver.url("http"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    let delivery = api.wait_until_attempted(&hook.id, &event, 1);
    assert_eq!(delivery.log()[0].response.as_deref(), Some(body));

    for arguments in [
        &["explain", &event][..],
        &["explain", &event, "--json"],
        &["deliveries", "get", &delivery.id],
        &["deliveries", "get", &delivery.id, "--json"],
        &["hooks", "test", &hook.id],
        &["hooks", "test", &hook.id, "--json"],
    ] {
        let ended = cli.run(arguments);
        let printed = ended.stdout + &ended.stderr;
        assert!(printed.contains("evil"), "{arguments:?}: {printed:?}");
        let obeyed: Vec<_> =
            printed.chars().filter(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')).collect();
        assert_eq!(obeyed, ['\0'; 0], "{arguments:?}: {printed:?}");
    }
    assert!(!server.complaints().contains("owned"));
}

/// The most memory that the server has had, in KiB.
fn peak(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process_id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn hundreds_of_hostile_responses_take_little_memory_each() {
    const AT_A_TIME: usize = 400;
    /// What each may take, in KiB: what any attempt does, and what a response makes it hold.
    const EACH: usize = 24 + 64;
    let settings = Settings::quick()
        .late_schedule()
        .set("delivery.max_in_flight", &AT_A_TIME.to_string())
        .set("delivery.timeout", r#""5s""#)
        .probe_after(1000);
    let server = Server::start_with(settings);
    let api = server.api();
    // Nearly as much head as is taken, and no end of it.
    let head = format!("HTTP/1.1 200 OK\r\n{}", format!("x-{}: y\r\n", "n".repeat(170)).repeat(50));
    let left = Arc::new(AtomicUsize::new(0));
    let leave = Arc::clone(&left);
    let receiver = Rude::meeting(move |stream| {
        drop(stream.write_all(head.as_bytes()));
        linger(stream);
        leave.fetch_add(1, Ordering::SeqCst);
    });
    api.subscribe(&receiver.url("http"), "new_lead");
    let before = peak(&server);

    let events: Vec<Value> = (0..AT_A_TIME).map(|n| json!({"event": "new_lead", "data": n})).collect();
    api.emit_all(&events);
    until("all of them are cut off", || left.load(Ordering::SeqCst) == AT_A_TIME);

    let each = (peak(&server) - before) / AT_A_TIME;
    assert!(each <= EACH, "{each} KiB each");
}
