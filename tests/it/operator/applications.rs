//! Applications: accounts as the operator's API shows them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

use super::{Operator, application, not_found, of_page};

#[test]
fn an_application_is_an_account_and_the_other_way_round() {
    let (server, operator) = application();
    let acme = operator.get("/api/v1/app/acme");
    assert_eq!((text(&acme, "name"), text(&acme, "uid")), ("Acme", "acme"));
    assert!(text(&acme, "id").starts_with("app_") && text(&acme, "id").len() == 31);
    let accounts: Vec<Value> = server.api().get("/api/v1/accounts").expect(200);
    assert!(accounts.iter().any(|account| text(account, "id") == "acme"));

    let made: Value = server.api().post("/api/v1/accounts", &json!({"id": "shop"})).expect(201);
    let shop = operator.get("/api/v1/app/shop/");
    assert_eq!((text(&shop, "uid"), text(&made, "id")), ("shop", "shop"));
    assert_eq!(operator.get(&format!("/api/v1/app/{}", text(&shop, "id"))), shop);
}

#[test]
fn what_is_said_of_an_application_survives_a_kill() {
    let (mut server, operator) = application();
    let wish = json!({"name": "Shop", "uid": "shop", "throttleRate": 5, "metadata": {"plan": "pro"}});
    let made = operator.create("/api/v1/app", &wish);
    assert_eq!(
        (&made["throttleRate"], &made["rateLimit"], &made["metadata"]["plan"]),
        (&json!(5), &json!(5), &json!("pro"))
    );
    server.kill();
    server.restart();
    assert_eq!(Operator(server.api()).get("/api/v1/app/shop"), made);
}

#[test]
fn a_change_leaves_what_is_absent_and_clears_what_is_null() {
    let (_server, operator) = application();
    let wish = json!({"name": "Shop", "uid": "shop", "rateLimit": 5, "metadata": {"plan": "pro"}});
    let id = operator.create("/api/v1/app", &wish)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/app/{id}");
    let renamed = operator.patch(&path, &json!({"name": "Store"}));
    assert_eq!(
        (text(&renamed, "name"), text(&renamed, "uid"), &renamed["rateLimit"]),
        ("Store", "shop", &json!(5))
    );
    let cleared = operator.patch(&path, &json!({"uid": null, "rateLimit": null, "metadata": null}));
    assert_eq!(
        (cleared.get("uid"), cleared.get("rateLimit"), &cleared["metadata"]),
        (None, None, &json!({}))
    );
    assert_eq!(operator.refused(404, "GET", "/api/v1/app/gone", None), not_found());
    let replaced: Value = operator.put(&path, &json!({"name": "Shop", "uid": "acme-2"})).expect(200);
    assert_eq!((text(&replaced, "uid"), text(&replaced, "id")), ("acme-2", id.as_str()));
}

#[test]
fn a_name_is_taken_once() {
    let (_server, operator) = application();
    let wish = json!({"name": "Other", "uid": "acme"});
    let conflict = operator.refused(409, "POST", "/api/v1/app", Some(&wish));
    assert_eq!(conflict, ("conflict".into(), "An application with that id or uid already exists".into()));
    let known: Value = operator.call("POST", "/api/v1/app?get_if_exists=true", Some(&wish)).expect(200);
    assert_eq!(text(&known, "name"), "Acme");
    operator.create("/api/v1/app", &json!({"name": "Shop", "uid": "shop"}));
    let taken = operator.refused(409, "PATCH", "/api/v1/app/shop", Some(&json!({"uid": "acme"})));
    assert_eq!(taken.1, "A conflict has occurred");
    let made: Value = operator.put("/api/v1/app/unknown", &json!({"name": "New"})).expect(201);
    assert_eq!(made.get("uid"), None);
}

#[test]
fn a_deleted_application_is_gone_with_its_hooks_and_keys_and_its_name_is_free() {
    let (mut server, operator) = application();
    let key = server.api().key_of("acme", &["hooks", "events"]);
    let url = "http://127.0.0.1:9/";
    let hook = key.subscribe(url, "new_lead");
    operator.act("DELETE", "/api/v1/app/acme", None);
    assert_eq!(key.get("/api/v1/hooks").status, 401);
    assert_eq!(operator.refused(404, "DELETE", "/api/v1/app/acme", None), not_found());
    let made = operator.create("/api/v1/app", &json!({"name": "Acme again", "uid": "acme"}));
    server.kill();
    server.restart();
    let operator = Operator(server.api());
    assert_eq!(operator.get("/api/v1/app/acme"), made);
    let hooks: Vec<Value> = server.api().get("/api/v1/hooks?account=acme").expect(200);
    assert!(hooks.is_empty(), "{} of a deleted account", hook.id);
    assert_eq!(operator.refused(409, "DELETE", "/api/v1/app/default", None).0, "conflict");
}

