//! Subscribing: the answer's documented shape, one hook per account, URL and event, and whose secret it is.

use std::sync::Barrier;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::api::{Hook, text};
use crate::support::receiver::Receiver;
use crate::support::server::Server;

const URL: &str = "https://example.com/hook";

#[test]
fn subscribing_answers_201_with_a_location_and_one_flat_hook() {
    let server = Server::start();

    let reply = server.api().subscribing(&json!({"url": URL, "event": "new_lead"}));

    let hook: Value = reply.expect(201);
    assert!(text(&hook, "id").starts_with("hook_"), "{hook}");
    assert_eq!((text(&hook, "url"), text(&hook, "event")), (URL, "new_lead"));
    assert_eq!((&hook["active"], text(&hook, "status")), (&json!(true), "active"));
    assert_eq!((&hook["pending"], &hook["dead"]), (&json!(0), &json!(0)));
    let created_at = text(&hook, "created_at");
    assert!(created_at.ends_with('Z') && OffsetDateTime::parse(created_at, &Rfc3339).is_ok(), "{created_at}");
    let nested = hook.as_object().expect("an object").values().any(|v| v.is_object() || v.is_array());
    assert!(!nested, "{hook}");
    let location = reply.header("location").expect("a Location");
    assert!(location.ends_with(&format!("/api/v1/hooks/{}", text(&hook, "id"))), "{location}");
    assert!(location.starts_with("/api/") || location.starts_with("http://"), "{location}");
}

#[test]
fn a_generated_secret_encodes_24_bytes_without_padding() {
    let server = Server::start();

    let secret = server.api().subscribe(URL, "new_lead").secret.expect("the answer shows it");

    let encoded = secret.strip_prefix("whsec_").expect("the prefix of Standard Webhooks");
    assert_eq!(BASE64.decode(encoded).map(|bytes| bytes.len()), Ok(24));
    assert!(!encoded.contains('='));
}

#[test]
fn subscribing_again_answers_200_with_the_same_hook() {
    let server = Server::start();
    let first: Hook = server.api().subscribing(&json!({"url": URL, "event": "new_lead"})).expect(201);

    let second: Hook = server.api().subscribing(&json!({"url": URL, "event": "new_lead"})).expect(200);

    assert_eq!(second, first);
    assert!(second.secret.is_some());
}

#[test]
fn fifty_identical_subscribes_at_once_make_one_hook() {
    let server = Server::start();
    let start = Barrier::new(50);

    let answers: Vec<(u16, Hook)> = thread::scope(|scope| {
        let subscribe = || {
            let api = server.api();
            start.wait();
            let reply = api.subscribing(&json!({"url": URL, "event": "new_lead"}));
            (reply.status, reply.expect(reply.status))
        };
        let callers: Vec<_> = (0..50).map(|_| scope.spawn(subscribe)).collect();
        callers.into_iter().map(|caller| caller.join().expect("each is answered")).collect()
    });

    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 49);
    assert!(
        answers.iter().all(|(_, hook)| (&hook.id, &hook.secret) == (&answers[0].1.id, &answers[0].1.secret))
    );
    assert_eq!(server.api().hooks().len(), 1);
}

#[test]
fn hooks_of_one_url_share_a_secret_and_others_do_not() {
    let server = Server::start();
    let api = server.api();
    let lead = api.subscribe(URL, "new_lead");

    let message = api.subscribe(URL, "new_message");
    let elsewhere = api.subscribe("https://example.com/other", "new_lead");
    let of_another_account = api.account("acme").subscribe(URL, "new_lead");

    assert_ne!(message.id, lead.id);
    assert_eq!(message.secret, lead.secret);
    assert_ne!(elsewhere.secret, lead.secret);
    assert_ne!(of_another_account.secret, lead.secret);
}

#[test]
fn a_secret_of_ones_own_is_kept() {
    let server = Server::start();
    let secrets = [
        "sixteen-visible!".to_owned(),
        "x".repeat(128),
        format!("whsec_{}", BASE64.encode([7; 24])),
        format!("whsec_{}", BASE64.encode([7; 32])),
        format!("whsec_{}", BASE64.encode([7; 64])),
    ];

    for (n, secret) in secrets.iter().enumerate() {
        let wish = json!({"url": format!("https://example.com/{n}"), "event": "new_lead", "secret": secret});
        let hook: Hook = server.api().subscribing(&wish).expect(201);
        assert_eq!(hook.secret.as_deref(), Some(secret.as_str()));
    }
}

#[test]
fn a_secret_given_for_an_active_hook_is_ignored() {
    let server = Server::start();
    let first = server.api().subscribe(URL, "new_lead");

    let wish = json!({"url": URL, "event": "new_lead", "secret": "another-secret-of-mine"});
    let second: Hook = server.api().subscribing(&wish).expect(200);

    assert_eq!(second.secret, first.secret);
}

