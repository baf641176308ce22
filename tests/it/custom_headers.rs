//! Custom headers of a hook: every request carries them, ours outweigh them, and their values are shown nowhere.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, JSON, Reply, text};
use crate::support::cli::Cli;
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

const CREDENTIAL: &str = "Bearer marker-of-a-credential";

fn subscribe_with(api: &Api, receiver: &Receiver, headers: &Value) -> Hook {
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "headers": headers});
    api.subscribing(&wish).expect(201)
}

fn put(api: &Api, id: &str, body: &Value) -> Reply {
    let path = format!("/api/v1/hooks/{id}/headers");
    api.send("PUT", &path, JSON, Some(body.to_string().as_bytes()))
}

/// The headers of a request that are not hookyard's, nor the connection's.
fn custom(request: &Received) -> Vec<(&str, &str)> {
    const OURS: [&str; 9] = [
        "content-length",
        "content-type",
        "date",
        "host",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-fetchply-signature",
    ];
    let others = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut others: Vec<_> =
        others.filter(|(name, _)| !OURS.contains(name) && *name != "webhook-test").collect();
    others.sort_unstable();
    others
}

#[test]
fn attempts_retries_replays_and_tests_carry_them() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([500, 200]));
    let given = json!({"Authorization": CREDENTIAL, "X-Tenant": "acme \t 7"});
    let hook = subscribe_with(&api, &receiver, &given);

    let event = api.emit("new_lead", &json!(1)).id;
    api.wait_until_delivered(&hook.id, &event);
    let replayed = api.post(&format!("/api/v1/events/{event}/replay"), &json!({}));
    assert_eq!(replayed.status, 202, "{}", replayed.describe());
    receiver.wait_for(3);
    let tested: Value = api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect(200);
    assert_eq!(tested["status"], 200);

    let requests = receiver.wait_for(4);
    for request in &requests {
        assert_eq!(custom(request), [("authorization", CREDENTIAL), ("x-tenant", "acme \t 7")]);
    }
    assert_eq!(requests[3].header("webhook-test"), "true");
}

