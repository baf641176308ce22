//! No more open files: the server can neither accept nor connect, loses nothing by it, and goes on when it can again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use crate::support::api::text;
use crate::support::exposition::Exposition;
use crate::support::patience::{until, until_some};
use crate::support::raw::{Conversation, request};
use crate::support::receiver::{Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// A connection that the server has accepted.
fn opened(server: &Server) -> Conversation {
    let mut open = Conversation::with(server.address());
    assert_eq!(ask(&mut open, "GET", "/health/live", b"").0, 200);
    open
}

/// What an open connection hears, when no other can be opened.
fn ask(open: &mut Conversation, method: &str, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let answer = open.say(&request(method, target, body)).answer().expect("it still answers");
    (answer.status, answer.body)
}

fn unable(open: &mut Conversation) -> f64 {
    let (_, body) = ask(open, "GET", "/metrics", b"");
    Exposition::parse(&String::from_utf8_lossy(&body)).value("hookyard_attempts_unable_total")
}

/// Emits to a hook at `host` while nothing can be opened, and asserts that no attempt is counted for it.
fn assert_nothing_is_charged(host: &str) {
    let server = Server::start_with(Settings::quick().schedule(&["1ms", "1ms"]).probe_after(2));
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/").replace("127.0.0.1", host), "new_lead");
    let mut open = opened(&server);

    server.allow_files(Some(3));
    let event = br#"[{"event":"new_lead","data":1},{"event":"new_lead","data":2}]"#;
    assert_eq!(ask(&mut open, "POST", "/api/v1/events", event).0, 202);
    until("it has tried a few times", || unable(&mut open) >= 6.0);
    let (_, shown) = ask(&mut open, "GET", &format!("/api/v1/hooks/{}", hook.id), b"");
    let shown: Value = serde_json::from_slice(&shown).expect("a hook");
    assert_eq!((shown["status"].as_str(), shown["pending"].as_u64()), (Some("active"), Some(2)), "{shown}");
    server.allow_files(None);

    receiver.wait_for(2);
    let api = server.api();
    let delivered = || {
        let deliveries: Vec<Value> = api.get("/api/v1/deliveries").expect(200);
        Some(deliveries).filter(|all| all.iter().all(|delivery| delivery["status"] == "delivered"))
    };
    for delivery in until_some("both are delivered", delivered) {
        assert_eq!(delivery["attempts"], 1, "what the receiver never saw counts for nothing: {delivery}");
        let log: Value = api.get(&format!("/api/v1/deliveries/{}", text(&delivery, "id"))).expect(200);
        assert_eq!(log["attempt_log"].as_array().map(Vec::len), Some(1), "{log}");
    }
    assert!(server.complaints().contains("for want of open files"), "{}", server.complaints());
}

#[test]
fn a_receiver_is_not_charged_for_it() {
    assert_nothing_is_charged("127.0.0.1");
}

#[test]
fn neither_is_one_whose_name_cannot_be_looked_up_for_it() {
    // A name that only the resolver takes for this machine.
    assert_nothing_is_charged("127.1");
}

#[test]
fn a_retry_that_could_not_be_made_is_made_after_a_restart() {
    let mut server = Server::start_with(Settings::quick().steady_schedule("300ms"));
    let url = deserted_url();
    let hook = server.api().subscribe(&url, "new_lead");
    server.api().emit("new_lead", &json!(1));
    let deliveries = |server: &Server| server.api().get("/api/v1/deliveries").expect::<Vec<Value>>(200);
    until("it has failed", || deliveries(&server)[0]["last_error"] == "connect");
    let mut open = opened(&server);
    server.allow_files(Some(3));
    until("a retry was tried", || unable(&mut open) >= 1.0);

    server.kill();
    let port = url.parse::<Url>().ok().and_then(|url| url.port()).expect("a URL with a port");
    let receiver = Receiver::at_port(port, |_| 200);
    server.restart();

    receiver.wait_for(1);
    server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert_eq!(deliveries(&server)[0]["status"], "delivered");
}

#[test]
fn callers_wait_until_there_are_files_again_and_no_processor_is_kept_busy() {
    let server = Server::start();
    let mut open = opened(&server);

    server.allow_files(Some(3));
    let mut waiting: Vec<Conversation> = (0..20).map(|_| Conversation::with(server.address())).collect();
    for caller in &mut waiting {
        caller.say(&request("GET", "/api/v1/hooks", b""));
    }
    let (began, busy) = (Instant::now(), server.processor_time());
    until("two seconds have passed", || began.elapsed() >= Duration::from_secs(2));
    let busy = server.processor_time() - busy;
    assert!(busy < began.elapsed() / 4, "busy for {busy:?} of {:?}", began.elapsed());
    assert_eq!(ask(&mut open, "GET", "/api/v1/hooks", b"").0, 200, "whoever is connected is served");
    server.allow_files(None);

    for caller in &mut waiting {
        assert_eq!(caller.answer().map(|answer| answer.status), Some(200));
    }
}

#[test]
fn the_server_takes_as_many_files_as_the_system_allows() {
    let limit = Server::start().file_limit();

    assert_eq!(limit.rlim_cur, limit.rlim_max);
}
