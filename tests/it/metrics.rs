//! Metrics: what a server counts, read by a strict reader after real traffic.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::json;

use crate::support::api::{Api, JSON};
use crate::support::embedding::{lead, open, quick};
use crate::support::exposition::Exposition;
use crate::support::patience::{Gate, until, until_some};
use crate::support::receiver::{Answer, Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::Settings;

fn scrape(api: &Api) -> Exposition {
    Exposition::read(&api.get("/metrics"))
}

/// Waits until the figure has this value.
#[track_caller]
fn wait_for(api: &Api, name: &str, label: Option<(&str, &str)>, value: f64) {
    until(&format!("{name} {label:?} is {value}"), || scrape(api).sum(name, label) == value);
}

#[test]
fn deliveries_retries_and_deactivations_are_counted() {
    let server = Server::start();
    let api = server.api();
    let (healthy, broken, gone) =
        (Receiver::answering([200]), Receiver::answering([500, 500, 200]), Receiver::answering([410]));
    for receiver in [&healthy, &broken, &gone] {
        api.subscribe(&receiver.url("/"), "new_lead");
    }
    api.subscribe(&deserted_url(), "new_message");

    api.emit("new_lead", &json!(1));
    api.emit_all(&[json!({"event": "new_message", "data": 1}), json!({"event": "agent_created", "data": 1})]);

    wait_for(&api, "hookyard_hooks_deactivated_total", None, 2.0);
    wait_for(&api, "hookyard_deliveries_delivered_total", None, 2.0);
    let figures = scrape(&api);
    assert_eq!(figures.value("hookyard_events_accepted_total"), 3.0);
    assert_eq!(figures.value("hookyard_deliveries_matched_total"), 4.0);
    assert_eq!(figures.of("hookyard_hooks_deactivated_total", "reason", "gone"), 1.0);
    assert_eq!(figures.of("hookyard_hooks_deactivated_total", "reason", "exhausted"), 1.0);
    let outcomes = ["2xx", "3xx", "4xx", "5xx", "connect", "timeout"];
    let attempts = outcomes.map(|outcome| figures.of("hookyard_attempts_total", "outcome", outcome));
    assert_eq!(attempts, [2.0, 0.0, 1.0, 2.0, 4.0, 0.0]);
    assert_eq!(figures.value("hookyard_retries_scheduled_total"), 5.0);
    assert_eq!(figures.value("hookyard_attempt_duration_seconds_count"), 9.0);
    assert_eq!(figures.of("hookyard_attempt_lag_seconds_count", "attempt", "first"), 4.0);
    assert_eq!(figures.of("hookyard_attempt_lag_seconds_count", "attempt", "retry"), 5.0);
    let hooks =
        ["active", "paused", "deactivated"].map(|status| figures.of("hookyard_hooks", "status", status));
    assert_eq!(hooks, [2.0, 0.0, 2.0]);
    assert!(figures.value("hookyard_commit_duration_seconds_count") >= 3.0);
    assert!(
        figures.value("hookyard_sync_duration_seconds_sum")
            < figures.value("hookyard_commit_duration_seconds_sum")
    );
    assert_eq!(figures.value("hookyard_store_writable"), 1.0);
}

#[test]
fn hooks_are_counted_where_they_stand_also_after_a_restart() {
    let mut server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hooks =
        ["new_lead", "new_message", "agent_created"].map(|event| api.subscribe(&receiver.url("/"), event));
    let count = |api: &Api| {
        let figures = scrape(api);
        ["active", "paused", "deactivated"].map(|status| figures.of("hookyard_hooks", "status", status))
    };

    api.pause(&hooks[0].id);
    assert_eq!(count(&api), [2.0, 1.0, 0.0]);
    api.unsubscribe(&hooks[1].id);
    assert_eq!(count(&api), [1.0, 1.0, 0.0]);
    server.kill();
    server.restart();
    assert_eq!(count(&server.api()), [1.0, 1.0, 0.0]);
    server.api().resume(&hooks[0].id);
    assert_eq!(count(&server.api()), [2.0, 0.0, 0.0]);
}

#[test]
fn the_backlog_is_counted_also_after_a_restart() {
    let mut server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    api.emit_all(&[(); 50].map(|()| json!({"event": "new_lead", "data": 1})));

    wait_for(&api, "hookyard_deliveries_pending", None, 50.0);
    server.kill();
    server.restart();
    let api = server.api();
    wait_for(&api, "hookyard_deliveries_pending", None, 50.0);
    let figures = scrape(&api);
    assert_eq!(figures.value("hookyard_due_lag_seconds"), 0.0, "the hook is paused");
    assert!(
        figures.value("hookyard_store_counted_time_seconds") >= figures.value("hookyard_start_time_seconds")
    );
    api.resume(&hook.id);
    wait_for(&api, "hookyard_deliveries_pending", None, 0.0);
}

#[test]
fn dead_letters_and_retries_are_told_from_the_backlog() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let api = server.api();
    let (gone, broken) = (Receiver::answering([410]), Receiver::answering([500]));
    api.subscribe(&gone.url("/"), "new_lead");
    api.subscribe(&broken.url("/"), "new_lead");

    api.emit("new_lead", &json!(1));

    wait_for(&api, "hookyard_deliveries_dead", None, 1.0);
    wait_for(&api, "hookyard_deliveries_retrying", None, 1.0);
    let figures = scrape(&api);
    assert_eq!(figures.value("hookyard_deliveries_pending"), 1.0);
    assert_eq!(figures.value("hookyard_due_lag_seconds"), 0.0, "the retry is due in an hour");
}