#[test]
fn a_secret_that_no_receiver_could_use_is_refused() {
    let server = Server::start();
    let bad = [
        json!(""),
        json!("fifteen-visible"),
        json!("x".repeat(129)),
        json!("spaces are not visible"),
        json!("größer-als-sechzehn"),
        json!("tab\tis-not-visible-either"),
        json!("whsec_!!!!not-base64!!!!not-base64!!"),
        json!(format!("whsec_{}", BASE64.encode([7; 23]))),
        json!(format!("whsec_{}", BASE64.encode([7; 65]))),
        json!(1_234_567_890_123_456_u64),
    ];

    for secret in bad {
        let reply = server.api().subscribing(&json!({"url": URL, "event": "new_lead", "secret": secret}));
        assert!(reply.refused(422).message.contains("secret"), "{secret}: {}", reply.describe());
    }
    assert_eq!(server.api().hooks(), []);
}

#[test]
fn unknown_fields_are_ignored() {
    let server = Server::start();

    let wish = json!({"url": URL, "event": "new_lead", "hookUrl": "https://other.example", "zap": {"id": 7}});
    let hook: Hook = server.api().subscribing(&wish).expect(201);

    assert_eq!(hook.url, URL);
}

#[test]
fn json_may_name_its_charset() {
    let server = Server::start();

    for kind in ["application/json;charset=utf-8", "application/json; charset=UTF-8", "Application/JSON"] {
        let body = json!({"url": format!("https://example.com/?{}", kind.len()), "event": "new_lead"});
        let reply = server.api().send(
            "POST",
            "/api/v1/hooks/subscribe",
            &[("content-type", kind)],
            Some(body.to_string().as_bytes()),
        );
        assert_eq!(reply.status, 201, "{kind}: {}", reply.describe());
    }
}

#[test]
fn a_trailing_slash_is_accepted_without_a_redirect() {
    let server = Server::start();
    let api = server.api();

    let made = api.post("/api/v1/hooks/subscribe/", &json!({"url": URL, "event": "new_lead"}));
    let listed: Vec<Hook> = api.get("/api/v1/hooks/").expect(200);
    let deleted: Value =
        api.delete_with("/api/v1/hooks/subscribe/", &json!({"url": URL, "event": "new_lead"})).expect(200);

    let hook: Hook = made.expect(201);
    assert_eq!(listed[0].id, hook.id);
    assert_eq!(deleted["deleted"], 1);
}

#[test]
fn a_url_is_echoed_as_it_was_sent_and_compared_as_browsers_serialise_it() {
    let server = Server::start();
    let sent = "HTTPS://Example.COM:443/a/../hook";

    let first: Hook = server.api().subscribing(&json!({"url": sent, "event": "new_lead"})).expect(201);
    let second: Hook = server.api().subscribing(&json!({"url": URL, "event": "new_lead"})).expect(200);
    let other_path: Hook = server
        .api()
        .subscribing(&json!({"url": "https://example.com/Hook", "event": "new_lead"}))
        .expect(201);

    assert_eq!(first.url, sent);
    assert_eq!(second.id, first.id);
    assert_eq!(server.api().hook(&first.id).url, sent);
    assert_ne!(other_path.id, first.id);
}

#[test]
fn nothing_is_sent_to_a_url_because_it_subscribed() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().subscribe(&receiver.url("/"), "new_lead");

    let receipt = server.api().emit("new_lead", &json!({"n": 1}));

    assert_eq!(receiver.wait_for(1)[0].webhook_id(), receipt.id);
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn an_unknown_event_is_refused_with_a_list_of_the_known() {
    let server = Server::start();

    let refusal = server.api().subscribing(&json!({"url": URL, "event": "new_laed"})).refused(422);

    assert_eq!(refusal.code, "unknown_event");
    for known in ["new_lead", "new_message", "new_conversation", "feedback_received", "training_completed"] {
        assert!(refusal.message.contains(known), "{}", refusal.message);
    }
}

#[test]
fn a_missing_or_mistyped_field_is_named() {
    let server = Server::start();
    let cases = [
        (json!({"event": "new_lead"}), "url"),
        (json!({"url": null, "event": "new_lead"}), "url"),
        (json!({"url": 7, "event": "new_lead"}), "url"),
        (json!({"url": URL}), "event"),
        (json!({"url": URL, "event": ["new_lead"]}), "event"),
        (json!({"url": URL, "event": "new_lead", "replay": "perhaps"}), "replay"),
    ];

    for (body, field) in cases {
        let refusal = server.api().subscribing(&body).refused(422);
        assert!(refusal.message.contains(field), "{body}: {}", refusal.message);
    }
}
