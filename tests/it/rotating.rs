//! Rotating a secret: for every hook that shares it, with a time in which both the old and the new one verify.

use std::sync::Barrier;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::api::{Api, Hook, Reply};
use crate::support::patience::{Gate, until_some};
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;
use crate::support::signature::{HEX_HEADER, hex_signature};

const OWN_SECRET: &str = "a-secret-of-my-own-choice";

fn rotating(api: &Api, hook: &Hook, body: &Value) -> Reply {
    api.post(&format!("/api/v1/hooks/{}/rotate-secret", hook.id), body)
}

/// Rotates, which must not be refused, and returns the new secret.
#[track_caller]
fn rotate(api: &Api, hook: &Hook, body: &Value) -> String {
    let rotated: Hook = rotating(api, hook, body).expect(200);
    assert_eq!(rotated.id, hook.id);
    rotated.secret.expect("the answer shows it")
}

fn secret(hook: &Hook) -> &str {
    hook.secret.as_deref().expect("the answer to a subscription shows it")
}

/// Emits to the hook and returns the request that came of it.
#[track_caller]
fn request_of(api: &Api, hook: &Hook, receiver: &Receiver) -> Received {
    let id = api.emit(&hook.event, &json!({"n": 1})).id;
    let received = receiver.wait_until("the event has come", |received| {
        received.iter().any(|request| request.webhook_id() == id)
    });
    received.into_iter().find(|request| request.webhook_id() == id).expect("it has come")
}

/// How many signatures there are, which must stand in one line, one space between them.
#[track_caller]
fn signatures(request: &Received) -> usize {
    let line = request.header("webhook-signature");
    let signatures: Vec<&str> = line.split(' ').collect();
    assert!(
        signatures.iter().all(|signature| signature.len() > 3 && signature.starts_with("v1,")),
        "{line:?}"
    );
    signatures.len()
}

/// Asserts that old and new secret verify, and that the header that has room for one has the new one's.
#[track_caller]
fn assert_signed_with_both(request: &Received, old: &str, new: &str) {
    assert_eq!(signatures(request), 2);
    assert!(request.is_signed_with(old), "not with the old: {:?}", request.headers);
    request.assert_signed_with(new);
}

#[track_caller]
fn assert_signed_with_one(request: &Received, secret: &str) {
    assert_eq!(signatures(request), 1, "{:?}", request.headers);
    request.assert_signed_with(secret);
}

#[test]
fn a_new_secret_is_made_and_shown() {
    let server = Server::start();
    let hook = server.api().subscribe("https://example.com/", "new_lead");

    let rotated: Value = rotating(&server.api(), &hook, &json!({})).expect(200);

    let new = rotated["secret"].as_str().expect("the answer shows it");
    assert_ne!(new, secret(&hook));
    let encoded = new.strip_prefix("whsec_").expect("the prefix of Standard Webhooks");
    assert_eq!(BASE64.decode(encoded).map(|bytes| bytes.len()), Ok(24));
    assert_eq!((&rotated["id"], &rotated["url"]), (&json!(hook.id), &json!(hook.url)));
    assert_eq!((&rotated["active"], &rotated["status"]), (&json!(true), &json!("active")));
    assert!(!server.api().get(&format!("/api/v1/hooks/{}", hook.id)).text().contains("whsec_"));
}

#[test]
fn a_body_is_not_needed() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let rotated: Hook = server.api().act(&format!("/api/v1/hooks/{}/rotate-secret", hook.id)).expect(200);

    assert_ne!(rotated.secret, hook.secret);
    let request = request_of(&server.api(), &hook, &receiver);
    request.assert_signed_with(secret(&rotated));
}

#[test]
fn a_given_secret_is_taken() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let given = [OWN_SECRET.to_owned(), format!("whsec_{}", BASE64.encode([7; 32])), "x".repeat(128)];

    for given in given {
        assert_eq!(rotate(&server.api(), &hook, &json!({"secret": given})), given);
        request_of(&server.api(), &hook, &receiver).assert_signed_with(&given);
    }
}

#[test]
fn a_secret_that_no_receiver_could_use_is_refused_and_nothing_changes() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let bad = [
        json!(""),
        json!("fifteen-visible"),
        json!("x".repeat(129)),
        json!("spaces are not visible"),
        json!("whsec_!!!!not-base64!!!!not-base64!!"),
        json!(format!("whsec_{}", BASE64.encode([7; 23]))),
        json!(format!("whsec_{}", BASE64.encode([7; 65]))),
        json!(7),
    ];

    for bad in bad {
        let refusal = rotating(&server.api(), &hook, &json!({"secret": bad})).refused(422);
        assert!(refusal.message.contains("secret"), "{bad}: {}", refusal.message);
    }

    assert_signed_with_one(&request_of(&server.api(), &hook, &receiver), secret(&hook));
}