#[test]
fn what_is_due_and_waits_shows_as_lag() {
    let server = Server::start_with(Settings::quick().set("delivery.max_in_flight", "1"));
    let (api, gate) = (server.api(), Gate::default());
    let receiver = Receiver::holding(&gate);
    api.subscribe(&receiver.url("/"), "new_lead");

    api.emit_all(&[(); 2].map(|()| json!({"event": "new_lead", "data": 1})));

    until("the lag grows", || scrape(&api).value("hookyard_due_lag_seconds") > 0.0);
    gate.open();
    wait_for(&api, "hookyard_due_lag_seconds", None, 0.0);
    wait_for(&api, "hookyard_deliveries_delivered_total", None, 2.0);
}

#[test]
fn the_store_says_what_it_takes_of_the_disk() {
    let server = Server::start();

    until("the disk was looked at", || scrape(&server.api()).value("hookyard_store_size_bytes") > 0.0);

    let files = std::fs::read_dir(server.data_dir().join("ledger")).expect("the store is there");
    let sizes = files.map(|file| file.and_then(|file| file.metadata()).map_or(0, |found| found.len()));
    let (size, figures) = (sizes.sum::<u64>() as f64, scrape(&server.api()));
    let told = figures.value("hookyard_store_size_bytes");
    assert!((told - size).abs() < 1e6, "{told} instead of {size}");
    assert!(figures.value("hookyard_store_free_bytes") > 0.0);
}