#[test]
fn applications_are_listed_by_pages_in_both_directions() {
    let server = Server::start();
    let operator = Operator(server.api());
    for n in 0..5 {
        operator.create("/api/v1/app", &json!({"name": format!("n{n}")}));
    }
    let first = operator.get("/api/v1/app?limit=2");
    assert_eq!((of_page(&first, "name"), &first["done"]), (vec!["default", "n0"], &json!(false)));
    let second = operator.get(&format!("/api/v1/app?limit=2&iterator={}", text(&first, "iterator")));
    assert_eq!(of_page(&second, "name"), ["n1", "n2"]);
    let back = operator.get(&format!("/api/v1/app?limit=2&iterator={}", text(&second, "prevIterator")));
    assert_eq!((of_page(&back, "name"), &back["done"]), (vec!["default", "n0"], &json!(true)));
    let newest = operator.get("/api/v1/app?limit=2&order=descending");
    assert_eq!(of_page(&newest, "name"), ["n4", "n3"]);
    let last = operator.get("/api/v1/app?limit=250");
    assert_eq!((last["data"].as_array().unwrap().len(), &last["done"]), (6, &json!(true)));
    let none = operator.get("/api/v1/app?limit=0");
    assert_eq!(
        (&none["data"], &none["iterator"], none.get("prevIterator")),
        (&json!([]), &Value::Null, None)
    );
}

#[test]
fn what_is_wrong_with_an_application_is_told_with_its_place() {
    let (_server, operator) = application();
    let faults = |body: Value| operator.faults("POST", "/api/v1/app", &body);
    let one = |place: &str, why: &str| vec![(place.to_owned(), why.to_owned())];
    assert_eq!(
        faults(json!({"name": ""})),
        one("body.name", "Application names must be at least one character")
    );
    assert_eq!(
        faults(json!({"name": "a", "rateLimit": 0})),
        one("body.rate_limit", "Application rate limits must be at least 1 if set")
    );
    let prefix = "Uids are not allowed to have the same prefix as the ID. Prefix with _?";
    assert_eq!(faults(json!({"name": "a", "uid": "app_1"})), one("body.uid.__all__", prefix));
    assert_eq!(
        faults(json!({"name": "a", "uid": ""})),
        one("body.uid.__all__", "String must be at least one character")
    );
    assert_eq!(faults(json!({})), one("body..", "missing field `name` at line 1 column 2"));
    let wrong = "name: invalid type: integer `5`, expected a string at line 1 column 9";
    assert_eq!(faults(json!({"name": 5})), one("body.name", wrong));
    let big = json!({"name": "a", "metadata": {"k": "x".repeat(5_000)}});
    assert!(faults(big)[0].1.starts_with("metadata: metadata must be less than or equal to 4096 bytes"));
    let path = "/api/v1/app?limit=251";
    assert_eq!(
        operator.faults("GET", path, &json!({})),
        one("query.limit.limit", "Given limit must not exceed 250")
    );
    let query = ("generic_error".to_owned(), "Failed to deserialize query string".to_owned());
    for path in ["/api/v1/app?limit=x", "/api/v1/app?limit=-1", "/api/v1/app?order=sideways"] {
        assert_eq!(operator.refused(400, "GET", path, None), query, "{path}");
    }
}

#[test]
fn a_request_that_is_repeated_under_its_key_is_answered_as_before() {
    let (server, _) = application();
    let create = |key: &str, name: &str| -> Value {
        let body = json!({"name": name}).to_string();
        let headers = [("idempotency-key", key)];
        server.api().send("POST", "/api/v1/app", &headers, Some(body.as_bytes())).expect(201)
    };
    let first = create("once", "First");
    assert_eq!(create("once", "Second"), first);
    assert_ne!(create("twice", "First"), first);
}

#[test]
fn all_endpoints_of_an_application_together_get_no_more_than_its_rate() {
    let (mut server, operator) = application();
    operator.patch("/api/v1/app/acme", &json!({"throttleRate": 20}));
    operator.create("/api/v1/app", &json!({"name": "Shop", "uid": "shop"}));
    let (receiver, other) = (Receiver::answering([200]), Receiver::answering([200]));
    for path in ["/a", "/b", "/c", "/d"] {
        operator.endpoint("acme", &json!({"url": receiver.url(path)}));
    }
    operator.endpoint("shop", &json!({"url": other.url("/")}));
    let message = json!({"eventType": "new_lead", "payload": {"n": 1}});
    for _ in 0..10 {
        operator.send("acme", &message);
        operator.send("shop", &message);
    }
    other.wait_for(10);
    assert!(receiver.count() < 40, "the other application's waited for them");

    let requests = receiver.wait_for(40);
    // Two at once, and then one each 50 ms.
    let whole = requests[39].arrived - requests[0].arrived;
    assert!(whole >= Duration::from_millis(37 * 50 - 200), "forty within {whole:?}");
    for path in ["/a", "/b", "/c", "/d"] {
        assert_eq!(requests.iter().filter(|request| request.target == path).count(), 10);
    }

    // The rate outlives a kill, and can be lifted.
    operator.patch("/api/v1/app/acme", &json!({"throttleRate": 1}));
    server.kill();
    server.restart();
    let operator = Operator(server.api());
    for _ in 0..10 {
        operator.send("acme", &message);
    }
    receiver.wait_for(42);
    assert!(receiver.count() < 60, "{} of eighty", receiver.count());
    operator.patch("/api/v1/app/acme", &json!({"throttleRate": null}));
    receiver.wait_for(80);
}
