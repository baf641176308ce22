//! Looking at events: what was emitted, byte for byte, and what became of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::api::{Api, Receipt, query, text};
use crate::support::deliveries::{Delivery, instant};
use crate::support::patience::until_some;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const EVENTS: &str = "/api/v1/events";

fn ids(pages: &[Vec<Value>]) -> Vec<String> {
    pages.concat().iter().map(|event| text(event, "id").to_owned()).collect()
}

/// The ids that this list shows, all pages of it.
fn listed(api: &Api, filters: &[(&str, &str)]) -> Vec<String> {
    ids(&api.pages(&format!("{EVENTS}{}", query(filters))))
}

#[test]
fn an_event_shows_its_receipt_and_its_data() {
    let server = Server::start();
    let api = server.api();
    let receiver = Receiver::answering([200]);
    api.subscribe(&receiver.url("/"), "new_lead");
    let given = json!({"event": "new_lead", "data": {"n": 1}, "timestamp": "2025-01-15T10:30:00+01:00"});
    let receipt: Receipt = api.emitting(&given).expect(202);

    for event in [api.event(&receipt.id), api.get(EVENTS).expect::<Vec<Value>>(200).remove(0)] {
        assert_eq!(text(&event, "id"), receipt.id);
        assert_eq!(
            (text(&event, "event"), text(&event, "timestamp")),
            ("new_lead", "2025-01-15T10:30:00+01:00")
        );
        assert_eq!((&event["matched"], &event["duplicate"]), (&json!(1), &json!(false)));
        assert_eq!(event["data"], json!({"n": 1}));
    }
}