#[test]
fn what_is_kept_and_what_has_expired_is_told() {
    let server = Server::start_with(Settings::quick().set("retention.age", r#""5s""#));
    let api = server.api();
    api.emit_all(&[json!({"event": "new_lead", "data": 1}), json!({"event": "new_lead", "data": 2})]);

    until("what is kept is told", || {
        let figures = scrape(&api);
        figures.value("hookyard_retained_bytes") > 0.0
            && figures.value("hookyard_oldest_event_age_seconds") > 0.0
    });

    wait_for(&api, "hookyard_events_expired_total", None, 2.0);
    wait_for(&api, "hookyard_dead_letters_expired_total", None, 0.0);
    wait_for(&api, "hookyard_retained_bytes", None, 0.0);
    wait_for(&api, "hookyard_oldest_event_age_seconds", None, 0.0);
}

#[test]
fn duplicates_and_refusals_are_counted_by_their_reason() {
    let server = Server::start_with(Settings::quick().set("limits.batch_events", "10"));
    let api = server.api();
    let event = |id: &str, data: i32| json!({"event": "new_lead", "data": data, "id": id});

    api.emit_all(&[event("a", 1), event("b", 1)]);
    api.emit_all(&[event("a", 1)]);
    api.emitting(&json!([event("c", 1), event("b", 2)])).refused(409);
    api.emitting(&json!([{"event": "never_heard_of", "data": 1}])).refused(422);

    let figures = scrape(&api);
    assert_eq!(figures.value("hookyard_events_accepted_total"), 2.0);
    assert_eq!(figures.value("hookyard_events_duplicate_total"), 1.0);
    let refused = ["conflict", "invalid", "full", "store", "shutting_down"]
        .map(|reason| figures.of("hookyard_events_refused_total", "reason", reason));
    assert_eq!(refused, [2.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn attempts_in_flight_and_running_subscribers_are_seen_while_they_are() {
    let server = Server::start_with(Settings::quick().set("delivery.max_connections", "8"));
    let (api, gate) = (server.api(), Gate::default());
    let receivers = [(); 8].map(|()| Receiver::holding(&gate));
    receivers.iter().for_each(|receiver| drop(api.subscribe(&receiver.url("/"), "new_lead")));

    api.emit("new_lead", &json!(1));

    wait_for(&api, "hookyard_subscribers_in_line", None, 1.0);
    let figures = scrape(&api);
    // The last is left for another account.
    assert_eq!(figures.value("hookyard_attempts_in_flight"), 7.0);
    assert_eq!(figures.value("hookyard_attempts_in_flight_limit"), 8.0);
    assert_eq!(figures.value("hookyard_subscribers_running"), 8.0);
    gate.open();
    wait_for(&api, "hookyard_attempts_in_flight", None, 0.0);
    wait_for(&api, "hookyard_deliveries_delivered_total", None, 8.0);
}

#[test]
fn credits_return_when_events_are_handed_on() {
    let server = Server::start();
    let api = server.api();

    api.emit("new_lead", &json!(1));

    let limit = scrape(&api).value("hookyard_credits_limit_events");
    assert_eq!(limit, 65_536.0);
    wait_for(&api, "hookyard_credits_left_events", None, limit);
    wait_for(&api, "hookyard_credits_left_bytes", None, scrape(&api).value("hookyard_credits_limit_bytes"));
}

#[test]
fn requests_are_counted_by_the_pattern_of_their_path() {
    let server = Server::start();
    let api = server.api();
    for id in ["hook_1", "hook_2", "hook_3"] {
        api.get(&format!("/api/v1/hooks/{id}")).refused(404);
    }
    api.get("/nowhere").refused(404);
    api.get("/nowhere/else").refused(404);
    api.send("BREW", "/api/v1/hooks", &[], None).refused(405);
    server.anonymous().send("POST", "/api/v1/events/", JSON, Some(b"[]")).refused(401);

    let figures = scrape(&api);
    let requests = |route: &str| figures.of("hookyard_http_requests_total", "route", route);
    assert_eq!(requests("/api/v1/hooks/{id}"), 3.0);
    assert_eq!(requests("none"), 2.0);
    assert_eq!(requests("/api/v1/events"), 1.0);
    assert_eq!(figures.of("hookyard_http_requests_total", "method", "other"), 1.0);
    let durations = "hookyard_http_request_duration_seconds_count";
    assert_eq!(figures.of(durations, "route", "/api/v1/hooks/{id}"), 3.0);
}

#[test]
fn a_store_that_cannot_write_shows() {
    let server = Server::start();
    let api = server.api();
    api.emit("new_lead", &json!(null));
    server.fill_disk();
    let large = json!({"event": "new_lead", "data": "x".repeat(16_000)});

    until("an event is refused", || api.emitting(&large).status == 503);

    let figures = scrape(&api);
    assert_eq!(figures.value("hookyard_store_writable"), 0.0);
    assert_eq!(figures.of("hookyard_events_refused_total", "reason", "store"), 1.0);
}

#[test]
fn the_metrics_can_have_an_address_of_their_own() {
    let server = Server::start_with(Settings::quick().set("metrics.listen", r#""127.0.0.1:0""#));

    let address: SocketAddr = until_some("the address is logged", || {
        let log = server.complaints();
        let line = log.lines().find(|line| line.contains("the metrics have an address"))?;
        line.split_once("address=")?.1.trim().parse().ok()
    });
    let own = Api::at(address, None);

    assert_eq!(scrape(&own).value("hookyard_store_writable"), 1.0);
    own.get("/api/v1/hooks").refused(404);
    own.get("/").refused(404);
    server.api().get("/metrics").refused(404);
}

/// Every value that a label may have; those of routes are patterns.
const LABELS: [(&str, &[&str]); 10] = [
    ("outcome", &["2xx", "3xx", "4xx", "5xx", "timeout", "connect", "tls", "dns", "blocked", "protocol"]),
    ("outcome", &["exported", "failed", "dropped"]),
    ("reason", &["full", "store", "shutting_down", "conflict", "invalid", "gone", "exhausted"]),
    ("status", &["active", "paused", "deactivated", "2xx", "3xx", "4xx", "5xx"]),
    ("attempt", &["first", "retry"]),
    ("method", &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"]),
    ("by", &["hook", "account"]),
    ("notice", &["hook_deactivated", "hook_recovered", "delivery_exhausted", "backlog_exceeded"]),
    ("limit", &["requests", "events", "unknown_keys"]),
    ("version", &[env!("CARGO_PKG_VERSION")]),
];

#[test]
fn no_label_says_which_hook_event_or_account() {
    let server = Server::start();
    let api = server.api().account("acme");
    let receivers = [200, 404].map(|status| Receiver::answering_with(move |_| Answer::from(status)));
    let hooks = receivers.each_ref().map(|receiver| api.subscribe(&receiver.url("/"), "new_lead"));
    api.emit("new_lead", &json!(1));
    receivers.iter().for_each(|receiver| drop(receiver.wait_for(1)));
    hooks.iter().for_each(|hook| drop(api.hook(&hook.id)));
    api.pause(&hooks[0].id);
    api.get("/api/v1/hooks/hook_x/../%7Bid%7D?account=acme");
    api.get("/acme");

    let figures = scrape(&api);
    let labels: BTreeSet<(&str, &str)> = figures
        .samples()
        .flat_map(|sample| &sample.labels)
        .map(|(label, value)| (label.as_str(), value.as_str()))
        .collect();
    for (label, value) in labels {
        let is_known = match label {
            "le" => true,
            "route" => {
                value == "none" || value.split('/').all(|part| !part.contains("hook_") && part != "acme")
            }
            _ => LABELS.iter().any(|(known, values)| *known == label && values.contains(&value)),
        };
        assert!(is_known, "{label}={value:?}");
    }
}

#[test]
fn nobody_needs_a_key_for_the_metrics() {
    let server = Server::start();

    let reply = server.anonymous().get("/metrics/");

    Exposition::read(&reply);
    assert_eq!(server.anonymous().send("HEAD", "/metrics", &[], None).status, 200);
    server.anonymous().send("POST", "/metrics", &[], None).refused(405);
}

#[tokio::test]
async fn the_library_tells_the_same_and_each_router_its_own() {
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a temporary directory"));
    let (one, other) = (open(quick(directories[0].path())).await, open(quick(directories[1].path())).await);

    one.emit(lead(1)).await.expect("it is accepted");

    let accepted = |text: String| Exposition::parse(&text).value("hookyard_events_accepted_total");
    assert_eq!((accepted(one.metrics()), accepted(other.metrics())), (1.0, 0.0));
    one.shutdown().await;
    other.shutdown().await;
    assert_eq!(accepted(one.metrics()), 1.0);
}
