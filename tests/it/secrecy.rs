//! No secret, key, header value or payload in what the server says beside its answers: its log at the finest level, as
//! text and as JSON, its standard output, its metrics, its refusals.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};

use crate::support::api::{Api, Hook, JSON, Reply, text};
use crate::support::certificates::Authority;
use crate::support::patience::until;
use crate::support::raw;
use crate::support::receiver::{Answer, Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::{ADMIN_KEY, Settings};

/// Everything at its finest, other crates by name too.
const TRACE: &str = r#""trace,hookyard=trace,actix=trace,actix_http=trace,actix_server=trace,actix_web=trace,awc=trace,h2=trace,log=trace,mio=trace,rustls=trace,sled=trace,tokio=trace""#;

const PAYLOAD: &str = "marker-of-a-payload-0123456789";
const SECRET: &str = "marker-of-a-secret-0123456789";
const NEXT_SECRET: &str = "marker-of-the-next-secret-0123456789";
const CREDENTIAL: &str = "Bearer marker-of-a-credential-0123456789";
const WRONG_KEY: &str = "fp_markerOfAWrongKey0123456789abcdef";
const NEXT_ADMIN_KEY: &str = "fp_markerOfTheNextAdminKey0123456789";
/// Many a URL is a secret by itself.
const PATH: &str = "marker-of-a-path-0123456789";
const MASTER_KEY: &str = "bWFya2VyLW9mLWEtbWFzdGVyLWtleS0wMTIzNDU2Nzg=";

/// What a server says, by where it says it.
type Said = Vec<(&'static str, String)>;

#[test]
fn nothing_secret_is_in_a_log_as_text_nor_in_metrics_nor_in_refusals() {
    search(r#""text""#);
}

#[test]
fn nothing_secret_is_in_a_log_as_json() {
    search(r#""json""#);
}

fn search(format: &str) {
    let settings = Settings::quick()
        .set("log", TRACE)
        .set("log_format", format)
        .set("encryption.master_key", &format!("{MASTER_KEY:?}"));
    let mut server = Server::start_with(settings.clone());
    let mut markers =
        [PAYLOAD, SECRET, NEXT_SECRET, CREDENTIAL, WRONG_KEY, ADMIN_KEY, NEXT_ADMIN_KEY, MASTER_KEY]
            .map(str::to_owned)
            .to_vec();
    let mut said = drive(&server, &mut markers);
    server.reload(settings.clone().set("admin_key", &format!("{NEXT_ADMIN_KEY:?}")));
    assert_eq!(server.api_with_key(NEXT_ADMIN_KEY).get("/api/v1/keys").status, 200);
    server.reload(settings.clone().set("admin_key", r#""marker too short""#));
    server.set(settings);
    server.terminate();
    assert!(server.wait_for_exit().success());
    server.restart();

    let log = server.complaints();
    for told in ["refused", "no usable answer", "sealed anew", "a hook is deactivated", "stopping"] {
        assert!(log.contains(told), "the log does not tell that {told}:\n{log}");
    }
    said.push(("the standard error", log));
    said.push(("the standard output", server.printed()));
    for (place, text) in &said {
        for marker in &markers {
            assert_unsaid(place, text, marker);
        }
    }
    // The caller of a refused URL is told which.
    let (_, log) = &said[said.len() - 2];
    assert_unsaid("the standard error", log, PATH);
}

/// Asserts that a text does not hold the marker, however it is written.
#[track_caller]
fn assert_unsaid(place: &str, text: &str, marker: &str) {
    for form in forms(marker) {
        if let Some(at) = text.find(&form) {
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let line: String = text[line..].chars().take(2_000).collect();
            panic!("{place} holds {marker} as {form}: {line}");
        }
    }
}

/// A text as it is, in hex, in base64 wherever it begins, and as a list of bytes; of a secret in base64, what that is of.
fn forms(marker: &str) -> Vec<String> {
    let mut forms = vec![marker.to_owned()];
    let encoded = marker.strip_prefix("whsec_").unwrap_or(marker);
    let decoded = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok();
    forms.extend(decoded.is_some().then(|| encoded.trim_end_matches('=').to_owned()));
    for bytes in [Some(marker.as_bytes().to_vec()), decoded].into_iter().flatten() {
        forms.extend([hex::encode(&bytes), hex::encode_upper(&bytes)]);
        let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
        forms.push(list.join(", "));
        for skipped in 0..3 {
            // What is left when its first and last letters, which neighbours share, are taken off.
            let inside = STANDARD_NO_PAD.encode(&bytes[skipped..]);
            forms.push(inside[..inside.len() - 2].to_owned());
        }
    }
    forms
}

/// Does everything that a server is for, and much that it is not for; returns what it said to its callers.
fn drive(server: &Server, markers: &mut Vec<String>) -> Said {
    let api = server.api();
    let good = Receiver::answering([200]);
    let made = api.account("acme");
    let key: Value =
        api.post("/api/v1/keys", &json!({"account": "acme", "scopes": ["hooks", "events"]})).expect(201);
    markers.push(text(&key, "key").to_owned());
    let wish = json!({"url": good.url(&format!("/{PATH}")), "event": "new_lead", "secret": SECRET,
        "headers": {"Authorization": CREDENTIAL, "X-Token": CREDENTIAL}});
    let hook: Hook = made.subscribing(&wish).expect(201);
    let generated = made.subscribe(&good.url("/other"), "new_lead").secret.expect("it is shown");
    markers.push(generated);
    let data = json!({"marker": PAYLOAD});
    let event = made.emit("new_lead", &data).id;
    made.wait_until_delivered(&hook.id, &event);

    let path = format!("/api/v1/hooks/{}", hook.id);
    let rotated = made.post(&format!("{path}/rotate-secret"), &json!({"secret": NEXT_SECRET}));
    assert_eq!(rotated.status, 200, "{}", rotated.describe());
    assert_eq!(made.act(&format!("{path}/test")).status, 200);
    assert_eq!(made.post(&format!("{path}/replay"), &json!({"status": "all"})).status, 202);
    let headers = json!({"headers": {"authorization": CREDENTIAL}}).to_string();
    assert_eq!(made.send("PUT", &format!("{path}/headers"), JSON, Some(headers.as_bytes())).status, 200);
    markers.push(show_a_certificate(&made));
    assert_eq!(api.get("/api/v1/backup").status, 200);
    fail_in_every_way(&made);
    let mut said = be_refused(server, &made);
    said.push(("the metrics", server.anonymous().get("/metrics").text()));
    said
}

/// Gives a hook a client certificate, and one whose key is another's; returns the key in base64.
fn show_a_certificate(api: &Api) -> String {
    let (ours, others) = (Authority::new().certify("hookyard.example"), Authority::new());
    let hook = api.subscribe("https://127.0.0.1:9/", "new_lead");
    let path = format!("/api/v1/hooks/{}/client-certificate", hook.id);
    let put = |wish: &Value| api.send("PUT", &path, JSON, Some(wish.to_string().as_bytes()));
    assert_eq!(put(&ours.wish()).status, 200);
    let key = ours.wish()["key"].clone();
    let certificate = others.certify("hookyard.example").wish()["certificate"].clone();
    assert_eq!(put(&json!({"certificate": certificate, "key": key})).status, 422);
    assert_eq!(api.act(&format!("/api/v1/hooks/{}/test", hook.id)).status, 200);
    STANDARD.encode(ours.key().secret_der())
}

/// Deliveries that meet no usable answer, for all the reasons that there are.
fn fail_in_every_way(api: &Api) {
    let receivers = [
        Receiver::answering([410]),
        Receiver::answering_with(|_| Answer::nonsense()),
        Receiver::answering_with(|_| Answer::from(200).header(&"x".repeat(70_000), PAYLOAD)),
    ];
    let urls = receivers.iter().map(|receiver| receiver.url(&format!("/{PATH}")));
    // One that does not speak TLS, and one that is not there.
    let secure = receivers[0].url(&format!("/{PATH}")).replace("http:", "https:");
    let gone = format!("{}{PATH}", deserted_url());
    for url in urls.chain([secure, gone]) {
        let wish =
            json!({"url": url, "event": "new_message", "secret": SECRET, "headers": {"x-a": CREDENTIAL}});
        assert_eq!(api.subscribing(&wish).status, 201);
    }
    api.emit("new_message", &json!({"marker": PAYLOAD}));
    until("all are given up", || {
        let hooks = api.hooks();
        hooks.iter().filter(|hook| hook.event == "new_message").all(|hook| hook.status == "deactivated")
    });
}

/// Sends what is refused; returns the refusals.
fn be_refused(server: &Server, api: &Api) -> Said {
    let mut said = Said::new();
    let mut refuse = |what: &'static str, reply: Reply| {
        assert!(reply.status >= 400, "{what}: {}", reply.describe());
        said.push((what, format!("{:?} {}", reply.headers, reply.text())));
    };
    let emit = |body: &str| api.post_text("/api/v1/events", body);
    for body in [
        format!(r#"{{"event":"new_lead","data":"{PAYLOAD}"#),
        format!(r#"{{"event":"new_lead","data":{PAYLOAD}}}"#),
        format!("{{\"event\":\"new_lead\",\"data\":\"{PAYLOAD}\x01\"}}"),
        format!(r#"{{"event":"no_such_event","data":"{PAYLOAD}"}}"#),
        format!(r#"{{"event":["{PAYLOAD}"],"data":1}}"#),
        format!(r#"{{"event":"new_lead","data":1,"timestamp":"{PAYLOAD}"}}"#),
        format!(r#"{{"event":"new_lead","data":1,"id":["{PAYLOAD}"]}}"#),
        format!(r#"["{PAYLOAD}"]"#),
        format!(r#""{PAYLOAD}""#),
    ] {
        refuse("the refusal of an event", emit(&body));
    }
    let mut broken = format!(r#"{{"event":"new_lead","data":"{PAYLOAD}"#).into_bytes();
    broken.extend(b"\xff\"}");
    refuse("the refusal of an event", api.send("POST", "/api/v1/events", JSON, Some(&broken)));
    let once = |data: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
        let body = format!(r#"{{"event":"new_lead","data":"{data}"}}"#);
        api.send("POST", "/api/v1/events", &headers, Some(body.as_bytes()))
    };
    assert_eq!(once(PAYLOAD).status, 202);
    refuse("the refusal of another event under one key", once(&format!("{PAYLOAD}!")));

    for wish in [
        json!({"url": "https://example.com/", "event": "new_lead", "secret": format!("whsec_{SECRET}")}),
        json!({"url": "https://example.com/", "event": "new_lead", "secret": format!("{SECRET} {SECRET}")}),
        json!({"url": "https://example.com/", "event": "new_lead", "secret": [SECRET]}),
        json!({"url": "https://example.com/", "event": "new_lead", "headers": {"x-a": format!("{CREDENTIAL}\n")}}),
        json!({"url": "https://example.com/", "event": "new_lead", "headers": {"x-a": [CREDENTIAL]}}),
        json!({"url": "https://example.com/", "event": "new_lead", "headers": {"host": CREDENTIAL}}),
        json!({"url": format!("ftp://example.com/{PATH}"), "event": "new_lead"}),
        json!({"url": format!("https://169.254.169.254/{PATH}"), "event": "new_lead"}),
    ] {
        refuse("the refusal of a hook", api.subscribing(&wish));
    }
    for key in [WRONG_KEY, &ADMIN_KEY.replace("fp_", "fp_0"), ""] {
        refuse("the refusal of a key", server.api_with_key(key).get("/api/v1/hooks"));
    }
    refuse("the refusal of a path", api.get(&format!("/api/v1/hooks/{SECRET}")));
    be_refused_as_no_http(server);
    said
}

/// Requests that the front door's parser refuses, each with what must not be repeated.
fn be_refused_as_no_http(server: &Server) {
    let requests = [
        format!("GET / HTTP/1.1\r\nauthorization: Bearer {WRONG_KEY}\r\nbad header {CREDENTIAL}\r\n\r\n"),
        format!("{PAYLOAD}\r\n\r\n"),
        format!(
            "POST /api/v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN_KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{PAYLOAD}\r\n"
        ),
        format!(
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: {PAYLOAD}\r\nauthorization: Bearer {WRONG_KEY}\r\n\r\n"
        ),
    ];
    for request in requests {
        let mut stream = raw::connect(server.address());
        // It may be refused before all of it is written.
        drop(stream.write_all(request.as_bytes()));
        let status = raw::status(&mut stream);
        assert!(status.is_none_or(|status| status >= 400), "{status:?} to {request}");
    }
}