#[test]
fn the_data_of_an_event_is_shown_byte_for_byte() {
    let server = Server::start();
    let data = [
        r#"{ "b" : 1.0,	"a":1e2, "a":-0 , "ü":"\u00fc\/" }"#,
        r#"[ 12345678901234567890, 0.10 ]"#,
        r#""\ud83d\ude00""#,
        "null",
        "false",
    ];

    for data in data {
        let body = format!(r#"{{"event":"new_lead","data":{data}}}"#);
        let receipt: Receipt = server.api().post_text(EVENTS, &body).expect(202);
        let field = format!(r#""data":{data}"#);
        let by_id = server.api().get(&format!("{EVENTS}/{}", receipt.id));
        let in_the_list = server.api().get(EVENTS);
        assert!(by_id.text().contains(&field), "{}", by_id.describe());
        assert!(in_the_list.text().contains(&field), "{}", in_the_list.describe());
    }
}

#[test]
fn data_as_long_as_it_may_be_is_shown_whole() {
    let server = Server::start();
    let long = "x".repeat((1 << 20) - 2);
    let receipt = server.api().emit("new_lead", &json!(long));

    let event = server.api().event(&receipt.id);

    assert_eq!(event["data"], long.as_str());
}

#[test]
fn an_event_tells_when_it_was_accepted_and_not_only_when_it_happened() {
    let server = Server::start();
    let api = server.api();
    let past = json!({"event": "new_lead", "data": 1, "timestamp": "1999-12-31T23:59:59Z"});
    let first: Receipt = api.emitting(&past).expect(202);
    let second = api.emit("new_lead", &json!(2));

    let [first, second] = [first.id, second.id].map(|id| api.event(&id));

    let [accepted, accepted_later] = [&first, &second].map(|event| instant(text(event, "accepted_at")));
    assert!(accepted <= accepted_later, "{first} {second}");
    let timestamp = instant(text(&second, "timestamp"));
    assert!(accepted_later - timestamp < std::time::Duration::from_secs(20), "{second}");
    if let Some(synced) = second["synced_at"].as_str() {
        assert!(instant(synced) >= accepted_later, "{second}");
    }
}

#[test]
fn an_event_shows_its_deliveries() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let api = server.api();
    let (good, bad) = (Receiver::answering([200]), Receiver::answering([500]));
    let delivered = api.subscribe(&good.url("/"), "new_lead");
    let failed = api.subscribe(&bad.url("/"), "new_lead");
    api.subscribe(&good.url("/"), "new_message");
    let receipt = api.emit("new_lead", &json!(1));
    let expected = [
        api.wait_until_delivered(&delivered.id, &receipt.id),
        api.wait_until_attempted(&failed.id, &receipt.id, 1),
    ];

    let event = api.event(&receipt.id);

    let shown: Vec<Delivery> =
        serde_json::from_value(event["deliveries"].clone()).expect("deliveries as they are listed");
    assert_eq!(shown.len(), 2, "{event}");
    for delivery in expected {
        let found = shown.iter().find(|shown| shown.id == delivery.id).expect("it is among them");
        assert_eq!(*found, delivery);
    }
}

#[test]
fn an_event_that_nobody_wanted_has_no_deliveries() {
    let server = Server::start();
    let receipt = server.api().emit("new_lead", &json!(1));

    let event = server.api().event(&receipt.id);

    assert_eq!((&event["matched"], &event["deliveries"]), (&json!(0), &json!([])));
}

#[test]
fn without_events_the_list_is_empty() {
    let server = Server::start();

    assert_eq!(server.api().get(EVENTS).expect::<Value>(200), json!([]));
}

#[test]
fn events_are_listed_newest_first() {
    let server = Server::start();
    let expected = server.api().emit_in_order("new_lead", 0..10);

    let reply = server.api().get(EVENTS);

    assert_eq!(reply.header("link"), None);
    assert_eq!(ids(&[reply.expect(200)]), expected);
}

#[test]
fn events_are_narrowed_by_their_name() {
    let server = Server::start();
    let api = server.api();
    let leads = api.emit_in_order("new_lead", 0..3);
    let messages = api.emit_in_order("new_message", 0..2);

    assert_eq!(listed(&api, &[("event", "new_lead")]), leads);
    assert_eq!(listed(&api, &[("event", "new_message")]), messages);
    assert_eq!(listed(&api, &[("event", "agent_created")]), [""; 0]);
    assert_eq!(listed(&api, &[("event", "new_lead"), ("limit", "2")]), leads);
}

#[test]
fn events_are_narrowed_by_since_and_until() {
    let server = Server::start();
    let api = server.api();
    // Three events at three times, however coarse these are.
    let mut made: Vec<Receipt> = Vec::new();
    while made.len() < 3 {
        made.push(until_some("an event at another time is made", || {
            let receipt = api.emit("new_lead", &json!(made.len()));
            made.last().is_none_or(|last| last.timestamp < receipt.timestamp).then_some(receipt)
        }));
    }
    let [old, middle, new] = &made[..] else { unreachable!("three were made") };
    let shown = |filter: &str, at: &str| -> Vec<bool> {
        let ids = listed(&api, &[(filter, at), ("limit", "1000")]);
        [old, middle, new].map(|receipt| ids.contains(&receipt.id)).to_vec()
    };

    assert_eq!(shown("since", "2000-01-01T00:00:00Z"), [true, true, true]);
    assert_eq!(shown("since", "2100-01-01T00:00:00Z"), [false, false, false]);
    assert_eq!(shown("until", "2000-01-01T00:00:00Z"), [false, false, false]);
    assert_eq!(shown("until", "2100-01-01T00:00:00+02:00"), [true, true, true]);
    // Whether a bound belongs to what it bounds is nobody's promise; what is on either side of it is.
    let (since, until) = (shown("since", &middle.timestamp), shown("until", &middle.timestamp));
    assert_eq!((since[0], since[2]), (false, true));
    assert_eq!((until[0], until[2]), (true, false));
}

#[test]
fn the_pages_of_events_show_each_of_them_once() {
    let server = Server::start();
    let api = server.api();
    let expected = api.emit_in_order("new_lead", 0..10);

    for (limit, pages_wanted) in [(1, 10), (3, 4), (5, 2), (9, 2), (10, 1), (1000, 1)] {
        let pages = api.pages(&format!("{EVENTS}?limit={limit}"));

        assert_eq!(pages.len(), pages_wanted, "limit={limit}");
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(ids(&pages), expected, "limit={limit}");
    }
}

#[test]
fn pages_keep_their_place_and_their_filter_while_new_events_arrive() {
    let server = Server::start();
    let api = server.api();
    let mut leads = Vec::new();
    for n in 0..9 {
        leads.insert(0, api.emit("new_lead", &json!(n)).id);
        api.emit("new_message", &json!(n));
    }

    let mut visited = Vec::new();
    let mut next = Some(format!("{EVENTS}?event=new_lead&limit=2"));
    while let Some(page) = next {
        let reply = api.get(&page);
        next = reply.next_page();
        visited.push(reply.expect::<Vec<Value>>(200));
        api.emit_in_order("new_lead", 0..3);
    }

    assert_eq!(ids(&visited), leads);
}

#[test]
fn a_batch_is_listed_whole() {
    let server = Server::start();
    let batch: Vec<Value> = (0..120).map(|n| json!({"event": "new_lead", "data": n})).collect();
    let emitted: BTreeSet<String> =
        server.api().emit_all(&batch).into_iter().map(|receipt| receipt.id).collect();

    let shown = listed(&server.api(), &[("limit", "7")]);

    assert_eq!(shown.len(), 120);
    assert_eq!(shown.into_iter().collect::<BTreeSet<_>>(), emitted);
}

#[test]
fn a_list_has_fifty_events_unless_told() {
    let server = Server::start();
    let expected = server.api().emit_in_order("new_lead", 0..51);

    let reply = server.api().get(EVENTS);

    assert!(reply.header("link").is_some_and(|link| link.contains(r#"rel="next""#)));
    assert_eq!(ids(&[reply.expect(200)]), expected[..50]);
    assert_eq!(listed(&server.api(), &[]), expected);
}

#[test]
fn a_bad_filter_is_refused_and_never_ignored() {
    let server = Server::start();

    for bad in ["limit=abc", "limit=-1", "since=yesterday", "until=2025-02-30T00:00:00Z"] {
        let reply = server.api().get(&format!("{EVENTS}?{bad}"));
        assert!(matches!(reply.status, 400 | 422), "{bad}: {}", reply.describe());
        reply.refused(reply.status);
    }
}

#[test]
fn what_was_refused_or_repeated_is_not_listed() {
    let server = Server::start();
    let api = server.api();
    let event = json!({"id": "once", "event": "new_lead", "data": 1});
    let receipt: Receipt = api.emitting(&event).expect(202);

    let repeated: Receipt = api.emitting(&event).expect(202);
    api.emitting(&json!({"id": "once", "event": "new_lead", "data": 2})).refused(409);
    api.emitting(&json!([{"event": "new_lead", "data": 3}, {"event": "new_lead"}])).refused(422);

    assert!(repeated.duplicate);
    assert_eq!(listed(&api, &[]), [receipt.id.as_str()]);
    assert_eq!(api.event(&receipt.id)["duplicate"], false);
}

#[test]
fn an_unknown_event_is_404() {
    let server = Server::start();

    for id in [format!("evt_{}", "0".repeat(27)), "evt_".into(), "not-an-id".into()] {
        server.api().get(&format!("{EVENTS}/{id}")).refused(404);
    }
}

#[test]
fn events_are_listed_for_their_own_account_alone() {
    let server = Server::start();
    let (acme, globex) = (server.api().account("acme"), server.api().account("globex"));
    let mine = acme.emit("new_lead", &json!(1));
    let theirs = globex.emit("new_lead", &json!(2));

    assert_eq!(listed(&acme, &[]), [mine.id.as_str()]);
    assert_eq!(listed(&globex, &[]), [theirs.id.as_str()]);
    assert_eq!(listed(&server.api(), &[]), [""; 0]);
    assert_eq!(listed(&server.api(), &[("account", "acme")]), [mine.id.as_str()]);
    acme.get(&format!("{EVENTS}/{}", theirs.id)).refused(404);
}

#[test]
fn whoever_emits_or_manages_hooks_may_look_at_events() {
    let server = Server::start();
    let (hooks, events) = (server.api().key_of("acme", &["hooks"]), server.api().key_of("acme", &["events"]));
    let receipt = events.emit("new_lead", &json!(1));

    for path in [EVENTS.to_owned(), format!("{EVENTS}/{}", receipt.id)] {
        assert_eq!(hooks.get(&path).status, 200, "{path}");
        assert_eq!(events.get(&path).status, 200, "{path}");
        server.anonymous().get(&path).refused(401);
    }
}

#[test]
fn events_survive_a_kill() {
    let mut server = Server::start();
    let expected = server.api().emit_in_order("new_lead", 0..5);
    let before = server.api().event(&expected[2]);

    server.kill();
    server.restart();

    assert_eq!(listed(&server.api(), &[]), expected);
    let after = server.api().event(&expected[2]);
    for field in ["id", "event", "timestamp", "matched", "data", "accepted_at", "deliveries"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}
