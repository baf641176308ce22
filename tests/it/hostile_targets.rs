//! Targets, methods and heads that no client sends by accident: none of them leads anywhere that it should not.

use serde_json::Value;

use crate::support::raw::{Answer, Conversation, answers, request, statuses};
use crate::support::server::Server;
use crate::support::settings::ADMIN_KEY;

/// The answer to one request without a key; nothing may come after it.
#[track_caller]
fn anonymous(server: &Server, line: &str) -> Answer {
    let mut answered = answers(server.address(), format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    assert_eq!(answered.len(), 1, "{line}: {answered:?}");
    answered.remove(0)
}

/// Asserts that this is a refusal in the shape that all have.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).expect("an error is JSON");
    assert!(body["error"]["code"].is_string() && body["error"]["request_id"].is_string(), "{body}");
}

#[test]
fn no_spelling_of_a_path_gets_around_the_key() {
    let server = Server::start();

    for path in [
        "//api/v1/hooks",
        "/api//v1/hooks",
        "/./api/v1/hooks",
        "/health/../api/v1/hooks",
        "/health/live/../../api/v1/hooks",
        "/%2e%2e/api/v1/hooks",
        "/health/%2e%2e/metrics",
        "/api/v1/hooks%00",
        "/api/v1/hooks%2f",
        "/api/v1/hooks;x=y",
        "/API/V1/HOOKS",
        "/api/v1/hooks%20",
        "/%61pi/v1/hooks/%",
        "/api/v1/hooks/..",
        "/api/v1/hooks/%2e%2e%2fkeys",
    ] {
        let answer = anonymous(&server, &format!("GET {path}"));
        assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
        assert_refused(&answer, answer.status);
    }
}

#[test]
fn ids_with_anything_in_them_are_unknown_ones() {
    let server = Server::start();

    for id in
        ["%00", "%", "%zz", "%ff%fe", "%0d%0aset-cookie:%20x", "..%2f..%2fetc%2fpasswd", "%f0%9f%92%a9", "-1"]
    {
        for path in ["/api/v1/hooks/", "/api/v1/events/", "/api/v1/deliveries/"] {
            let answered = answers(server.address(), &request("GET", &format!("{path}{id}"), b""));
            assert_eq!(answered.len(), 1, "{path}{id}");
            assert_refused(&answered[0], 404);
            assert!(!answered[0].head.to_lowercase().contains("set-cookie"), "{}", answered[0].head);
        }
    }
}

#[test]
fn whoever_takes_it_for_a_proxy_is_answered_by_it_alone() {
    let server = Server::start();
    let key = format!("authorization: Bearer {ADMIN_KEY}\r\n");

    let absolute = format!("GET http://u:p@elsewhere.example/api/v1/hooks HTTP/1.1\r\nhost: x\r\n{key}\r\n");
    assert_eq!(
        statuses(server.address(), absolute.as_bytes()),
        [200],
        "RFC 9112, 3.2.2: it must be understood"
    );
    let page = anonymous(&server, "GET http://elsewhere.example/");
    assert!(String::from_utf8_lossy(&page.body).contains("<h1>hookyard</h1>"), "{page:?}");
    assert_refused(&anonymous(&server, "OPTIONS *"), 404);
    assert_refused(&anonymous(&server, "GET *"), 404);
    let connect = anonymous(&server, "CONNECT elsewhere.example:443");
    assert!(matches!(connect.status, 404 | 405), "{connect:?}");
}

#[test]
fn a_target_that_is_none_is_refused() {
    let server = Server::start();
    let targets: [&[u8]; 7] = [
        b"health/live",
        b"\\health\\live",
        b"/health /live",
        b"/health/\0live",
        "/health/live/ü".as_bytes(),
        b"/health/live\x7f",
        b"",
    ];

    for target in targets {
        let bytes = [b"GET ", target, b" HTTP/1.1\r\nhost: x\r\n\r\n"].concat();
        assert_eq!(statuses(server.address(), &bytes), [400], "{:?}", String::from_utf8_lossy(target));
    }
}

#[test]
fn unknown_methods_do_nothing() {
    let server = Server::start();

    for method in ["TRACE", "FOO", "get", "PROPFIND", "M-SEARCH", &"A".repeat(5_000)] {
        assert_refused(&anonymous(&server, &format!("{method} /api/v1/hooks")), 405);
    }
    for method in ["G\0T", "G(T", "\"GET\""] {
        let line = format!("{method} /api/v1/hooks HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(statuses(server.address(), line.as_bytes()), [400], "{method:?}");
    }
}

#[test]
fn other_versions_are_refused() {
    let server = Server::start();

    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/9.9", "HTTP/11", "http/1.1", "ICY/1.1", ""] {
        let line = format!("GET /health/live {version}\r\nhost: x\r\n\r\n");
        assert_eq!(statuses(server.address(), line.as_bytes()), [400], "{version:?}");
    }
    assert_eq!(statuses(server.address(), b"GET /health/live HTTP/1.0\r\n\r\n"), [200]);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(statuses(server.address(), preface), [400]);
}

