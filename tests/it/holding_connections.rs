//! Callers that hold connections: they are cut off after a time, cost little until then, and keep nobody else waiting.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::support::patience::{until, until_some};
use crate::support::raw::{Conversation, request};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::ADMIN_KEY;

/// What one worker of the server lets in.
const PER_WORKER: usize = 10_000;
/// What an idle connection may cost, in bytes: its buffers, its task and its timers.
const IDLE_COST: u64 = 32 << 10;

/// Lets this process open as many files as the system allows; returns how many that are.
fn raise_own_limit() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit that is ours alone.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0, "{}", io::Error::last_os_error());
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// As many idle connections as a test can have, each of which had an answer.
fn idle(address: SocketAddr, count: usize) -> Vec<Conversation> {
    let greet = |_| {
        let mut caller = Conversation::with(address);
        let answer = caller.say(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").answer();
        assert_eq!(answer.map(|answer| answer.status), Some(200));
        caller
    };
    (0..count).map(greet).collect()
}

#[track_caller]
fn assert_delivers(server: &Server) {
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));
    assert_eq!(receiver.wait_for(1)[0].webhook_id(), receipt.id);
    server.api().unsubscribe(&hook.id);
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_keep_nobody_waiting() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let room = raise_own_limit().saturating_sub(2_000);
    let count = room.min(if cores > 1 { PER_WORKER } else { PER_WORKER - 1_000 });
    let server = Server::start();
    drop(idle(server.address(), 500));
    let before = server.resident_bytes();

    let mut first = idle(server.address(), count);
    let grown = server.resident_bytes().saturating_sub(before);
    println!("{count} idle connections take {} bytes each", grown / count as u64);
    assert!(grown < count as u64 * IDLE_COST, "{grown} bytes for {count}");
    assert_delivers(&server);
    for caller in first.iter_mut().step_by(100) {
        let answer = caller.say(&request("GET", "/api/v1/hooks", b"")).answer();
        assert_eq!(answer.map(|answer| answer.status), Some(200), "they can go on");
    }
    drop(first);

    drop(idle(server.address(), count));
    let again = server.resident_bytes().saturating_sub(before);
    assert!(again < count as u64 * IDLE_COST, "{again} bytes the second time, {grown} the first");
    assert_delivers(&server);
}

#[test]
fn heads_that_do_not_come_are_cut_off() {
    let server = Server::start();
    let begin = |bytes: &[u8]| {
        let mut caller = Conversation::with(server.address());
        caller.say(bytes);
        caller
    };
    let silent = (0..50).map(|_| begin(b""));
    let stuck = (0..50).map(|_| begin(b"GET /api/v1/hooks HTTP/1.1\r\nhost: x\r\nx-slow: "));
    let mut callers: Vec<Conversation> = silent.chain(stuck).collect();
    let mut dribbling = begin(b"GET /api/v1/hooks HTTP/1.1\r\nhost: x\r\n");

    assert_delivers(&server);
    // One that sends a little all the time gets no more time than the others.
    until("whoever dribbles is cut off", || dribbling.say(b"x-y: z\r\n").is_refused());
    for caller in &mut callers {
        let answers = caller.answers();
        assert!(answers.iter().all(|answer| answer.status == 408), "{answers:?}");
        assert!(caller.is_closed());
    }
    assert_delivers(&server);
}

#[test]
fn bodies_that_do_not_come_are_cut_off() {
    let server = Server::start();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\n"
    );
    let begin = |rest: &str| {
        let mut caller = Conversation::patiently_with(server.address(), Duration::from_secs(60));
        caller.say(format!("{head}{rest}").as_bytes());
        caller
    };
    let sized = (0..20).map(|_| begin("content-length: 100\r\n\r\n{\"event\":"));
    let chunked = (0..20).map(|_| begin("transfer-encoding: chunked\r\n\r\n9\r\n{\"event\":\r\n"));
    let mut callers: Vec<Conversation> = sized.chain(chunked).collect();

    assert_delivers(&server);
    for caller in &mut callers {
        let answer = caller.answer().expect("an answer comes");
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!(String::from_utf8_lossy(&answer.body).contains("request_timeout"), "{answer:?}");
    }
    assert_delivers(&server);
}

#[test]
fn a_body_that_nobody_waits_for_ends_with_its_connection() {
    let server = Server::start();
    let mut stranger = Conversation::with(server.address());

    stranger.say(b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{");

    assert_eq!(stranger.answer().map(|answer| answer.status), Some(401));
    until_some("it is closed", || stranger.is_closed().then_some(()));
}
