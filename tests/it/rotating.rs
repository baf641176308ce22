//! Rotating a secret: for a while both sign, then the new one alone, on every hook that shares it.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook};
use crate::support::patience::until;
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;
use crate::support::signature::{HEX_HEADER, hex_signature};

/// Rotates as `wish` says, and returns the old secret and the new.
fn rotate(api: &Api, hook: &Hook, wish: &Value) -> (String, String) {
    let rotated: Hook = api.post(&format!("/api/v1/hooks/{}/rotate-secret", hook.id), wish).expect(200);
    assert_eq!((&rotated.id, rotated.status.as_str()), (&hook.id, "active"));
    (hook.secret.clone().expect("subscribing shows it"), rotated.secret.expect("rotating shows it"))
}

/// The request of an event that is emitted now.
fn deliver(api: &Api, receiver: &Receiver) -> Received {
    let receipt = api.emit("new_lead", &json!(1));
    let requests = receiver.wait_until("it has come", |received| {
        received.iter().any(|request| request.webhook_id() == receipt.id)
    });
    requests.into_iter().find(|request| request.webhook_id() == receipt.id).expect("it has come")
}

#[test]
fn both_secrets_sign_during_the_overlap() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let (old, new) = rotate(&server.api(), &hook, &json!({"overlap": "1h"}));
    let request = deliver(&server.api(), &receiver);

    assert_ne!(old, new);
    assert!(request.is_signed_with(&old) && request.is_signed_with(&new));
    let signatures: Vec<&str> = request.header("webhook-signature").split(' ').collect();
    assert!(signatures.len() == 2 && signatures.iter().all(|signature| signature.starts_with("v1,")));
    assert_eq!(request.header(HEX_HEADER), hex_signature(&new, &request.body));
}

#[test]
fn the_new_secret_signs_alone_after_the_overlap() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");

    let (old, new) = rotate(&server.api(), &hook, &json!({"overlap": "500ms"}));

    until("one signature is left", || {
        let request = deliver(&server.api(), &receiver);
        assert!(request.is_signed_with(&new));
        let alone = !request.header("webhook-signature").contains(' ');
        assert_ne!(request.is_signed_with(&old), alone);
        alone
    });
}

#[test]
fn a_rotation_covers_every_hook_that_shares_the_secret() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let message = api.subscribe(&receiver.url("/"), "new_message");
    let lead = api.subscribe(&receiver.url("/"), "new_lead");

    let (_, new) = rotate(&api, &message, &json!({}));

    assert!(deliver(&api, &receiver).is_signed_with(&new));
    assert_eq!(api.subscribe(&receiver.url("/"), "new_lead").secret.as_ref(), Some(&new));
    assert_eq!(api.subscribe(&receiver.url("/"), "agent_created").secret.as_ref(), Some(&new));
    assert_eq!(api.hook(&lead.id).secret, None);
}

#[test]
fn a_secret_of_ones_own_can_be_rotated_in() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let path = format!("/api/v1/hooks/{}/rotate-secret", hook.id);

    let (_, new) = rotate(&server.api(), &hook, &json!({"secret": "a-secret-of-my-own"}));

    assert_eq!(new, "a-secret-of-my-own");
    assert!(deliver(&server.api(), &receiver).is_signed_with(&new));
    server.api().post(&path, &json!({"secret": "short"})).refused(422);
    server.api().post(&path, &json!({"overlap": "soon"})).refused(422);
}

#[test]
fn a_rotation_survives_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let reply = server.api().act(&format!("/api/v1/hooks/{}/rotate-secret", hook.id));
    let new = reply.expect::<Hook>(200).secret.expect("rotating shows it");

    server.kill();
    server.restart();

    let request = deliver(&server.api(), &receiver);
    assert!(
        request.is_signed_with(&new) && request.is_signed_with(&hook.secret.expect("subscribing shows it"))
    );
}
