//! Rates: who comes too fast is told when to come back, and nobody else notices.

use serde_json::{Value, json};

use crate::support::api::{Api, Reply, text};
use crate::support::exposition::Exposition;
use crate::support::patience::until_some;
use crate::support::server::{Server, start_in_vain};
use crate::support::settings::{ADMIN_KEY, Settings};

/// A server whose rates are those of these keys.
fn start(rates: &[(&str, u32)]) -> Server {
    Server::start_with(settings(rates))
}

fn settings(rates: &[(&str, u32)]) -> Settings {
    rates.iter().fold(Settings::quick(), |settings, (key, rate)| {
        settings.set(&format!("rate_limits.{key}"), &rate.to_string())
    })
}

/// Asks again and again until there is a 429, which must say when to come back.
#[track_caller]
fn until_limited(what: &str, ask: impl Fn() -> Reply) -> Reply {
    let limited = until_some(what, || Some(ask()).filter(|reply| reply.status == 429));
    assert_eq!(limited.refused(429).code, "rate_limited");
    let seconds = limited.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{:?}", limited.headers);
    limited
}

fn guess(server: &Server) -> Reply {
    server.api_with_key("fp_00000000000000000000000000000000").get("/api/v1/hooks")
}

fn limited(api: &Api, limit: &str) -> f64 {
    let exposition = Exposition::read(&api.get("/metrics"));
    exposition.of("hookyard_http_requests_limited_total", "limit", limit)
}

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let server = start(&[("key_requests_per_second", 1), ("key_requests_burst", 6)]);
    let (one, other) = (server.api().account("one"), server.api().with_key(ADMIN_KEY));

    until_limited("the key has used its burst", || one.get("/api/v1/hooks"));

    assert!(limited(&other, "requests") >= 1.0);
    let again =
        until_some("it may come again", || Some(one.get("/api/v1/hooks")).filter(|r| r.status == 200));
    again.expect::<Vec<Value>>(200);
}

#[test]
fn another_key_of_the_same_account_is_not_limited_with_it() {
    let server = start(&[("key_requests_per_second", 1), ("key_requests_burst", 30)]);
    let (one, other) = (server.api().account("acme"), server.api().account("acme"));

    until_limited("the key has used its burst", || one.get("/api/v1/hooks"));

    assert_eq!(other.get("/api/v1/hooks").status, 200);
}

#[test]
fn an_account_that_emits_too_fast_is_told_so_whichever_key_it_has() {
    let server = Server::start_with(
        settings(&[("account_events_per_second", 1), ("account_events_burst", 100)])
            .set("limits.batch_events", "100"),
    );
    let (one, sibling, other) =
        (server.api().account("one"), server.api().account("one"), server.api().account("other"));
    let batch = |count: usize| Value::from(vec![json!({"event": "new_lead", "data": 1}); count]);

    one.emitting(&batch(100)).expect::<Vec<Value>>(202);
    let refused = one.emitting(&batch(90));
    let seconds = refused.header("retry-after").and_then(|text| text.parse::<u32>().ok());

    assert_eq!((refused.status, refused.refused(429).code.as_str()), (429, "rate_limited"));
    assert!(seconds.is_some_and(|seconds| (1..=91).contains(&seconds)), "{seconds:?}");
    assert_eq!(sibling.emitting(&batch(90)).status, 429);
    assert_eq!(other.emitting(&batch(90)).status, 202);
    // It is events that are limited: everything else goes on.
    assert_eq!(one.get("/api/v1/events").expect::<Vec<Value>>(200).len(), 50);
    assert!(limited(&server.api(), "events") >= 2.0);
}

#[test]
fn a_batch_for_several_accounts_counts_for_each() {
    let server = Server::start_with(
        settings(&[("account_events_per_second", 1), ("account_events_burst", 100)])
            .set("limits.batch_events", "100"),
    );
    let api = server.api();
    api.account("one");
    let batch = |own: usize, others: usize| {
        let event = |account: &str| json!({"event": "new_lead", "data": 1, "account": account});
        Value::from([vec![event("default"); own], vec![event("one"); others]].concat())
    };

    assert_eq!(api.emitting(&batch(10, 90)).status, 202);
    assert_eq!(api.emitting(&batch(1, 90)).status, 429);
    assert_eq!(api.emitting(&batch(80, 0)).status, 202);
}

#[test]
fn a_batch_that_could_never_pass_is_refused_for_good() {
    let server = Server::start_with(
        settings(&[("account_events_per_second", 1), ("account_events_burst", 3)])
            .set("limits.batch_events", "3"),
    );
    let event = json!({"event": "new_lead", "data": 1});

    let refused = server.api().emitting(&Value::from(vec![event; 4])).refused(422);

    assert!(refused.message.contains("more than 3"), "{}", refused.message);
    let ended = start_in_vain(&settings(&[("account_events_burst", 3)]));
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.output.contains("rate_limits.account_events_burst"), "{}", ended.output);
}

#[test]
fn unknown_keys_are_slowed_down_and_a_valid_one_beside_them_is_not() {
    let server = start(&[("unknown_keys_per_second", 1), ("unknown_keys_burst", 10)]);
    assert_eq!(guess(&server).status, 401);

    let told = until_limited("the address has tried too many", || guess(&server));

    assert_eq!(told.header("connection"), Some("close"), "each guess costs a connection");
    for _ in 0..50 {
        assert_eq!(server.api().get("/api/v1/hooks").status, 200);
    }
    // Without a key there is nothing to guess.
    assert_eq!(server.anonymous().get("/api/v1/hooks").status, 401);
    assert!(limited(&server.api(), "unknown_keys") >= 1.0);
}

#[test]
fn rates_change_without_a_restart() {
    let mut server = start(&[("key_requests_per_second", 1), ("key_requests_burst", 30)]);
    let one = server.api().account("one");
    until_limited("the key has used its burst", || one.get("/api/v1/hooks"));

    server.reload(settings(&[("key_requests_per_second", 0)]));

    for _ in 0..100 {
        assert_eq!(one.get("/api/v1/hooks").status, 200);
    }
    assert!(server.complaints().contains("rate_limits.key_requests_per_second"));
}

#[test]
fn nobody_is_limited_who_does_what_keys_are_for() {
    let server = Server::start();
    let api = server.api();
    for n in 0..300 {
        let receipt: Value = api.emitting(&json!({"event": "new_lead", "data": n})).expect(202);
        assert!(!text(&receipt, "id").is_empty());
    }
    assert_eq!(limited(&api, "requests") + limited(&api, "events") + limited(&api, "unknown_keys"), 0.0);
}
