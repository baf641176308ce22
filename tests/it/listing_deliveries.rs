//! Lists of deliveries: a hook's or the account's, newest first, narrowed by every filter, each delivery once.

use serde_json::{Value, json};

use crate::support::api::{Hook, query, text};
use crate::support::deliveries::{Delivery, OneOfEach};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const LIST: &str = "/api/v1/deliveries";

fn event_ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event_id.as_str()).collect()
}

fn event_ids_of(pages: &[Vec<Value>]) -> Vec<String> {
    pages.concat().iter().map(|delivery| text(delivery, "event_id").to_owned()).collect()
}

#[test]
fn lists_are_newest_first() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let expected = api.emit_in_order("new_lead", 0..10);

    assert_eq!(event_ids(&api.deliveries(&[])), expected);
    assert_eq!(event_ids(&api.deliveries_of(&hook.id, &[])), expected);
}

#[test]
fn a_list_without_deliveries_is_empty() {
    let server = Server::start();
    let hook = server.api().subscribe("https://example.com/", "new_lead");

    assert_eq!(server.api().get(LIST).expect::<Value>(200), json!([]));
    let of_the_hook = server.api().get(&format!("/api/v1/hooks/{}/deliveries", hook.id));
    assert_eq!(of_the_hook.expect::<Value>(200), json!([]));
}

#[test]
fn every_filter_narrows_the_list_of_the_account() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let each = OneOfEach::make(&api);
    let list = |filters: &[(&str, &str)]| -> Vec<String> {
        api.deliveries(filters).into_iter().map(|delivery| delivery.hook_id).collect()
    };

    assert_eq!(list(&[("status", "delivered")]), [each.delivered.id.as_str()]);
    assert_eq!(list(&[("status", "pending")]), [each.pending.id.as_str()]);
    assert_eq!(list(&[("status", "dead")]), [each.dead.id.as_str()]);
    assert_eq!(list(&[("hook", &each.pending.id)]), [each.pending.id.as_str()]);
    assert_eq!(list(&[("event", "new_message")]), [each.dead.id.as_str()]);
    assert_eq!(list(&[("event", "new_lead"), ("status", "delivered")]), [each.delivered.id.as_str()]);
    assert_eq!(list(&[("hook", &each.dead.id), ("event", "new_lead")]), [""; 0]);
    assert_eq!(list(&[("hook", &each.delivered.id), ("status", "dead")]), [""; 0]);
    assert_eq!(list(&[("limit", "1")]), [each.dead.id.as_str()]);
    let both = api.deliveries(&[("event", "new_lead")]);
    assert_eq!(event_ids(&both), [&each.lead, &each.lead]);
}

#[test]
fn every_filter_narrows_the_list_of_a_hook() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let each = OneOfEach::make(&api);
    let list = |hook: &Hook, filters: &[(&str, &str)]| -> Vec<String> {
        api.deliveries_of(&hook.id, filters).into_iter().map(|delivery| delivery.event_id).collect()
    };

    for (hook, status, event) in [
        (&each.delivered, "delivered", &each.lead),
        (&each.pending, "pending", &each.lead),
        (&each.dead, "dead", &each.message),
    ] {
        assert_eq!(list(hook, &[]), [event.as_str()], "{status}");
        for asked in ["delivered", "pending", "dead"] {
            let expected = if asked == status { vec![event.as_str()] } else { Vec::new() };
            assert_eq!(list(hook, &[("status", asked)]), expected, "{asked} of what is {status}");
        }
    }
    assert_eq!(list(&each.dead, &[("event", "new_message")]), [each.message.as_str()]);
    assert_eq!(list(&each.dead, &[("event", "new_lead")]), [""; 0]);
}

#[test]
fn since_and_until_narrow_the_list() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let [old, middle, new] = &api.deliver_at_three_times(&hook);
    let path = format!("/api/v1/hooks/{}/deliveries", hook.id);

    for list in [LIST, &path] {
        let shown = |filter: &str, at: &str| -> Vec<bool> {
            let pages = api.pages(&format!("{list}{}", query(&[(filter, at)])));
            let ids = event_ids_of(&pages);
            [old, middle, new].map(|delivery| ids.contains(&delivery.event_id)).to_vec()
        };
        assert_eq!(shown("since", "2000-01-01T00:00:00Z"), [true, true, true]);
        assert_eq!(shown("since", "2100-01-01T00:00:00Z"), [false, false, false]);
        assert_eq!(shown("until", "2000-01-01T00:00:00Z"), [false, false, false]);
        assert_eq!(shown("until", "2100-01-01T00:00:00+02:00"), [true, true, true]);
        // Whether a bound belongs to what it bounds is nobody's promise; what is on either side of it is.
        let (since, until) = (shown("since", &middle.created_at), shown("until", &middle.created_at));
        assert_eq!((since[0], since[2]), (false, true), "{list}");
        assert_eq!((until[0], until[2]), (true, false), "{list}");
    }
}

#[test]
fn the_pages_of_deliveries_show_each_of_them_once() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let expected = api.emit_in_order("new_lead", 0..10);
    let path = format!("/api/v1/hooks/{}/deliveries", hook.id);

    for list in [LIST, &path] {
        for (limit, pages_wanted) in [(1, 10), (3, 4), (5, 2), (9, 2), (10, 1), (1000, 1)] {
            let pages = api.pages(&format!("{list}?limit={limit}"));

            assert_eq!(pages.len(), pages_wanted, "{list} limit={limit}");
            assert!(pages.iter().all(|page| page.len() <= limit));
            assert_eq!(event_ids_of(&pages), expected, "{list} limit={limit}");
        }
    }
}

