//! Accounts and keys: nobody sees another's hooks and events, and a key may do what its scopes say and no more.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, JSON, text};
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Nobody listens there; these tests look at the hooks, not at what they get.
const URL: &str = "http://127.0.0.1:1/hook";

#[test]
fn an_event_reaches_the_hooks_of_its_own_account_alone() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let (of_acme, of_globex) = (Receiver::answering([200]), Receiver::answering([200]));
    acme.subscribe(&of_acme.url("/"), "new_lead");
    globex.subscribe(&of_globex.url("/"), "new_lead");

    let first = acme.emit("new_lead", &json!("for acme"));
    let second = globex.emit("new_lead", &json!("for globex"));

    assert_eq!((first.matched, second.matched), (1, 1));
    of_acme.wait_for(1);
    of_globex.wait_for(1);
    assert_eq!(of_acme.webhook_ids(), [first.id]);
    assert_eq!(of_globex.webhook_ids(), [second.id]);
}

#[test]
fn a_list_shows_the_hooks_of_its_own_account_alone() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));

    let mine = acme.subscribe(URL, "new_lead");
    let theirs = globex.subscribe(URL, "new_lead");

    assert_ne!(mine.id, theirs.id);
    assert_eq!(acme.hooks().iter().map(|hook| &hook.id).collect::<Vec<_>>(), [&mine.id]);
    assert_eq!(globex.hooks().iter().map(|hook| &hook.id).collect::<Vec<_>>(), [&theirs.id]);
}

#[test]
fn another_accounts_hook_answers_exactly_as_an_unknown_one() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let theirs = globex.subscribe(URL, "new_lead");
    let unknown = format!("hook_{}", "0".repeat(27));
    let calls: [(&str, &str, Option<&str>); 10] = [
        ("GET", "/api/v1/hooks/ID", None),
        ("GET", "/api/v1/hooks/ID/deliveries", None),
        ("POST", "/api/v1/hooks/ID/pause", Some("")),
        ("POST", "/api/v1/hooks/ID/resume", Some("")),
        ("POST", "/api/v1/hooks/ID/test", Some("")),
        ("POST", "/api/v1/hooks/ID/rotate-secret", Some("{}")),
        ("POST", "/api/v1/hooks/ID/replay", Some("{}")),
        ("DELETE", "/api/v1/hooks/subscribe?id=ID", None),
        ("DELETE", "/api/v1/hooks/subscribe", Some(r#"{"id":"ID"}"#)),
        ("DELETE", "/api/v1/hooks/ID", None),
    ];

    for (method, path, body) in calls {
        let answer = |id: &str| call_without_traces(&acme, method, path, body, id);
        assert_eq!(answer(&theirs.id), answer(&unknown), "{method} {path}");
    }
    assert_eq!(globex.hook(&theirs.id).status, "active");
}

#[test]
fn another_accounts_event_answers_exactly_as_an_unknown_one() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let theirs = globex.emit("new_lead", &json!("a secret of theirs"));
    let unknown = format!("evt_{}", "0".repeat(27));

    for (method, path, body) in
        [("GET", "/api/v1/events/ID", None), ("POST", "/api/v1/events/ID/replay", Some("{}"))]
    {
        let answer = |id: &str| call_without_traces(&acme, method, path, body, id);
        assert_eq!(answer(&theirs.id), answer(&unknown), "{method} {path}");
    }
    assert!(!acme.get("/api/v1/events").text().contains("secret of theirs"));
}

#[test]
fn a_key_may_do_what_its_scopes_say() {
    let server = Server::start();
    let admin = server.api();
    let wish = json!({"url": URL, "event": "new_lead"});
    let event = json!({"event": "new_lead", "data": 1});

    let hooks = admin.key_of("acme", &["hooks"]);
    let events = admin.key_of("acme", &["events"]);
    let both = admin.key_of("acme", &["hooks", "events"]);

    assert_eq!(hooks.subscribing(&wish).status, 201);
    hooks.emitting(&event).refused(403);
    assert_eq!(events.emitting(&event).status, 202);
    events.subscribing(&wish).refused(403);
    events.get("/api/v1/hooks").refused(403);
    events.delete_with("/api/v1/hooks/subscribe", &json!({"url": URL})).refused(403);
    assert_eq!((both.get("/api/v1/hooks").status, both.emitting(&event).status), (200, 202));
}

