//! The API's description of itself: it has every route, and every answer is as it says.

use serde_json::{Value, json};

use crate::support::api::{Api, JSON, Reply, text};
use crate::support::certificates::Authority;
use crate::support::document::{Document, Operation};
use crate::support::patience::{until, until_some};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// What a request holds at most, in these tests.
const REQUEST_LIMIT: usize = 2_000;
/// Statuses that are described and not provoked here, and why.
const UNPROVOKED: [(u16, &str); 2] = [
    (408, "the time that a body may take is half a minute"),
    (503, "those that only read refuse while the server shuts down"),
];
/// The same of one operation: a backup of so little is over before another begins; `backing_up` has a larger one.
const UNPROVOKED_ALONE: (&str, u16) = ("get_backup", 409);

fn start() -> Server {
    let limit = REQUEST_LIMIT.to_string();
    let limits = Settings::quick().set("limits.data_bytes", &limit).set("limits.request_bytes", &limit);
    // A single unknown key a second.
    let rates = ["rate_limits.unknown_keys_per_second", "rate_limits.unknown_keys_burst"];
    Server::start_with(rates.iter().fold(limits, |limits, key| limits.set(key, "1")))
}

/// A path with something in place of its variables.
fn filled(path: &str) -> String {
    path.replace("{id}", "000000000000000000000000000").replace("{n}", "1")
}

#[test]
fn the_document_has_the_routes_of_the_server() {
    let server = start();
    let document = Document::of(&server.api());

    for (path, methods) in document.paths() {
        let odd = server.api().send("PATCH", &filled(path), &[], None);
        odd.refused(405);
        let allowed = odd.header("allow").expect("a 405 says what is allowed").split(", ");
        let allowed: Vec<&str> = allowed.filter(|method| *method != "HEAD").collect();
        let described: Vec<String> = methods.keys().map(|method| method.to_uppercase()).collect();
        assert!(described.iter().all(|method| allowed.contains(&method.as_str())), "{path}: {allowed:?}");
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let taken = server.anonymous().send(method, &filled(path), &[], None).status != 405;
            assert_eq!(taken, described.contains(&method.to_owned()), "{method} {path}");
        }
    }
}

#[test]
fn what_is_answered_is_described_and_what_is_described_is_answered() {
    let server = start();
    let api = server.api();
    let document = Document::of(&api);

    for operation in document.operations() {
        refuse(&document, &server, &operation);
    }
    succeed_as_admin(&document, &api);
    succeed_with_hooks(&document, &api);
    succeed_with_events(&document, &api);
    succeed_without_key(&document, &server.anonymous());
    run_out_of_disk(&document);

    let mut unseen = document.unseen();
    unseen.retain(|(operation, status)| {
        (operation.as_str(), *status) != UNPROVOKED_ALONE
            && !UNPROVOKED.iter().any(|(known, _)| known == status)
    });
    assert!(unseen.is_empty(), "described, but never answered: {unseen:?}");
}

/// Provokes the refusals that operations share.
fn refuse(document: &Document, server: &Server, operation: &Operation<'_>) {
    let scopes = operation.scopes();
    if scopes.is_empty() {
        return;
    }
    let (admin, method, path) = (server.api(), operation.method.as_str(), filled(operation.path));
    let expect = |status: u16, reply: &Reply| {
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.describe());
        document.hold(method, &path, reply);
    };
    let described = |status: u16| operation.statuses().contains(&status);

    expect(401, &server.anonymous().send(method, &path, &[], None));
    let guess = || server.api_with_key("fp_of_nobody").send(method, &path, &[], None);
    expect(429, &until_some("it is tried too often", || Some(guess()).filter(|reply| reply.status == 429)));
    if described(403) {
        let (others, query) = match scopes.as_slice() {
            ["hooks"] => (&["events"][..], ""),
            ["events"] => (&["hooks"][..], ""),
            ["admin"] => (&["hooks", "events"][..], ""),
            // Those whom any scope lets in are kept to their own account.
            _ => (&["hooks", "events"][..], "?account=default"),
        };
        let stranger = admin.key_of("stranger", others);
        expect(403, &stranger.send(method, &format!("{path}{query}"), &[], None));
    }
    if operation.takes_body() {
        let send = |kind: &str, body: &[u8]| admin.send(method, &path, &[("content-type", kind)], Some(body));
        expect(400, &send("application/json", b"{"));
        expect(413, &send("application/json", &[b' '; REQUEST_LIMIT + 1]));
        expect(415, &send("text/plain", b"{}"));
        expect(422, &send("application/json", b"7"));
    }
    if described(404) {
        let body = document.example(operation).map(|mut body| {
            body["account"] = json!("nobody");
            body.to_string()
        });
        let headers = if body.is_some() { JSON } else { &[] };
        let nowhere = if operation.has_parameter("account") { "?event=new_lead&account=nobody" } else { "" };
        let body = body.as_ref().map(String::as_bytes);
        expect(404, &admin.send(method, &format!("{path}{nowhere}"), headers, body));
    }
    let wrong = [("account", "?account=%2F"), ("limit", "?limit=0")];
    let wrong = wrong.iter().find(|(parameter, _)| operation.has_parameter(parameter));
    if let Some((_, wrong)) = wrong.filter(|_| !operation.takes_body()) {
        expect(422, &admin.send(method, &format!("{path}{wrong}"), &[], None));
    }
}

