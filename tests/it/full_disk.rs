//! A store that cannot write: nothing is acknowledged, nothing that was is lost, and the server lives.

use serde_json::{Value, json};

use crate::support::api::Receipt;
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// More than the store's file has room left for before it must grow.
const ATTEMPTS: usize = 500;

#[test]
fn a_full_disk_is_503_and_loses_nothing_that_was_acknowledged() {
    let mut server = Server::start_with(Settings::quick());
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    api.emit("new_message", &json!(null));

    server.fill_disk();
    let data = "x".repeat(16_000);
    let replies = (0..ATTEMPTS).map(|_| api.emitting(&json!({"event": "new_lead", "data": data})));
    let mut refusals = Vec::new();
    let acknowledged: Vec<String> = replies
        .take_while(|reply| {
            let accepted = reply.status == 202;
            if !accepted {
                refusals.push(reply.status);
                reply.refused(503);
                assert!(reply.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
            }
            accepted
        })
        .map(|reply| reply.expect::<Value>(202)["id"].as_str().expect("a receipt has an id").to_owned())
        .collect();

    assert_eq!(refusals, [503], "after {} events", acknowledged.len());
    assert_eq!(api.get("/health/ready").status, 503);
    assert_eq!(api.get("/health/live").status, 200);
    api.subscribing(&json!({"url": receiver.url("/other"), "event": "new_lead"})).refused(503);
    assert_eq!(api.get(&format!("/api/v1/hooks/{}", hook.id)).status, 200);
    server.terminate();
    server.wait_for_exit();

    // There is room again.
    server.restart();
    server.api().resume(&hook.id);

    let mut arrived: Vec<String> =
        receiver.wait_for(acknowledged.len()).iter().map(|request| request.webhook_id().to_owned()).collect();
    arrived.sort();
    arrived.dedup();
    for id in &acknowledged {
        assert!(arrived.binary_search(id).is_ok(), "{id} was acknowledged and is lost");
    }
}

#[test]
fn a_server_goes_on_by_itself_once_the_disk_has_room() {
    let server = Server::start_with(Settings::quick());
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let data = "x".repeat(16_000);
    let mut acknowledged = Vec::new();

    for _ in 0..3 {
        server.fill_disk();
        let full = (0..ATTEMPTS).any(|_| {
            let reply = api.emitting(&json!({"event": "new_lead", "data": data}));
            if reply.status == 202 {
                acknowledged.push(reply.expect::<Receipt>(202).id);
                return false;
            }
            reply.refused(503);
            true
        });
        assert!(full, "after {} events", acknowledged.len());
        server.empty_disk();
        until("the server accepts again", || api.get("/health/ready").status == 200);
        acknowledged.push(api.emit("new_lead", &json!("again")).id);
    }

    api.wait_for_hook(&hook.id, "nothing is left to deliver", |hook| hook.pending == Some(0));
    let arrived = receiver.webhook_ids();
    assert!(acknowledged.iter().all(|id| arrived.contains(id)), "an acknowledged event is lost");
    assert_eq!(api.subscribe(&receiver.url("/"), "new_lead").id, hook.id);
}

#[test]
fn events_are_refused_before_the_disk_is_full_and_little_else_is() {
    // More than any disk has.
    let settings = Settings::quick().set("limits.disk_reserve_bytes", &(1_u64 << 40).to_string());
    let server = Server::start_with(settings);
    let (api, receiver) = (server.api(), Receiver::answering([200]));

    until("it has seen how full the disk is", || api.get("/health/ready").status == 503);
    let reply = api.emitting(&json!({"event": "new_lead", "data": null}));

    assert!(reply.refused(503).message.contains("nearly full"));
    assert!(reply.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    api.resume(&hook.id);
    api.unsubscribe(&hook.id);
    assert_eq!(api.get("/health/live").status, 200);
}

#[test]
fn a_full_disk_promises_no_replay_and_no_other_secret() {
    let server = Server::start_with(Settings::quick());
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(null)).id;
    let delivered = api.wait_until_delivered(&hook.id, &event).id;

    server.fill_disk();
    let data = "x".repeat(16_000);
    let full =
        (0..ATTEMPTS).any(|_| api.emitting(&json!({"event": "new_message", "data": data})).status == 503);

    assert!(full);
    for path in [
        format!("/api/v1/hooks/{}/replay", hook.id),
        format!("/api/v1/hooks/{}/rotate-secret", hook.id),
        format!("/api/v1/events/{event}/replay"),
        format!("/api/v1/deliveries/{delivered}/retry"),
    ] {
        let reply = api.act(&path);
        reply.refused(503);
        assert!(reply.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()), "{path}");
    }
    assert_eq!(api.delivery(&delivered).status, "delivered");
    assert_eq!(receiver.webhook_ids(), [event]);
}