#[test]
fn accounts_and_keys_are_for_admins() {
    let server = Server::start();
    let api = server.api().account("acme");

    api.get("/api/v1/accounts").refused(403);
    api.post("/api/v1/accounts", &json!({"id": "mine"})).refused(403);
    api.get("/api/v1/keys").refused(403);
    api.post("/api/v1/keys", &json!({"account": "acme", "scopes": ["admin"]})).refused(403);
    api.delete(&format!("/api/v1/keys/key_{}", "0".repeat(27))).refused(403);
}

#[test]
fn an_account_is_made_once() {
    let server = Server::start();

    let made: Value = server.api().post("/api/v1/accounts", &json!({"id": "acme"})).expect(201);
    let again: Value = server.api().post("/api/v1/accounts", &json!({"id": "acme"})).expect(200);
    let unnamed: Value = server.api().post("/api/v1/accounts", &json!({})).expect(201);

    assert_eq!((text(&made, "id"), text(&again, "id")), ("acme", "acme"));
    let accounts: Vec<Value> = server.api().get("/api/v1/accounts").expect(200);
    let ids: Vec<&str> = accounts.iter().map(|account| text(account, "id")).collect();
    assert_eq!(ids.len(), 3);
    for id in ["default", "acme", text(&unnamed, "id")] {
        assert!(ids.contains(&id), "no {id} in {ids:?}");
    }
}

#[test]
fn an_account_id_that_cannot_be_one_is_refused() {
    let server = Server::start();

    for id in [json!(""), json!("a b"), json!("a/b"), json!("ä"), json!("a".repeat(129)), json!(7)] {
        server.api().post("/api/v1/accounts", &json!({"id": id})).refused(422);
    }
}