fn succeed_as_admin(document: &Document, api: &Api) {
    let account = json!({"id": "acme"});
    let send = |method: &str, path: &str, body: Option<&Value>| document.send(api, method, path, body).status;
    assert_eq!(send("POST", "/api/v1/accounts", Some(&account)), 201);
    assert_eq!(send("POST", "/api/v1/accounts", Some(&account)), 200);
    assert_eq!(send("POST", "/api/v1/accounts", None), 201);
    assert_eq!(send("GET", "/api/v1/accounts?limit=1", None), 200);
    let retention = json!({"retention": "7d"});
    assert_eq!(send("PUT", "/api/v1/accounts/acme/retention", Some(&retention)), 200);
    let wish = json!({"account": "acme", "scopes": ["hooks"]});
    let key: Value = document.send(api, "POST", "/api/v1/keys", Some(&wish)).expect(201);
    assert_eq!(send("GET", "/api/v1/keys", None), 200);
    assert_eq!(send("GET", "/api/v1/backup", None), 200);
    assert_eq!(send("DELETE", &format!("/api/v1/keys/{}", text(&key, "id")), None), 200);
}

fn succeed_with_hooks(document: &Document, api: &Api) {
    let receiver = Receiver::answering([200]);
    let send = |method: &str, path: &str, body: Option<&Value>| document.send(api, method, path, body);
    let wish = json!({"url": receiver.url("/"), "event": "new_lead"});
    let hook: Value = send("POST", "/api/v1/hooks/subscribe", Some(&wish)).expect(201);
    assert_eq!(send("POST", "/api/v1/hooks/subscribe", Some(&wish)).status, 200);
    let path = format!("/api/v1/hooks/{}", text(&hook, "id"));
    for action in ["pause", "resume", "test", "rotate-secret"] {
        assert_eq!(send("POST", &format!("{path}/{action}"), None).status, 200, "{action}");
    }
    let headers = json!({"headers": {"x-tenant": "acme"}});
    assert_eq!(send("PUT", &format!("{path}/headers"), Some(&headers)).status, 200);
    let delivery = json!({"delivery": {"rate": 50, "retries": ["1s"], "timeout": "5s"}});
    assert_eq!(send("PUT", &format!("{path}/delivery"), Some(&delivery)).status, 200);
    for filter in [json!("@.a"), json!(null)] {
        let filter = json!({ "filter": filter });
        assert_eq!(send("PUT", &format!("{path}/filter"), Some(&filter)).status, 200);
    }
    let shy = json!({"url": "https://127.0.0.1:9/", "event": "new_lead"});
    let shy: Value = send("POST", "/api/v1/hooks/subscribe", Some(&shy)).expect(201);
    let certificate = format!("/api/v1/hooks/{}/client-certificate", text(&shy, "id"));
    let identity = Authority::new().certify("hookyard.example").wish();
    assert_eq!(send("PUT", &certificate, Some(&identity)).status, 200);
    assert_eq!(send("GET", &certificate, None).status, 200);
    assert_eq!(send("DELETE", &certificate, None).status, 200);
    assert_eq!(send("GET", "/api/v1/hooks?limit=1", None).status, 200);
    assert_eq!(send("GET", "/api/v1/hooks/sample?event=new_lead", None).status, 200);
    succeed_with_deliveries(document, api, &path);
    assert_eq!(send("GET", &format!("{path}/stats"), None).status, 200);
    assert_eq!(send("GET", "/api/v1/hooks/stats", None).status, 200);
    assert_eq!(send("DELETE", &path, None).status, 200);
    assert_eq!(send("DELETE", "/api/v1/hooks/subscribe", Some(&wish)).status, 200);
    refuse_the_deactivated(document, api);
}

