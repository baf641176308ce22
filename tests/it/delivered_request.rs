//! The request that a receiver gets: its body, its headers and its signatures, on the wire.

use serde_json::json;

use crate::support::api::{Hook, Receipt};
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::signature::{HEX_HEADER, hex_signature};

#[test]
fn the_body_is_exactly_the_documented_object() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let event = r#"{"event":"new_lead","timestamp":"2025-01-15T10:30:00Z","data":{"agentId":"agent_abc123","lead":{"name":"Jane Doe","email":"jane@example.com"}}}"#;

    let _: Receipt = server.api().post_text("/api/v1/events", event).expect(202);

    let request = &receiver.wait_for(1)[0];
    assert_eq!((request.method.as_str(), request.text()), ("POST", event));
}

#[test]
fn path_and_query_of_the_url_are_kept() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/in/box?token=a%20b&x=1"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    let request = &receiver.wait_for(1)[0];
    assert_eq!(request.target, "/in/box?token=a%20b&x=1");
    assert_eq!(request.header("host"), receiver.address().to_string());
}

#[test]
fn the_headers_are_the_documented_ones_once_each_in_lower_case() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");

    let receipt = server.api().emit("new_lead", &json!({"n": 1}));

    let request = &receiver.wait_for(1)[0];
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("user-agent"), concat!("hookyard/", env!("CARGO_PKG_VERSION")));
    assert_eq!(request.header("content-length"), request.body.len().to_string());
    assert_eq!(request.header("webhook-id"), receipt.id);
    for name in ["host", "webhook-timestamp", "webhook-signature", HEX_HEADER] {
        assert!(!request.header(name).is_empty(), "{name}");
    }
    assert_eq!(request.values("webhook-test"), [""; 0]);
    assert!(request.headers.iter().all(|(name, _)| *name == name.to_lowercase()), "{:?}", request.headers);
}

#[test]
fn both_signatures_verify_with_a_generated_secret() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!({"grüße": "😀"}));

    let request = &receiver.wait_for(1)[0];
    request.assert_signed_with(&hook.secret.expect("the answer shows it"));
    assert!(!request.is_signed_with("another-secret-entirely"));
    assert!(request.header("webhook-signature").starts_with("v1,"));
    assert!(!request.header("webhook-signature").contains(' '));
}

#[test]
fn a_secret_of_ones_own_keys_both_signatures() {
    let server = Server::start();
    let secrets = ["plain-visible-ascii~!", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"];

    for secret in secrets {
        let receiver = Receiver::answering([200]);
        let wish = json!({"url": receiver.url("/"), "event": "new_lead", "secret": secret});
        let _: Hook = server.api().subscribing(&wish).expect(201);
        server.api().emit("new_lead", &json!(1));
        receiver.wait_for(1)[0].assert_signed_with(secret);
    }
}

#[test]
fn the_name_of_the_hex_signature_is_configurable() {
    let server =
        Server::start_with(Settings::quick().set("delivery.signature_header", r#""x-acme-signature""#));
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    let request = &receiver.wait_for(1)[0];
    let secret = hook.secret.expect("the answer shows it");
    assert_eq!(request.header("x-acme-signature"), hex_signature(&secret, &request.body));
    assert_eq!(request.values(HEX_HEADER), [""; 0]);
}

#[test]
fn a_retry_repeats_id_and_body_and_signs_afresh() {
    let server = Server::start_with(Settings::quick().schedule(&["1100ms"]));
    let receiver = Receiver::answering([500, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!({"n": 1}));

    let requests = receiver.wait_for(2);
    let secret = hook.secret.expect("the answer shows it");
    for request in &requests {
        request.assert_signed_with(&secret);
        assert_sent_now(request);
    }
    let [first, second] = &requests[..] else { panic!("{} requests", requests.len()) };
    assert_eq!((first.webhook_id(), &first.body), (second.webhook_id(), &second.body));
    assert!(timestamp(second) > timestamp(first));
    assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
}

#[test]
fn redirects_are_failures_and_never_followed() {
    let server = Server::start();
    let elsewhere = Receiver::answering([200]);

    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/followed");
        let receiver = Receiver::answering_with(move |request: &Received| match request.index {
            0 => Answer::from(status).header("location", &location),
            _ => Answer::from(200),
        });
        let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
        let receipt = server.api().emit("new_lead", &json!(status));

        let requests = receiver.wait_for(2);

        assert!(
            requests.iter().all(|request| request.webhook_id() == receipt.id && request.method == "POST")
        );
        server.api().unsubscribe(&hook.id);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn any_2xx_is_a_success() {
    let server = Server::start();
    let api = server.api();
    let receivers = [200, 201, 202, 204, 206, 299].map(|status| Receiver::answering([status]));
    let hooks: Vec<Hook> =
        receivers.iter().map(|receiver| api.subscribe(&receiver.url("/"), "new_lead")).collect();

    api.emit("new_lead", &json!(1));

    for (hook, receiver) in hooks.iter().zip(&receivers) {
        receiver.wait_for(1);
        let hook = api.wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
        assert_eq!((hook.dead, receiver.requests().len()), (Some(0), 1));
    }
}

#[test]
fn a_2xx_whose_body_is_cut_short_is_still_a_success() {
    let server = Server::start();
    let receiver =
        Receiver::answering_with(|_: &Received| Answer::from(200).body("the beginning").cut_short());
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    receiver.wait_for(1);
    server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn every_hook_that_matches_gets_the_event_once() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hooks: Vec<Hook> =
        (0..10).map(|n| api.subscribe(&receiver.url(&format!("/{n}")), "new_lead")).collect();

    for n in 0..10 {
        api.emit("new_lead", &json!(n));
    }

    receiver.wait_for(100);
    for hook in &hooks {
        api.wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
    }
    let mut deliveries: Vec<(String, String)> =
        receiver.requests().into_iter().map(|r| (r.target.clone(), r.webhook_id().to_owned())).collect();
    deliveries.sort();
    deliveries.dedup();
    assert_eq!((deliveries.len(), receiver.requests().len()), (100, 100));
}

fn timestamp(request: &Received) -> u64 {
    request.header("webhook-timestamp").parse().expect("unix seconds")
}

/// Asserts that the timestamp is that of the attempt, give or take what a request takes on a busy machine.
#[track_caller]
fn assert_sent_now(request: &Received) {
    let since_epoch = request.arrived_at.duration_since(std::time::UNIX_EPOCH).expect("it is past 1970");
    let age = since_epoch.as_secs().checked_sub(timestamp(request));
    assert!(age.is_some_and(|age| age <= 10), "timestamp {} arrived at {since_epoch:?}", timestamp(request));
}