#[test]
fn the_deliveries_of_one_batch_to_many_hooks_are_paged_once_each() {
    let server = Server::start();
    let api = server.api();
    for n in 0..4 {
        let hook = api.subscribe(&format!("https://example.com/{n}"), "new_lead");
        api.pause(&hook.id);
    }
    let batch: Vec<Value> = (0..15).map(|n| json!({"event": "new_lead", "data": n})).collect();
    api.emit_all(&batch);

    let pages = api.pages(&format!("{LIST}?limit=7"));

    let mut ids: Vec<String> =
        pages.concat().iter().map(|delivery| text(delivery, "id").to_owned()).collect();
    assert_eq!(ids.len(), 60);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60);
}

#[test]
fn pages_keep_their_place_while_new_deliveries_arrive() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let expected = api.emit_in_order("new_lead", 0..9);
    let path = format!("/api/v1/hooks/{}/deliveries", hook.id);

    for list in [LIST, &path] {
        let before = api.get(list).expect::<Vec<Value>>(200).len();
        let mut visited = Vec::new();
        let mut next = Some(format!("{list}?limit=2"));
        while let Some(page) = next {
            let reply = api.get(&page);
            next = reply.next_page();
            visited.push(reply.expect::<Vec<Value>>(200));
            api.emit("new_lead", &json!("newer"));
        }

        let visited = event_ids_of(&visited);
        assert_eq!(visited.len(), before, "{list}");
        assert_eq!(visited[before - expected.len()..], expected, "{list}");
    }
}

#[test]
fn pages_keep_their_filter() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    for event in ["new_lead", "new_message"] {
        let hook = api.subscribe(&receiver.url("/"), event);
        api.pause(&hook.id);
    }
    let mut leads = Vec::new();
    for n in 0..5 {
        leads.insert(0, api.emit("new_lead", &json!(n)).id);
        api.emit("new_message", &json!(n));
    }

    let pages = api.pages(&format!("{LIST}?event=new_lead&status=pending&limit=2"));

    assert_eq!(event_ids_of(&pages), leads);
    assert_eq!(pages.len(), 3);
}

#[test]
fn a_list_has_fifty_deliveries_unless_told() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("https://example.com/", "new_lead");
    api.pause(&hook.id);
    let expected = api.emit_in_order("new_lead", 0..51);

    let reply = api.get(LIST);

    assert!(reply.header("link").is_some_and(|link| link.contains(r#"rel="next""#)));
    assert_eq!(event_ids(&reply.expect::<Vec<Delivery>>(200)), expected[..50]);
    assert_eq!(event_ids_of(&api.pages(LIST)), expected);
}

#[test]
fn a_bad_filter_is_refused_and_never_ignored() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("https://example.com/", "new_lead");
    let path = format!("/api/v1/hooks/{}/deliveries", hook.id);

    for list in [LIST, &path] {
        for bad in ["limit=abc", "limit=-1", "status=bogus", "since=yesterday", "until=2025-13-01T00:00:00Z"]
        {
            let reply = api.get(&format!("{list}?{bad}"));
            assert!(matches!(reply.status, 400 | 422), "{list}?{bad}: {}", reply.describe());
            reply.refused(reply.status);
        }
    }
}

#[test]
fn a_hook_counts_what_the_list_shows() {
    let server = Server::start_with(Settings::quick().late_schedule());
    let api = server.api();
    let each = OneOfEach::make(&api);

    for hook in [&each.delivered, &each.pending, &each.dead] {
        let shown = api.hook(&hook.id);
        let count = |status: &str| Some(api.deliveries_of(&hook.id, &[("status", status)]).len() as u64);
        assert_eq!((shown.pending, shown.dead), (count("pending"), count("dead")), "{shown:?}");
    }
}

#[test]
fn what_waited_for_a_deleted_hook_is_no_longer_shown_as_pending() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("https://example.com/", "new_lead");
    api.pause(&hook.id);
    api.emit_in_order("new_lead", 0..3);

    api.unsubscribe(&hook.id);

    assert_eq!(api.deliveries(&[("status", "pending")]), []);
    api.get(&format!("/api/v1/hooks/{}/deliveries", hook.id)).refused(404);
}

#[test]
fn what_is_rare_is_found_behind_much_else() {
    let server = Server::start();
    let api = server.api();
    let rare = api.subscribe("https://example.com/rare", "new_message");
    let common = api.subscribe("https://example.com/common", "new_lead");
    api.pause(&rare.id);
    api.pause(&common.id);
    let expected = api.emit_in_order("new_message", 0..3);
    let batch = vec![json!({"event": "new_lead", "data": null}); 1000];
    for _ in 0..3 {
        api.emit_all(&batch);
    }

    for list in [
        format!("/api/v1/hooks/{}/deliveries?limit=2", rare.id),
        format!("{LIST}?limit=2&hook={}", rare.id),
        format!("{LIST}?limit=2&event=new_message"),
    ] {
        let pages = api.pages(&list);

        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1], "{list}");
        assert_eq!(event_ids_of(&pages), expected, "{list}");
    }
    assert_eq!(api.pages(&format!("{LIST}?limit=1000")).concat().len(), 3003);
}
