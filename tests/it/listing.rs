//! Lists: bare arrays, newest first, with filters, and pages that together show everything exactly once.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, query, text};
use crate::support::receiver::Receiver;
use crate::support::server::Server;

/// Subscribes as many hooks, and returns their ids, newest first.
fn subscribe_many(api: &Api, count: usize) -> Vec<String> {
    let subscribe = |n: usize| api.subscribe(&format!("https://example.com/{n}"), "new_lead").id;
    let mut ids: Vec<String> = (0..count).map(subscribe).collect();
    ids.reverse();
    ids
}

fn ids(values: &[Value]) -> Vec<&str> {
    values.iter().map(|value| text(value, "id")).collect()
}

#[test]
fn hooks_are_a_bare_array_newest_first_without_secrets() {
    let server = Server::start();
    let expected = subscribe_many(&server.api(), 5);

    let reply = server.api().get("/api/v1/hooks");

    let hooks: Vec<Value> = reply.expect(200);
    assert_eq!(ids(&hooks), expected);
    assert!(hooks.iter().all(|hook| hook.get("secret").is_none() && hook["active"] == true));
    assert_eq!(reply.header("link"), None);
    assert!(!server.api().get(&format!("/api/v1/hooks/{}", expected[0])).text().contains("whsec_"));
}

#[test]
fn without_hooks_the_list_is_empty() {
    let server = Server::start();

    assert_eq!(server.api().get("/api/v1/hooks").expect::<Value>(200), json!([]));
}

#[test]
fn filters_of_hooks_narrow_the_list() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([410]);
    let active = api.subscribe("https://example.com/?a=1&b=2", "new_lead");
    let paused = api.subscribe("https://example.com/?a=1&b=2", "new_message");
    let gone = api.subscribe(&receiver.url("/"), "agent_created");
    api.pause(&paused.id);
    api.emit("agent_created", &json!(1));
    api.wait_for_hook(&gone.id, "it is deactivated", |hook| hook.status == "deactivated");

    let list = |pairs: &[(&str, &str)]| -> Vec<String> {
        let hooks: Vec<Hook> = api.get(&format!("/api/v1/hooks{}", query(pairs))).expect(200);
        hooks.into_iter().map(|hook| hook.id).collect()
    };

    let (active, paused, gone) = (active.id.as_str(), paused.id.as_str(), gone.id.as_str());
    assert_eq!(list(&[("url", "https://example.com/?a=1&b=2")]), [paused, active]);
    assert_eq!(list(&[("url", "https://EXAMPLE.com:443/?a=1&b=2"), ("event", "new_lead")]), [active]);
    assert_eq!(list(&[("event", "new_message")]), [paused]);
    assert_eq!(list(&[("active", "true")]), [active]);
    assert_eq!(list(&[("active", "false")]), [gone, paused]);
    assert_eq!(list(&[("status", "active")]), [active]);
    assert_eq!(list(&[("status", "paused")]), [paused]);
    assert_eq!(list(&[("status", "deactivated")]), [gone]);
    assert_eq!(list(&[("event", "new_lead"), ("status", "paused")]), [""; 0]);
}

#[test]
fn the_pages_of_hooks_show_each_of_them_once() {
    let server = Server::start();
    let expected = subscribe_many(&server.api(), 10);

    for (limit, pages_wanted) in [(1, 10), (3, 4), (5, 2), (9, 2), (10, 1), (1000, 1)] {
        let pages = server.api().pages(&format!("/api/v1/hooks?limit={limit}"));

        assert_eq!(pages.len(), pages_wanted, "limit={limit}");
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(ids(&pages.concat()), expected, "limit={limit}");
    }
}

#[test]
fn pages_keep_their_filter_and_their_place() {
    let server = Server::start();
    let api = server.api();
    let leads = subscribe_many(&api, 4);
    for n in 0..4 {
        api.subscribe(&format!("https://example.com/{n}"), "new_message");
    }

    let first = api.get("/api/v1/hooks?event=new_lead&limit=2");
    api.subscribe("https://example.com/newer", "new_lead");
    api.unsubscribe(&leads[0]);
    let second = api.get(&first.next_page().expect("there is more"));

    assert_eq!(ids(&first.expect::<Vec<Value>>(200)), leads[..2]);
    assert_eq!(second.next_page(), None);
    assert_eq!(ids(&second.expect::<Vec<Value>>(200)), leads[2..]);
}

#[test]
fn a_list_has_fifty_entries_unless_told() {
    let server = Server::start();
    let expected = subscribe_many(&server.api(), 51);

    let reply = server.api().get("/api/v1/hooks");

    assert!(reply.header("link").is_some_and(|link| link.contains(r#"rel="next""#)));
    assert_eq!(ids(&reply.expect::<Vec<Value>>(200)), expected[..50]);
    assert_eq!(ids(&server.api().pages("/api/v1/hooks").concat()), expected);
}

#[test]
fn a_bad_filter_or_limit_is_refused_or_bounded_but_never_obeyed() {
    let server = Server::start();
    let api = server.api();
    subscribe_many(&api, 3);

    for bad in
        ["limit=abc", "limit=-1", "limit=1.5", "status=bogus", "active=perhaps", "limit=99999999999999999999"]
    {
        let reply = api.get(&format!("/api/v1/hooks?{bad}"));
        assert!(matches!(reply.status, 400 | 422), "{bad}: {}", reply.describe());
        reply.refused(reply.status);
    }
    for out_of_bounds in ["limit=0", "limit=1001"] {
        let reply = api.get(&format!("/api/v1/hooks?{out_of_bounds}"));
        assert!(matches!(reply.status, 200 | 400 | 422), "{out_of_bounds}: {}", reply.describe());
    }
}

#[test]
fn accounts_and_keys_are_listed_in_pages_too() {
    let server = Server::start();
    let api = server.api();
    for n in 0..4 {
        api.account(&format!("account-{n}"));
    }

    let accounts = api.pages("/api/v1/accounts?limit=2").concat();
    let keys = api.pages("/api/v1/keys?limit=3").concat();

    assert_eq!(ids(&accounts), ["account-3", "account-2", "account-1", "account-0", "default"]);
    let mut key_ids = ids(&keys);
    key_ids.sort_unstable();
    key_ids.dedup();
    assert_eq!(key_ids.len(), keys.len());
    assert!(keys.len() >= 4);
}
