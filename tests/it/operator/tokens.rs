//! Tokens: who may do what, and what an application's own token never sees.

use serde_json::{Value, json};

use crate::support::api::text;

use crate::support::server::Server;
use crate::support::settings::Settings;

use super::{Operator, application, not_found};

const SECRET: &str = "the-secret-of-another-server";

/// A token as Svix's server makes them: HS256 over these claims.
fn token(claims: &Value, secret: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use hmac::{Hmac, KeyInit, Mac};
    let signed =
        format!("{}.{}", BASE64.encode(r#"{"typ":"JWT","alg":"HS256"}"#), BASE64.encode(claims.to_string()));
    let mac =
        Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    format!("{signed}.{}", BASE64.encode(mac.chain_update(&signed).finalize().into_bytes()))
}

#[test]
fn a_visitor_without_a_token_is_told_so() {
    let (server, _) = application();
    for caller in [server.anonymous(), server.api_with_key("fp_unknown")] {
        let refused: Value = caller.get("/api/v1/app").expect(401);
        assert_eq!(refused, json!({"code": "authentication_failed", "detail": "Invalid token"}));
    }
}

#[test]
fn a_page_from_anywhere_may_call_with_a_token() {
    let (server, operator) = application();
    let origin = ("origin", "https://portal.example");
    let asking = [
        origin,
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let allowed = server.anonymous().send("OPTIONS", "/api/v1/app/acme", &asking, None);
    assert_eq!(allowed.status, 200, "{}", allowed.describe());
    assert_eq!(allowed.header("access-control-allow-origin"), Some("*"));
    assert_eq!(allowed.header("access-control-max-age"), Some("600"));
    let methods = allowed.header("access-control-allow-methods").expect("it names them");
    assert!(methods.split([',', ' ']).any(|method| method == "PATCH"), "{methods}");
    let headers = allowed.header("access-control-allow-headers").expect("it names them");
    assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
    let shown = operator.0.send("GET", "/api/v1/app/acme", &[origin], None);
    assert_eq!((shown.status, shown.header("access-control-allow-origin")), (200, Some("*")));
    let unknown = server.anonymous().send("GET", "/api/v1/app/acme", &[origin], None);
    assert_eq!((unknown.status, unknown.header("access-control-allow-origin")), (401, Some("*")));
    assert_eq!(server.anonymous().send("OPTIONS", "/api/v1/hooks", &asking, None).status, 405);
}

#[test]
fn a_path_that_leads_nowhere_is_refused_as_all_others_are() {
    let (_server, operator) = application();
    for path in ["/api/v1/app/acme/nothing", "/api/v1/auth/nothing", "/api/v1/event-type/a/nothing"] {
        assert_eq!(operator.refused(404, "GET", path, None), not_found(), "{path}");
    }
}

#[test]
fn an_applications_token_sees_its_own_application_alone() {
    let (server, operator) = application();
    operator.create("/api/v1/app", &json!({"name": "Other", "uid": "other"}));
    let own = Operator(server.api().key_of("acme", &["hooks", "events"]));
    assert_eq!(text(&own.get("/api/v1/app/acme"), "uid"), "acme");
    let endpoint = own.endpoint("acme", &json!({"url": "http://127.0.0.1:9/"}));
    let message = own.send("acme", &json!({"eventType": "a", "payload": {}}));
    for path in [
        "/api/v1/app/other".to_owned(),
        "/api/v1/app/other/endpoint".to_owned(),
        format!("/api/v1/app/other/endpoint/{endpoint}"),
        "/api/v1/app/other/msg".to_owned(),
        format!("/api/v1/app/other/msg/{}", text(&message, "id")),
        "/api/v1/app/unknown".to_owned(),
    ] {
        assert_eq!(own.refused(404, "GET", &path, None), not_found(), "{path}");
    }
    let body = json!({"name": "a", "description": "b", "eventType": "c", "payload": {}});
    let denied =
        ("insufficient access".to_owned(), "Insufficient access for the given operation.".to_owned());
    for (method, path) in [
        ("GET", "/api/v1/app"),
        ("POST", "/api/v1/app"),
        ("PUT", "/api/v1/app/acme"),
        ("PATCH", "/api/v1/app/acme"),
        ("DELETE", "/api/v1/app/acme"),
        ("POST", "/api/v1/event-type"),
        ("DELETE", "/api/v1/event-type/new_lead"),
    ] {
        assert_eq!(own.refused(403, method, path, Some(&body)), denied, "{method} {path}");
    }
    // What belongs to one application is not found through another, not even by the organisation.
    let elsewhere = format!("/api/v1/app/other/endpoint/{endpoint}");
    assert_eq!(operator.refused(404, "GET", &elsewhere, None), not_found());
    let elsewhere = format!("/api/v1/app/other/msg/{}", text(&message, "id"));
    assert_eq!(operator.refused(404, "GET", &elsewhere, None), not_found());
}

#[test]
fn a_key_that_may_only_emit_manages_no_endpoints() {
    let (server, _) = application();
    let emitter = Operator(server.api().key_of("acme", &["events"]));
    emitter.send("acme", &json!({"eventType": "a", "payload": {}}));
    assert_eq!(emitter.refused(403, "GET", "/api/v1/app/acme/endpoint", None).0, "insufficient access");
    let manager = Operator(server.api().key_of("acme", &["hooks"]));
    manager.get("/api/v1/app/acme/endpoint");
    let message = json!({"eventType": "a", "payload": {}});
    assert_eq!(manager.refused(403, "POST", "/api/v1/app/acme/msg", Some(&message)).0, "insufficient access");
}

#[test]
fn the_tokens_of_another_server_count_here_once_its_secret_is_given() {
    let server = Server::start_with(Settings::quick().set("operator.jwt_secret", &format!("{SECRET:?}")));
    let with = |token: String| Operator(server.api_with_key(&token));
    let far = 4_102_444_800_u64;
    let organisation =
        json!({"iss": "svix-server", "sub": "org_23rb8YdGqMT0qIzpgGwdXfHirMu", "iat": 1, "exp": far});
    let operator = with(token(&organisation, SECRET));
    let acme = operator.create("/api/v1/app", &json!({"name": "Acme", "uid": "acme"}));
    operator.create("/api/v1/app", &json!({"name": "Other", "uid": "other"}));
    let own = with(token(&json!({"sub": text(&acme, "id"), "org": "org_1", "exp": far}), SECRET));
    own.endpoint("acme", &json!({"url": "http://127.0.0.1:9/"}));
    assert_eq!(own.refused(404, "GET", "/api/v1/app/other", None), not_found());
    assert_eq!(own.refused(403, "GET", "/api/v1/app", None).0, "insufficient access");
    let over = json!({"sub": "org_1", "exp": 1_000_000_000});
    for wrong in [
        token(&organisation, "another secret"),
        token(&over, SECRET),
        token(&json!({"sub": "user_1"}), SECRET),
    ] {
        assert_eq!(with(wrong).refused(401, "GET", "/api/v1/app", None).0, "authentication_failed");
    }
    // It is easily taken for a token.
    let (code, detail) = with(SECRET.to_owned()).refused(401, "GET", "/api/v1/app", None);
    assert_eq!(code, "authentication_failed");
    assert!(detail.starts_with("This is the secret that tokens are signed with"), "{detail}");
    // Without the secret, nobody's token counts.
    let (server, _) = application();
    let stranger = Operator(server.api_with_key(&token(&organisation, SECRET)));
    stranger.refused(401, "GET", "/api/v1/app", None);
}

#[test]
fn a_token_for_one_application_is_made_and_survives_a_kill() {
    let (mut server, operator) = application();
    operator.create("/api/v1/app", &json!({"name": "Other", "uid": "other"}));
    operator
        .create("/api/v1/event-type", &json!({"name": "zz.beta", "description": "", "featureFlag": "beta"}));
    let access = |application: &str, body: Value| -> Value {
        operator
            .call("POST", &format!("/api/v1/auth/app-portal-access/{application}"), Some(&body))
            .expect(200)
    };
    let plain = access("acme", json!({}));
    let flagged = access("acme", json!({"featureFlags": ["beta"]}));
    server.kill();
    server.restart();
    let with = |access: &Value| Operator(server.api_with_key(text(access, "token")));
    let own = with(&plain);
    own.endpoint("acme", &json!({"url": "http://127.0.0.1:9/"}));
    own.get("/api/v1/app/acme/msg");
    own.refused(403, "POST", "/api/v1/app/acme/msg", Some(&json!({"eventType": "a", "payload": {}})));
    assert_eq!(own.refused(404, "GET", "/api/v1/app/other/endpoint", None), not_found());
    own.refused(404, "GET", "/api/v1/event-type/zz.beta", None);
    assert_eq!(text(&with(&flagged).get("/api/v1/event-type/zz.beta"), "name"), "zz.beta");
    own.refused(403, "POST", "/api/v1/auth/app-portal-access/acme", Some(&json!({})));
    let nobody = Operator(server.api()).refused(
        404,
        "POST",
        "/api/v1/auth/app-portal-access/nobody",
        Some(&json!({})),
    );
    assert_eq!(nobody, not_found());
    let out = own.refused(501, "POST", "/api/v1/auth/logout", None);
    assert_eq!(out, ("not_implemented".into(), "This API endpoint is not yet implemented.".into()));
}

#[test]
fn a_hook_for_the_routers_own_events_is_nobodys_but_the_organisations() {
    let (server, operator) = application();
    let hook = server.api().subscribe("http://127.0.0.1:9/", "hookyard.hook_deactivated");
    let path = format!("/api/v1/app/default/endpoint/{}", hook.id.replacen("hook_", "ep_", 1));
    operator.get(&path);
    let own = Operator(server.api().key_of("default", &["hooks", "events"]));
    let elsewhere = json!({"url": "http://127.0.0.1:9/mine"});
    for (method, path) in [
        ("GET", path.clone()),
        ("PUT", path.clone()),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("GET", format!("{path}/secret")),
        ("GET", format!("{path}/msg")),
    ] {
        assert_eq!(own.refused(404, method, &path, Some(&elsewhere)), not_found(), "{method} {path}");
    }
    let listed = own.get("/api/v1/app/default/endpoint");
    assert_eq!(listed["data"], json!([]));
}

#[test]
fn what_an_application_is_not_shown_leaves_no_holes_in_its_pages() {
    let (server, admin) = application();
    let own = Operator(server.api().key_of("acme", &["hooks"]));
    let url = |n: u8| json!(format!("http://127.0.0.1:9/{n}"));
    let first = own.endpoint("acme", &json!({"url": url(0)}));
    for n in 1..4 {
        let wish = json!({"url": url(n), "event": "hookyard.hook_deactivated", "account": "acme"});
        server.api().subscribing(&wish).expect::<Value>(201);
    }
    let last = own.endpoint("acme", &json!({"url": url(4)}));

    let page = |more: &str| own.get(&format!("/api/v1/app/acme/endpoint?limit=1&order=ascending{more}"));
    let ids =
        |page: &Value| page["data"].as_array().map(|data| data.iter().map(|one| one["id"].clone()).collect());
    let (beginning, expected) = (page(""), |id: &str| Some(vec![json!(id)]));
    assert_eq!((ids(&beginning), &beginning["done"]), (expected(&first), &json!(false)));
    let next = page(&format!("&iterator={}", text(&beginning, "iterator")));
    assert_eq!((ids(&next), &next["done"]), (expected(&last), &json!(true)));
    assert_eq!(admin.get("/api/v1/app/acme/endpoint")["data"].as_array().map(Vec::len), Some(5));
}