#[test]
fn an_overlap_that_is_no_duration_is_refused_and_nothing_changes() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    for bad in [json!("soon"), json!("-1h"), json!(""), json!(["1h"]), json!({})] {
        let refusal = rotating(&server.api(), &hook, &json!({"overlap": bad})).refused(422);
        assert!(refusal.message.contains("overlap"), "{bad}: {}", refusal.message);
    }

    assert_signed_with_one(&request_of(&server.api(), &hook, &receiver), secret(&hook));
}

#[test]
fn during_the_overlap_both_secrets_verify() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let new = rotate(&server.api(), &hook, &json!({"overlap": "24h"}));

    assert_signed_with_both(&request_of(&server.api(), &hook, &receiver), secret(&hook), &new);
}

#[test]
fn a_plain_secret_and_an_encoded_one_can_overlap() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "secret": OWN_SECRET});
    let hook: Hook = server.api().subscribing(&wish).expect(201);

    let new = rotate(&server.api(), &hook, &json!({"overlap": "1h"}));

    let request = request_of(&server.api(), &hook, &receiver);
    assert_signed_with_both(&request, OWN_SECRET, &new);
    assert_eq!(request.header(HEX_HEADER), hex_signature(&new, &request.body));
}

#[test]
fn when_the_overlap_is_over_only_the_new_secret_verifies() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let new = rotate(&server.api(), &hook, &json!({"overlap": "1s"}));
    let after = until_some("the overlap is over", || {
        let request = request_of(&server.api(), &hook, &receiver);
        (signatures(&request) == 1).then_some(request)
    });

    assert_signed_with_one(&after, &new);
    assert!(!after.is_signed_with(secret(&hook)));
}

#[test]
fn without_an_overlap_the_old_secret_is_worth_nothing_at_once() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let new = rotate(&server.api(), &hook, &json!({"overlap": "0s"}));

    assert_signed_with_one(&request_of(&server.api(), &hook, &receiver), &new);
}

#[test]
fn all_hooks_that_share_the_secret_rotate() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let lead = api.subscribe(&receiver.url("/"), "new_lead");
    let message = api.subscribe(&receiver.url("/"), "new_message");
    assert_eq!(message.secret, lead.secret);

    let new = rotate(&api, &lead, &json!({"overlap": "1h"}));

    for hook in [&lead, &message] {
        assert_signed_with_both(&request_of(&api, hook, &receiver), secret(&lead), &new);
    }
    // Whoever subscribes the same URL later shares the new one.
    assert_eq!(secret(&api.subscribe(&receiver.url("/"), "agent_created")), new);
    assert_eq!(secret(&api.subscribe(&receiver.url("/"), "new_message")), new);
}

#[test]
fn no_other_hook_rotates() {
    let server = Server::start();
    let api = server.api();
    let acme = api.account("acme");
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let wish = json!({"url": receiver.url("/"), "event": "new_message", "secret": OWN_SECRET});
    let with_its_own: Hook = api.subscribing(&wish).expect(201);
    let elsewhere = api.subscribe(&receiver.url("/elsewhere"), "agent_created");
    let of_acme = acme.subscribe(&receiver.url("/"), "new_lead");

    rotate(&api, &hook, &json!({}));

    assert_signed_with_one(&request_of(&api, &with_its_own, &receiver), OWN_SECRET);
    assert_signed_with_one(&request_of(&api, &elsewhere, &receiver), secret(&elsewhere));
    assert_signed_with_one(&request_of(&acme, &of_acme, &receiver), secret(&of_acme));
}

#[test]
fn a_retry_is_signed_with_what_holds_when_it_is_made() {
    let server = Server::start();
    let api = server.api();
    let gate = Gate::default();
    let held = gate.clone();
    let receiver = Receiver::answering_with(move |request: &Received| {
        if request.index == 0 {
            held.pass();
            return 500;
        }
        200
    });
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    receiver.wait_for(1);

    let new = rotate(&api, &hook, &json!({"overlap": "1h"}));
    gate.open();

    let requests = receiver.wait_for(2);
    assert_eq!(requests[1].body, requests[0].body);
    assert_signed_with_one(&requests[0], secret(&hook));
    assert_signed_with_both(&requests[1], secret(&hook), &new);
}

#[test]
fn a_test_is_signed_with_both_too() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let new = rotate(&server.api(), &hook, &json!({"overlap": "1h"}));
    let tested = server.api().act(&format!("/api/v1/hooks/{}/test", hook.id));

    assert_eq!(tested.status, 200, "{}", tested.describe());
    assert_signed_with_both(&receiver.wait_for(1)[0], secret(&hook), &new);
}