#[test]
fn a_key_is_shown_once_and_never_stored_in_clear() {
    let server = Server::start();
    server.api().account("acme");

    let wish = json!({"account": "acme", "scopes": ["hooks"], "name": "of the crm"});
    let made: Value = server.api().post("/api/v1/keys", &wish).expect(201);

    let key = text(&made, "key");
    let random = key.strip_prefix("fp_").expect("the documented prefix");
    assert!(random.len() >= 32 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    let listed = server.api().get("/api/v1/keys");
    assert!(!listed.text().contains(random));
    let keys: Vec<Value> = listed.expect(200);
    let shown = keys.iter().find(|shown| shown["id"] == made["id"]).expect("the list has it");
    assert!(text(shown, "id").starts_with("key_"));
    assert_eq!((text(shown, "account"), text(shown, "name")), ("acme", "of the crm"));
    assert_eq!((&shown["scopes"], &shown["last_used_at"]), (&json!(["hooks"]), &Value::Null));
    assert!(!any_file_contains(&server.data_dir(), random.as_bytes()));
}

#[test]
fn a_key_needs_an_account_and_scopes_that_exist() {
    let server = Server::start();
    let post = |wish: Value| server.api().post("/api/v1/keys", &wish);

    post(json!({"account": "default", "scopes": ["everything"]})).refused(422);
    post(json!({"account": "default", "scopes": "hooks"})).refused(422);
    post(json!({"account": "default"})).refused(422);
    let unknown = post(json!({"account": "nobody", "scopes": ["hooks"]}));
    assert!(matches!(unknown.status, 404 | 422), "{}", unknown.describe());
}

#[test]
fn a_revoked_key_is_worth_nothing_from_then_on() {
    let mut server = Server::start();
    let wish = json!({"account": "default", "scopes": ["hooks"]});
    let made: Value = server.api().post("/api/v1/keys", &wish).expect(201);
    let key = text(&made, "key").to_owned();
    assert_eq!(server.api_with_key(&key).get("/api/v1/hooks").status, 200);

    let revoked = server.api().delete(&format!("/api/v1/keys/{}", text(&made, "id")));

    assert!((200..300).contains(&revoked.status), "{}", revoked.describe());
    server.api_with_key(&key).get("/api/v1/hooks").refused(401);
    server.kill();
    server.restart();
    server.api_with_key(&key).get("/api/v1/hooks").refused(401);
}

#[test]
fn accounts_and_keys_survive_a_kill() {
    let mut server = Server::start();
    let wish = json!({"account": "default", "scopes": ["hooks"]});
    server.api().account("acme");
    let made: Value = server.api().post("/api/v1/keys", &wish).expect(201);

    server.kill();
    server.restart();

    assert_eq!(server.api_with_key(text(&made, "key")).get("/api/v1/hooks").status, 200);
    assert_eq!(server.api().post("/api/v1/accounts", &json!({"id": "acme"})).status, 200);
}

#[test]
fn without_an_admin_key_one_is_made_and_kept_in_a_private_file() {
    let mut server = Server::start_with(Settings::quick().unset("admin_key"));
    let file = server.data_dir().join("admin-key");

    let key = fs::read_to_string(&file).expect("the file is there").trim().to_owned();

    assert_eq!(fs::metadata(&file).expect("the file is there").permissions().mode() & 0o777, 0o600);
    assert!(key.starts_with("fp_"));
    assert_eq!(server.api_with_key(&key).get("/api/v1/accounts").status, 200);
    until("it says where the key is", || server.printed().contains("admin-key"));
    let said = format!("{}{}", server.printed(), server.complaints());
    assert!(!said.contains(&key), "{said}");

    server.kill();
    server.restart();
    assert_eq!(fs::read_to_string(&file).expect("the file is there").trim(), key);
    assert_eq!(server.api_with_key(&key).get("/api/v1/accounts").status, 200);
}

#[test]
fn an_admin_may_act_for_any_account() {
    let server = Server::start();
    let (admin, acme) = (server.api(), server.api().account("acme"));

    let by_field: Hook =
        admin.subscribing(&json!({"url": URL, "event": "new_lead", "account": "acme"})).expect(201);
    let by_query: Hook = admin
        .post("/api/v1/hooks/subscribe?account=acme", &json!({"url": URL, "event": "new_message"}))
        .expect(201);

    let mut ids: Vec<String> = acme.hooks().into_iter().map(|hook| hook.id).collect();
    let mut expected = vec![by_field.id, by_query.id];
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(admin.get("/api/v1/hooks?account=acme").expect::<Vec<Value>>(200).len(), 2);
    assert_eq!(admin.hooks(), []);
    let receipt: Value =
        admin.post("/api/v1/events?account=acme", &json!({"event": "new_lead", "data": 1})).expect(202);
    assert_eq!(receipt["matched"], 1);
}

#[test]
fn naming_another_account_gives_a_plain_key_nothing() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let theirs = globex.subscribe(URL, "new_lead");

    let listed = acme.get("/api/v1/hooks?account=globex");
    acme.subscribing(&json!({"url": URL, "event": "new_message", "account": "globex"}));
    acme.delete_with("/api/v1/hooks/subscribe", &json!({"url": URL, "account": "globex"}));
    acme.delete(&format!("/api/v1/hooks/{}?account=globex", theirs.id));

    assert!(!listed.text().contains(&theirs.id), "{}", listed.describe());
    assert_eq!(globex.hooks().iter().map(|hook| &hook.id).collect::<Vec<_>>(), [&theirs.id]);
}

/// Status and body of a call about `id`, without the id and the request's own id.
fn call_without_traces(api: &Api, method: &str, path: &str, body: Option<&str>, id: &str) -> (u16, String) {
    let body = body.map(|body| body.replace("ID", id));
    let headers = if body.as_ref().is_some_and(|body| !body.is_empty()) { JSON } else { &[] };
    let reply = api.send(method, &path.replace("ID", id), headers, body.as_deref().map(str::as_bytes));
    let mut text = reply.text().replace(id, "ID");
    if let Some(request_id) = reply.header("x-request-id") {
        text = text.replace(request_id, "REQUEST");
    }
    (reply.status, text)
}

fn any_file_contains(directory: &Path, needle: &[u8]) -> bool {
    fs::read_dir(directory).expect("a directory").any(|entry| {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            return any_file_contains(&path, needle);
        }
        fs::read(&path).expect("a readable file").windows(needle.len()).any(|window| window == needle)
    })
}