#[test]
fn a_hook_shows_their_names_and_one_without_them_has_no_such_member() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let wish =
        json!({"url": receiver.url("/"), "event": "new_lead", "headers": {"X-B": "2", "a": CREDENTIAL}});
    let made = api.subscribing(&wish);
    let hook: Value = made.expect(201);
    assert_eq!(hook["headers"], json!(["a", "x-b"]));

    let id = text(&hook, "id");
    let shown = [
        made.text(),
        api.get(&format!("/api/v1/hooks/{id}")).text(),
        api.get("/api/v1/hooks").text(),
        api.act(&format!("/api/v1/hooks/{id}/pause")).text(),
        api.act(&format!("/api/v1/hooks/{id}/rotate-secret")).text(),
    ];
    for text in shown {
        assert!(text.contains(r#""headers":["a","x-b"]"#) && !text.contains("marker"), "{text}");
    }

    for headers in [json!(null), json!({})] {
        let url = receiver.url(&format!("/{headers}"));
        let wish = json!({"url": url, "event": "new_message", "headers": headers});
        assert!(api.subscribing(&wish).expect::<Value>(201).get("headers").is_none());
    }
}

#[test]
fn headers_that_a_request_has_anyway_or_cannot_have_are_refused_by_their_names() {
    let server =
        Server::start_with(Settings::quick().set("delivery.signature_header", r#""x-our-signature""#));
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let refused = |headers: Value| {
        let wish = json!({"url": receiver.url("/"), "event": "new_lead", "headers": headers});
        let refusal = api.subscribing(&wish).refused(422);
        assert_eq!(refusal.code, "invalid_field");
        refusal.message
    };
    for name in [
        "webhook-id",
        "Webhook-Timestamp",
        "webhook-signature",
        "webhook-test",
        "X-Our-Signature",
        "User-Agent",
        "content-type",
        "Content-Length",
        "Host",
        "connection",
        "Transfer-Encoding",
        "te",
        "Trailer",
        "upgrade",
        "keep-alive",
        "Proxy-Authorization",
        "proxy-connection",
        "expect",
        ":authority",
        "",
        "a b",
        "a\r\nx-injected",
    ] {
        let message = refused(json!({ name: "marker" }));
        assert!(message.starts_with("headers: ") && message.contains(&format!("{name:?}")), "{message}");
        assert!(!message.contains("marker"), "{message}");
    }
    for value in ["", " marker", "marker\r\nx-injected: 1", "marker\u{0}", "märker"] {
        let message = refused(json!({ "x-a": value }));
        assert!(message.contains(r#"the value of "x-a""#) && !message.contains("rker"), "{message}");
    }
    assert!(refused(json!({"x-a": 5})).contains(r#""x-a" must be a string"#));
    assert!(refused(json!({"x-a": "1", "X-A": "2"})).contains("twice"));
    assert!(refused(json!(["x-a"])).contains("must be an object"));
    let many: Value =
        (0..21).map(|n| (format!("x-{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    assert!(refused(many).contains("more than 20"));
    assert!(refused(json!({"x-a": "v".repeat(4096)})).contains("4096 bytes"));
    assert!(api.hooks().is_empty() && receiver.requests().is_empty());
}

#[test]
fn subscribing_again_leaves_them_unless_the_hook_was_deactivated() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([410, 200]));
    let hook = subscribe_with(&api, &receiver, &json!({"x-a": "1"}));
    let wish = |headers: Value| {
        let wish = json!({"url": receiver.url("/"), "event": "new_lead", "headers": headers});
        api.subscribing(&wish)
    };
    assert_eq!(wish(json!({"x-b": "2"})).expect::<Value>(200)["headers"], json!(["x-a"]));
    api.pause(&hook.id);
    assert_eq!(wish(json!({"x-b": "2"})).expect::<Value>(200)["headers"], json!(["x-a"]));
    let deactivate = || {
        receiver.answer_from_now(410);
        api.emit("new_lead", &json!(1));
        api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
        receiver.answer_from_now(200);
    };

    deactivate();
    assert_eq!(wish(json!(null)).expect::<Value>(201)["headers"], json!(["x-a"]));
    deactivate();
    assert_eq!(wish(json!({"x-b": "2"})).expect::<Value>(201)["headers"], json!(["x-b"]));

    let seen = receiver.requests().len();
    api.emit("new_lead", &json!(2));
    assert_eq!(custom(&receiver.wait_for(seen + 1)[seen]), [("x-b", "2")]);
    deactivate();
    assert!(wish(json!({})).expect::<Value>(201).get("headers").is_none());
}

#[test]
fn replacing_them_changes_the_next_attempt_and_survives_a_kill() {
    let mut server = Server::start_with(Settings::quick().steady_schedule("100ms"));
    let (api, receiver) = (server.api(), Receiver::answering([500]));
    let hook = subscribe_with(&api, &receiver, &json!({"x-a": "1", "authorization": CREDENTIAL}));
    api.emit("new_lead", &json!(1));
    assert_eq!(custom(&receiver.wait_for(1)[0]).len(), 2);

    let replaced: Value = put(&api, &hook.id, &json!({"headers": {"X-C": "3"}})).expect(200);
    assert_eq!(replaced["headers"], json!(["x-c"]));
    receiver.wait_until("the retry has the new ones", |all| {
        all.last().is_some_and(|last| custom(last) == [("x-c", "3")])
    });

    server.kill();
    let seen = receiver.requests().len();
    server.restart();
    assert_eq!(custom(&receiver.wait_for(seen + 1)[seen]), [("x-c", "3")]);

    let api = server.api();
    assert!(put(&api, &hook.id, &json!({"headers": {}})).expect::<Value>(200).get("headers").is_none());
    receiver.wait_until("the retry has none", |all| all.last().is_some_and(|last| custom(last).is_empty()));
}

#[test]
fn replacing_them_is_refused_as_subscribing_is_and_for_strangers() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = subscribe_with(&api, &receiver, &json!({"x-a": "1"}));
    assert!(put(&api, &hook.id, &json!({})).refused(422).message.contains("headers is required"));
    assert!(put(&api, &hook.id, &json!({"headers": ["x-a"]})).refused(422).message.contains("an object"));
    assert!(
        put(&api, &hook.id, &json!({"headers": {"Host": "a"}})).refused(422).message.contains("\"Host\"")
    );
    put(&api.account("other"), &hook.id, &json!({"headers": {}})).refused(404);
    put(&api.key_of("default", &["events"]), &hook.id, &json!({"headers": {}})).refused(403);
    assert_eq!(
        api.get(&format!("/api/v1/hooks/{}", hook.id)).expect::<Value>(200)["headers"],
        json!(["x-a"])
    );
}

#[test]
fn what_a_receiver_repeats_of_them_is_not_kept() {
    let server = Server::start();
    let receiver = Receiver::answering_with(|request| {
        Answer::from(200).body(&format!("got {}, thank you", request.header("authorization")))
    });
    let api = server.api();
    let hook = subscribe_with(&api, &receiver, &json!({"authorization": CREDENTIAL}));
    let event = api.emit("new_lead", &json!(1)).id;
    let delivery = api.wait_until_delivered(&hook.id, &event);

    let shown = api.get(&format!("/api/v1/deliveries/{}", delivery.id)).text();
    let tested = api.act(&format!("/api/v1/hooks/{}/test", hook.id)).text();
    for text in [shown, tested] {
        assert!(
            text.contains("got ****") && text.contains("thank you") && !text.contains("marker"),
            "{text}"
        );
    }
}

#[test]
fn a_signature_header_that_comes_to_have_the_name_of_one_outweighs_it() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = subscribe_with(&server.api(), &receiver, &json!({"x-hub-signature": "theirs"}));
    server.terminate();
    assert!(server.wait_for_exit().success());

    server.set(Settings::quick().set("delivery.signature_header", r#""X-Hub-Signature""#));
    server.restart();
    let event = server.api().emit("new_lead", &json!(1)).id;
    server.api().wait_until_delivered(&hook.id, &event);

    let signatures = receiver.wait_for(1)[0].values("x-hub-signature").join(" ");
    assert!(signatures.starts_with("sha256=") && !signatures.contains("theirs"), "{signatures}");
}

#[test]
fn the_commands_set_and_remove_them() {
    let server = Server::start();
    let (cli, receiver) = (Cli::of(&server), Receiver::answering([200]));
    let url = receiver.url("/");
    let authorization = format!("Authorization: {CREDENTIAL}");
    let subscribing =
        ["hooks", "subscribe", &url, "new_lead", "--header", &authorization, "--header", "x-a:1"];
    let printed = cli.prints(&subscribing);
    assert!(printed.contains("headers\tauthorization, x-a\n") && !printed.contains("marker"), "{printed}");
    server.api().emit("new_lead", &json!(1));
    assert_eq!(custom(&receiver.wait_for(1)[0]), [("authorization", CREDENTIAL), ("x-a", "1")]);

    let id = &server.api().hooks()[0].id;
    assert!(cli.prints(&["hooks", "set-headers", id, "--header", "x-b: 2"]).contains("headers\tx-b\n"));
    assert!(!cli.prints(&["hooks", "set-headers", id]).contains("headers"));
    let refused = cli.fails(2, &["hooks", "set-headers", id, "--header", "marker-of-a-credential"]);
    assert!(refused.contains("'name: value'") && !refused.contains("marker"), "{refused}");
}