fn succeed_with_deliveries(document: &Document, api: &Api, hook: &str) {
    let send = |method: &str, path: &str, body: Option<&Value>| document.send(api, method, path, body);
    let event = api.emit("new_lead", &json!({"a": [1, null]})).id;
    let deliveries: Vec<Value> = send("GET", &format!("{hook}/deliveries"), None).expect(200);
    let delivery = format!("/api/v1/deliveries/{}", text(&deliveries[0], "id"));
    until("it is delivered", || send("GET", &delivery, None).expect::<Value>(200)["status"] == "delivered");
    assert_eq!(send("GET", "/api/v1/deliveries?limit=1", None).status, 200);
    assert_eq!(send("GET", "/api/v1/events?limit=1", None).status, 200);
    assert_eq!(send("GET", &format!("/api/v1/events/{event}"), None).status, 200);
    assert_eq!(send("GET", "/api/v1/hooks/sample?event=new_lead", None).status, 200);
    assert_eq!(send("POST", &format!("{delivery}/retry"), None).status, 202);
    assert_eq!(send("POST", &format!("/api/v1/events/{event}/replay"), None).status, 202);
    assert_eq!(send("POST", &format!("{hook}/replay"), Some(&json!({"status": "all"}))).status, 202);
    let counted = json!({"status": "all", "dry_run": true});
    assert_eq!(send("POST", &format!("{hook}/replay"), Some(&counted)).status, 200);
    assert_eq!(send("DELETE", &format!("{delivery}/attempts/1/response"), None).status, 200);
    assert_eq!(send("DELETE", &format!("/api/v1/events/{event}/data"), None).status, 200);
    assert_eq!(send("GET", &format!("/api/v1/events/{event}"), None).status, 200);
}

/// Provokes what a deactivated hook is answered with, which shows when and why it was deactivated.
fn refuse_the_deactivated(document: &Document, api: &Api) {
    let receiver = Receiver::answering([410]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead").id;
    let event = api.emit("new_lead", &json!(1)).id;
    api.wait_for_hook(&hook, "the hook is deactivated", |hook| hook.status == "deactivated");
    let send = |method: &str, path: &str, body: Option<&Value>| document.send(api, method, path, body);
    assert_eq!(send("GET", &format!("/api/v1/hooks/{hook}"), None).status, 200);
    let deliveries: Vec<Value> = send("GET", &format!("/api/v1/hooks/{hook}/deliveries"), None).expect(200);
    let retry = format!("/api/v1/deliveries/{}/retry", text(&deliveries[0], "id"));
    assert_eq!(send("POST", &retry, None).status, 409);
    assert_eq!(send("POST", &format!("/api/v1/hooks/{hook}/replay"), None).status, 409);
    let replay = format!("/api/v1/events/{event}/replay");
    assert_eq!(send("POST", &replay, Some(&json!({"hook": hook}))).status, 409);
}

fn succeed_with_events(document: &Document, api: &Api) {
    let send = |method: &str, path: &str, body: Option<&Value>| document.send(api, method, path, body).status;
    let event = |data: u32| json!({"event": "new_lead", "data": data, "id": "once"});
    assert_eq!(send("POST", "/api/v1/events", Some(&event(1))), 202);
    assert_eq!(send("POST", "/api/v1/events", Some(&event(2))), 409);
    assert_eq!(send("POST", "/api/v1/events", Some(&json!([event(1), event(1)]))), 202);
    assert_eq!(send("GET", "/api/v1/event-types", None), 200);
}

fn succeed_without_key(document: &Document, anonymous: &Api) {
    for operation in document.operations().filter(|operation| operation.scopes().is_empty()) {
        assert_eq!(document.send(anonymous, "GET", operation.path, None).status, 200, "{}", operation.path);
    }
}

/// Provokes what a store that cannot write is answered with.
fn run_out_of_disk(document: &Document) {
    let server = Server::start();
    let api = server.api();
    server.fill_disk();
    let event = json!({"event": "new_lead", "data": "x".repeat(16_000)});
    let full = (0..500).any(|_| document.send(&api, "POST", "/api/v1/events", Some(&event)).status == 503);
    assert!(full, "the disk has room for everything");

    for operation in
        document.operations().filter(|operation| operation.takes_body() && operation.method == "POST")
    {
        let body = document.example(&operation);
        let reply = document.send(&api, "POST", &filled(operation.path), body.as_ref());
        assert!(matches!(reply.status, 404 | 503), "{}: {}", operation.path, reply.describe());
    }
    assert_eq!(document.send(&server.anonymous(), "GET", "/health/ready", None).status, 503);
}

#[test]
fn examples_are_accepted() {
    let server = start();
    let document = Document::of(&server.api());
    server.api().account("acme");

    for operation in document.operations() {
        let Some(example) = document.example(&operation).filter(|_| !operation.path.contains('{')) else {
            continue;
        };
        let reply = document.send(&server.api(), &operation.method, operation.path, Some(&example));
        assert!(reply.status < 300, "{}: {}", operation.id(), reply.describe());
    }
}

#[test]
fn the_documentation_is_a_page_that_fetches_nothing() {
    let server = start();
    let document = Document::of(&server.api());

    let page = server.anonymous().get("/docs");
    let text = page.text();

    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    for operation in document.operations() {
        assert!(text.contains(&format!("id=\"{}\"", operation.id())), "{} is missing", operation.id());
    }
    for loading in ["<script", "<link", "<img", "src=", "@import", "url("] {
        assert!(!text.contains(loading), "{loading}");
    }
    assert!(server.anonymous().get("/").text().contains("href=\"docs\""));
}
