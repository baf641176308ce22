//! `Retry-After`: how a receiver asks for time, and for how much at most.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::support::patience::CLOCK_STEP;
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Answers the first request with this status and `Retry-After`, the rest with 200.
fn asking_once(status: u16, retry_after: &str) -> Receiver {
    let retry_after = retry_after.to_owned();
    Receiver::answering_with(move |request: &Received| match request.index {
        0 => Answer::from(status).header("Retry-After", &retry_after),
        _ => Answer::from(200),
    })
}

#[test]
fn seconds_delay_the_whole_hook() {
    let server = Server::start();
    let api = server.api();

    for status in [429, 503] {
        let receiver = asking_once(status, "2");
        let hook = api.subscribe(&receiver.url("/"), "new_lead");
        api.emit("new_lead", &json!("refused"));
        receiver.wait_for(1);
        api.wait_for_hook(&hook.id, "the failure is recorded", |hook| {
            hook.last_attempt_at.is_some() && hook.next_attempt_at > hook.last_attempt_at
        });
        for n in 0..3 {
            api.emit("new_lead", &json!(n));
        }

        let requests = receiver.wait_for(4);

        for request in &requests[1..] {
            let wait = request.arrived - requests[0].arrived;
            assert!(wait + CLOCK_STEP >= Duration::from_secs(2), "{} came after {wait:?}", request.text());
        }
        api.unsubscribe(&hook.id);
    }
}

#[test]
fn a_date_delays_until_then() {
    let server = Server::start();
    let date = SystemTime::now() + Duration::from_secs(3);
    let receiver = asking_once(503, &httpdate::fmt_http_date(date));
    server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    let requests = receiver.wait_for(2);
    // A date of HTTP has whole seconds.
    let asked = date - Duration::from_secs(1);
    assert!(
        requests[1].arrived_at >= asked,
        "{:?} before the date",
        asked.duration_since(requests[1].arrived_at)
    );
}

#[test]
fn the_schedule_holds_where_it_asks_for_longer() {
    let server = Server::start_with(Settings::quick().schedule(&["2s"]));
    let receiver = asking_once(503, "0");
    server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    let requests = receiver.wait_for(2);
    let wait = requests[1].arrived - requests[0].arrived;
    assert!(wait + CLOCK_STEP >= Duration::from_secs(2), "{wait:?}");
}

#[test]
fn nobody_is_granted_more_than_the_limit() {
    let server = Server::start_with(Settings::quick().set("retry.retry_after_max", r#""300ms""#));

    for retry_after in ["3600", "99999999999999999999", "Fri, 31 Dec 2100 23:59:59 GMT"] {
        let receiver = asking_once(503, retry_after);
        let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
        server.api().emit("new_lead", &json!(1));
        receiver.wait_for(2);
        server.api().unsubscribe(&hook.id);
    }
}

#[test]
fn it_means_nothing_on_other_statuses_and_nothing_when_malformed() {
    let server = Server::start();

    for (status, retry_after) in [(500, "3600"), (404, "3600"), (503, "soon"), (503, "-1"), (503, "")] {
        let receiver = asking_once(status, retry_after);
        let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
        server.api().emit("new_lead", &json!(1));
        receiver.wait_for(2);
        server.api().unsubscribe(&hook.id);
    }
}