#[test]
fn a_rotation_during_the_overlap_of_another_keeps_the_two_latest() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let second = rotate(&server.api(), &hook, &json!({"overlap": "1h"}));
    let third = rotate(&server.api(), &hook, &json!({"overlap": "1h"}));

    assert_signed_with_both(&request_of(&server.api(), &hook, &receiver), &second, &third);
}

#[test]
fn a_rotation_without_an_overlap_ends_that_of_the_one_before() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    rotate(&server.api(), &hook, &json!({"overlap": "1h"}));
    let third = rotate(&server.api(), &hook, &json!({"overlap": "0s"}));

    let request = request_of(&server.api(), &hook, &receiver);
    request.assert_signed_with(&third);
    assert_eq!(request.header("webhook-signature").split(' ').count(), 1);
}

#[test]
fn paused_and_deactivated_hooks_can_rotate() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([410, 200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    let other = Receiver::answering([200]);
    let paused = api.subscribe(&other.url("/"), "new_message");
    api.pause(&paused.id);

    let new_of_gone = rotate(&api, &hook, &json!({}));
    let new_of_paused = rotate(&api, &paused, &json!({}));

    assert_eq!(api.hook(&hook.id).status, "deactivated");
    assert_eq!(api.hook(&paused.id).status, "paused");
    assert_eq!(secret(&api.subscribe(&receiver.url("/"), "new_lead")), new_of_gone);
    request_of(&api, &hook, &receiver).assert_signed_with(&new_of_gone);
    api.resume(&paused.id);
    request_of(&api, &paused, &other).assert_signed_with(&new_of_paused);
}

#[test]
fn a_rotation_survives_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let new = rotate(&server.api(), &hook, &json!({"overlap": "24h"}));

    server.kill();
    server.restart();

    assert_signed_with_both(&request_of(&server.api(), &hook, &receiver), secret(&hook), &new);
    assert_eq!(secret(&server.api().subscribe(&receiver.url("/"), "new_lead")), new);
}

#[test]
fn an_overlap_ends_across_a_restart() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let new = rotate(&server.api(), &hook, &json!({"overlap": "1s"}));

    server.kill();
    server.restart();

    let after = until_some("the overlap is over", || {
        let request = request_of(&server.api(), &hook, &receiver);
        (signatures(&request) == 1).then_some(request)
    });
    assert_signed_with_one(&after, &new);
}

#[test]
fn only_whoever_manages_the_hook_may_rotate_its_secret() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let receiver = Receiver::answering([200]);
    let theirs = globex.subscribe(&receiver.url("/"), "new_lead");

    rotating(&acme, &theirs, &json!({})).refused(404);
    rotating(&server.api().key_of("globex", &["events"]), &theirs, &json!({})).refused(403);
    globex.act(&format!("/api/v1/hooks/hook_{}/rotate-secret", "0".repeat(27))).refused(404);

    assert_signed_with_one(&request_of(&globex, &theirs, &receiver), secret(&theirs));
}

#[test]
fn hooks_whose_url_is_spelt_differently_rotate_together() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/hook"), "new_lead");
    let spelt = receiver.url("/a/../hook").replace("http://", "HTTP://");
    let other = api.subscribe(&spelt, "new_message");
    assert_eq!(other.secret, hook.secret);

    let new = rotate(&api, &other, &json!({"overlap": "1h"}));

    assert_signed_with_both(&request_of(&api, &hook, &receiver), secret(&hook), &new);
}

#[test]
fn rotations_at_once_leave_one_secret_for_all_that_share() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let events = ["new_lead", "new_message", "agent_created"];
    let hooks = events.map(|event| api.subscribe(&receiver.url("/"), event));
    let start = Barrier::new(12);

    let rotate_one = &|n: usize| {
        let api = server.api();
        start.wait();
        rotate(&api, &hooks[n % 3], &json!({"overlap": "1h"}))
    };

    let secrets: Vec<String> = thread::scope(|scope| {
        let rotations: Vec<_> = (0..12).map(|n| scope.spawn(move || rotate_one(n))).collect();
        rotations.into_iter().map(|rotation| rotation.join().expect("each is answered")).collect()
    });

    let last = secret(&api.subscribe(&receiver.url("/"), "new_lead")).to_owned();
    assert!(secrets.contains(&last));
    for hook in &hooks {
        let request = request_of(&api, hook, &receiver);
        assert_eq!(signatures(&request), 2);
        request.assert_signed_with(&last);
    }
}
