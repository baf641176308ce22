//! Line breaks and control characters in whatever a caller may choose: none of them becomes a header or a line of a log.

use serde_json::{Value, json};

use crate::support::api::{Api, JSON, text};
use crate::support::cli::Cli;
use crate::support::raw::answers;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// What would stand at the beginning of a line if anything let it through.
const INJECTED: &str = "x-injected";

fn forged() -> [String; 6] {
    [
        format!("a\r\n{INJECTED}: 1"),
        format!("a\n{INJECTED}: 1"),
        format!("a\r{INJECTED}: 1"),
        format!("a\0\u{1b}[2J\u{7f}{INJECTED}: 1"),
        format!("a\u{85}{INJECTED}: 1"),
        format!("a\u{2028}{INJECTED}: 1"),
    ]
}

/// Puts what is forged wherever a caller can put anything, over HTTP; returns what the API answered.
fn put_everywhere(api: &Api, url: &str) -> Vec<String> {
    let mut heads = Vec::new();
    for forged in forged() {
        let bodies = [
            ("POST", "/api/v1/hooks/subscribe", json!({"event": forged, "url": url})),
            (
                "POST",
                "/api/v1/hooks/subscribe",
                json!({"event": "new_lead", "url": format!("{url}?{forged}")}),
            ),
            (
                "POST",
                "/api/v1/hooks/subscribe",
                json!({"event": "new_lead", "url": format!("{url}{forged}")}),
            ),
            (
                "POST",
                "/api/v1/hooks/subscribe",
                json!({"event": "new_lead", "url": format!("{url}#{forged}")}),
            ),
            (
                "POST",
                "/api/v1/hooks/subscribe",
                json!({"event": "new_lead", "url": format!("http://{forged}/")}),
            ),
            ("POST", "/api/v1/hooks/subscribe", json!({"event": "new_lead", "url": forged})),
            (
                "POST",
                "/api/v1/hooks/subscribe",
                json!({"event": "new_lead", "url": url, "secret": format!("{:a<20}{forged}", "")}),
            ),
            ("DELETE", "/api/v1/hooks/subscribe", json!({"url": forged, "event": forged, "id": forged})),
            ("POST", "/api/v1/events", json!({"event": forged, "data": forged})),
            ("POST", "/api/v1/events", json!({"event": "new_lead", "data": {&forged: forged}, "id": forged})),
            (
                "POST",
                "/api/v1/events",
                json!({"event": "new_lead", "data": 1, "timestamp": format!("2025-01-15T10:30:00Z{forged}")}),
            ),
            ("POST", "/api/v1/events", json!({"event": "new_lead", "data": 1, "account": forged})),
            ("POST", "/api/v1/accounts", json!({"id": forged})),
            ("POST", "/api/v1/keys", json!({"scopes": ["hooks"], "name": forged})),
            ("POST", "/api/v1/keys", json!({"scopes": [forged]})),
        ];
        for (method, path, body) in bodies {
            let reply = api.send(method, path, JSON, Some(body.to_string().as_bytes()));
            assert!(reply.status < 500, "{method} {path} {body}: {}", reply.describe());
            heads.push(format!("{:?}", reply.headers));
        }
        let escaped: String = url::form_urlencoded::byte_serialize(forged.as_bytes()).collect();
        for path in [
            format!("/api/v1/hooks?url={escaped}&event={escaped}"),
            format!("/api/v1/events?event={escaped}&limit=1"),
            format!("/api/v1/hooks/sample?event={escaped}"),
            format!("/api/v1/deliveries?hook={escaped}"),
            format!("/api/v1/events?cursor={escaped}"),
            format!("/api/v1/hooks?account={escaped}"),
            format!("/api/v1/hooks/{escaped}"),
            format!("/{escaped}"),
        ] {
            let reply = api.get(&path);
            assert!(reply.status < 500, "{path}: {}", reply.describe());
            heads.push(format!("{:?}", reply.headers));
        }
    }
    heads
}

#[test]
fn nothing_that_callers_choose_becomes_a_header() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");

    let heads = put_everywhere(&api, &receiver.url("/forged"));
    let receipt = api.emit("new_lead", &json!("the last one"));

    let arrived = receiver.wait_until("the last one has come everywhere", |all| {
        all.iter().filter(|request| request.webhook_id() == receipt.id).count()
            >= api.hooks().len() - refused(&api)
    });
    for request in arrived {
        assert!(request.values(INJECTED).is_empty(), "{request:?}");
        let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.iter().all(|name| !name.contains("injected")), "{names:?}");
    }
    for head in heads {
        // A link leads on with the caller's own words, escaped.
        assert!(!head.contains(&format!("(\"{INJECTED}")), "{head}");
    }
}

/// Hooks whose URLs lead elsewhere than to the receiver.
fn refused(api: &Api) -> usize {
    api.hooks().iter().filter(|hook| !hook.url.starts_with("http://127.0.0.1:")).count()
}

#[test]
fn the_id_of_a_request_is_the_servers_own() {
    let server = Server::start();

    for id in ["mine", "\"}{\"", "%0d%0ax-injected: 1"] {
        let request = format!("GET /api/v1/hooks HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\n\r\n");
        let answer = answers(server.address(), request.as_bytes()).remove(0);
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let given = text(&body["error"], "request_id");
        assert!(given.len() == 16 && given.bytes().all(|byte| byte.is_ascii_hexdigit()), "{given}");
        assert!(answer.head.contains(&format!("x-request-id: {given}\r\n")), "{}", answer.head);
    }
}

#[test]
fn nothing_that_callers_choose_becomes_a_line_of_the_log() {
    for format in ["text", "json"] {
        let settings =
            Settings::quick().set("log", r#""trace,sled=info""#).set("log_format", &format!("{format:?}"));
        let server = Server::start_with(settings);
        let receiver = Receiver::answering([410]);

        put_everywhere(&server.api(), &receiver.url("/forged"));
        server.api().emit("new_lead", &json!(1));
        receiver.wait_for(1);

        let log = server.complaints();
        if format == "json" {
            // What stands within a string of JSON ends no line.
            for line in log.lines().filter(|line| !line.starts_with("hookyard: DEV MODE")) {
                serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            }
            continue;
        }
        for line in log.split(['\n', '\r', '\u{85}', '\u{2028}']) {
            assert!(!line.starts_with(INJECTED), "{line:?}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}

#[test]
fn nothing_that_others_chose_moves_the_cursor_of_a_terminal() {
    let server = Server::start();
    put_everywhere(&server.api(), "http://127.0.0.1:9/forged");
    let commands = Cli::of(&server);

    for arguments in [&["hooks", "list"][..], &["events", "list"], &["keys", "list"], &["accounts", "list"]] {
        let shown = commands.prints(arguments);
        let control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        assert!(!shown.contains(control), "{arguments:?}: {shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with(INJECTED)), "{arguments:?}: {shown:?}");
    }
}