#[test]
fn a_request_names_one_host() {
    let server = Server::start();

    assert_eq!(statuses(server.address(), b"GET /health/live HTTP/1.1\r\n\r\n"), [400]);
    let two = b"GET /health/live HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n";
    assert_eq!(statuses(server.address(), two), [400]);
}

#[test]
fn an_upgrade_that_is_not_spoken_is_ignored() {
    let server = Server::start();
    let upgrade =
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";

    let answered = statuses(
        server.address(),
        format!("GET /health/live HTTP/1.1\r\nhost: x\r\n{upgrade}\r\n").as_bytes(),
    );

    assert_eq!(answered, [200]);
}

#[test]
fn whoever_expects_to_continue_is_told_to_and_then_judged() {
    let server = Server::start();
    let expecting = |key: &str| {
        format!(
            "POST /api/v1/events HTTP/1.1\r\nhost: x\r\n{key}content-type: application/json\r\n\
             expect: 100-continue\r\ncontent-length: 29\r\n\r\n"
        )
    };
    let mut waiting = Conversation::with(server.address());

    let key = format!("authorization: Bearer {ADMIN_KEY}\r\n");
    assert_eq!(waiting.say(expecting(&key).as_bytes()).answer().map(|answer| answer.status), Some(100));
    let accepted = waiting.say(br#"{"event":"new_lead","data":1}"#).answer();
    assert_eq!(accepted.map(|answer| answer.status), Some(202));

    // Whoever has no key is told so without sending the body.
    let mut stranger = Conversation::with(server.address());
    let told: Vec<u16> =
        stranger.say(expecting("").as_bytes()).answers().iter().map(|answer| answer.status).collect();
    assert_eq!(told.last(), Some(&401), "{told:?}");
}

#[test]
fn heads_have_a_limit() {
    let server = Server::start();
    let with = |line: &str, headers: &str| {
        let head = format!("GET {line} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        // The rest of what is too long may meet a closed connection, and with it the answer.
        let answered = statuses(server.address(), head.as_bytes());
        assert!(answered.is_empty() || matches!(answered[..], [400..=499]), "{answered:?}");
    };

    with(&format!("/{}", "a".repeat(100_000)), "");
    with(&format!("/api/v1/hooks?url={}", "a".repeat(100_000)), "");
    with("/", &format!("x: {}\r\n", "a".repeat(1 << 20)));
    with("/", &format!("{}: x\r\n", "a".repeat(70_000)));
    with("/", &"a: b\r\n".repeat(97));
    with("/", &"a:\r\n".repeat(50_000));
    assert_eq!(server.anonymous().get("/health/live").status, 200);
    let said = server.complaints();
    assert!(!said.contains("panicked") && !said.contains("ERROR"), "{said}");
}

#[test]
fn huge_queries_and_numbers_beyond_range_are_refused_or_found_empty() {
    let server = Server::start();
    let api = server.api();
    let long = "9".repeat(30_000);
    let many = "a=b&".repeat(12_000);

    for query in [
        "limit=-1",
        "limit=0",
        "limit=1001",
        "limit=1e3",
        "limit=%00",
        "limit=18446744073709551616",
        "limit=0x10",
        "cursor=-1",
        "cursor=%ff",
        "cursor=18446744073709551616",
        "since=0",
        "since=9999-12-31T23:59:59Z",
        "since=0000-01-01T00:00:00Z",
        "since=2025-01-01T00:00:00%2b99:99",
        "until=2262-99-99T00:00:00Z",
        "account=%00",
        "status=%0d%0ax:y",
        "%ff=%fe",
        "&&&&",
        "=",
        "%",
        &long,
        &many,
        &format!("limit={long}"),
        &format!("cursor={long}"),
        &format!("event={long}"),
        &format!("account={long}"),
    ] {
        for path in ["events", "deliveries", "hooks", "keys", "accounts"] {
            let reply = api.get(&format!("/api/v1/{path}?{query}"));
            let shown = &query[..query.len().min(40)];
            assert!(matches!(reply.status, 200 | 404 | 422), "{path}?{shown}: {}", reply.describe());
        }
    }
}
