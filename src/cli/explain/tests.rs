use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-01-15T10:31:00Z";

fn event(value: Value) -> Event {
    let mut event = json!({
        "id": "evt_1", "event": "new_lead", "timestamp": "2026-01-15T10:30:00Z", "matched": 1,
        "accepted_at": "2026-01-15T10:30:00.100Z", "synced_at": "2026-01-15T10:30:00.104Z", "data": {},
    });
    event.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    serde_json::from_str(&event.to_string()).unwrap()
}

fn hook(id: &str, value: Value) -> Hook {
    let mut hook = json!({
        "id": id, "url": format!("https://{id}.example/"), "event": "new_lead", "status": "active",
        "created_at": "2026-01-01T00:00:00Z", "pending": 0, "dead": 0,
    });
    hook.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    serde_json::from_value(hook).unwrap()
}

fn delivery(hook: &str, status: &str, value: Value) -> Value {
    let mut delivery = json!({
        "id": format!("dlv_{hook}"), "event_id": "evt_1", "hook_id": hook, "event": "new_lead",
        "status": status, "attempts": 1,
    });
    delivery.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    delivery
}

fn told(event: &Event, hooks: &[Hook]) -> String {
    let lines = story::tell(event, hooks, true, Timestamp::parse(NOW).unwrap());
    let text: String = lines.iter().map(painted).collect();
    anstream::adapter::strip_str(&text).to_string()
}

/// What is said of a hook of the event's type that has no delivery of it.
fn why_not(value: Value) -> String {
    absence::Absence::of(&event(json!({})), &hook("a", value)).told()
}

/// What happens next to the one delivery of an event.
fn what_next(delivery: Value, hook_now: Value) -> String {
    let delivery = serde_json::from_value(delivery).unwrap();
    let now = Timestamp::parse(NOW).unwrap();
    prospect::Prospect::of(&delivery, Some(&hook("a", hook_now)), now).told(now)
}

#[test]
fn the_whole_story_in_the_order_of_time() {
    let log = json!([
        {"n": 1, "at": "2026-01-15T10:30:00.150Z", "status": 500, "error": null, "duration_ms": 8, "response": "oops"},
        {"n": 2, "at": "2026-01-15T10:30:02.350Z", "status": null, "error": "timeout", "duration_ms": 10000},
    ]);
    let good = json!([{"n": 1, "at": "2026-01-15T10:30:00.140Z", "status": 200, "duration_ms": 9}]);
    let event = event(json!({"matched": 3, "deliveries": [
        delivery("b", "delivered", json!({"attempt_log": good})),
        delivery("a", "pending",
            json!({"attempts": 2, "next_attempt_at": "2026-01-15T10:35:12Z", "attempt_log": log})),
    ]}));
    let hooks = [hook("a", json!({})), hook("b", json!({})), hook("c", json!({"event": "new_message"}))];
    assert_eq!(
        told(&event, &hooks),
        "\
evt_1  new_lead, of 2026-01-15T10:30:00Z

2026-01-15T10:30:00.100Z            accepted; it matched 3 hooks
2026-01-15T10:30:00.104Z     +4 ms  on disk; the receipt went out
2026-01-15T10:30:00.140Z    +40 ms  attempt 1 to https://b.example/: 200 in 9 ms
2026-01-15T10:30:00.150Z    +50 ms  attempt 1 to https://a.example/: 500 in 8 ms: oops
2026-01-15T10:30:02.350Z    +2.2 s  attempt 2 to https://a.example/: timeout after 10000 ms

What happens next
  https://a.example/  a
      attempt 3 comes in 4m 12s, at 2026-01-15T10:35:12Z
  https://b.example/  b
      nothing: delivered at the first attempt

Why not the others
  1 hook
      matched, and unsubscribed since: what waited was dropped, the record went too
  https://c.example/  c
      wants new_message
"
    );
}

#[test]
fn an_event_that_nobody_wanted_is_a_short_story() {
    let story = told(&event(json!({"matched": 0, "synced_at": null})), &[]);
    assert!(story.ends_with("accepted; no hook wanted new_lead\n"), "{story}");
}

#[test]
fn each_way_not_to_get_an_event_is_told() {
    assert_eq!(why_not(json!({"event": "new_message"})), "wants new_message");
    assert_eq!(
        why_not(json!({"created_at": "2026-01-15T10:30:00Z"})),
        "subscribed after it, at 2026-01-15T10:30:00Z"
    );
    let deactivated = json!({
        "status": "deactivated", "deactivated_at": "2026-01-14T00:00:00Z", "reason": "the receiver answered 410",
    });
    assert_eq!(
        why_not(deactivated),
        "was deactivated before, at 2026-01-14T00:00:00Z: the receiver answered 410"
    );
    assert!(why_not(json!({})).starts_with("was deactivated then and has been subscribed again"));
}

#[test]
fn a_hook_is_not_told_of_its_own_deactivation() {
    let event = event(json!({
        "event": "hookyard.hook_deactivated", "data": {"hook": {"id": "a"}, "reason": "gone"},
    }));
    let wants_them = json!({"event": "hookyard.hook_deactivated"});
    assert_eq!(
        absence::Absence::of(&event, &hook("a", wants_them.clone())),
        absence::Absence::OwnDeactivation
    );
    assert_eq!(absence::Absence::of(&event, &hook("b", wants_them)), absence::Absence::NoRecord);
}

#[test]
fn each_way_to_wait_is_told() {
    let later = json!({"next_attempt_at": "2026-01-15T10:31:30Z"});
    let waiting = || delivery("a", "pending", json!({"attempts": 0}));
    assert_eq!(
        what_next(delivery("a", "pending", later.clone()), json!({})),
        "attempt 2 comes in 30s, at 2026-01-15T10:31:30Z"
    );
    assert_eq!(
        what_next(delivery("a", "pending", json!({"next_attempt_at": "2026-01-15T10:30:30Z"})), json!({})),
        "attempt 2 is due now"
    );
    assert_eq!(what_next(waiting(), json!({})), "is being sent, or is about to be");
    assert_eq!(
        what_next(waiting(), json!({"status": "paused"})),
        "waits until the hook is resumed: it is paused"
    );
    assert_eq!(
        what_next(waiting(), later.clone()),
        "is being sent, or waits while an older delivery probes the receiver, next in 30s, at 2026-01-15T10:31:30Z"
    );
    let overdue = delivery("a", "pending", json!({"next_attempt_at": "2026-01-15T10:30:30Z"}));
    assert_eq!(
        what_next(overdue, later),
        "waits while the oldest delivery probes whether the receiver answers again, next in 30s, at \
         2026-01-15T10:31:30Z"
    );
}

#[test]
fn what_is_given_up_says_why_and_what_can_be_done() {
    let deactivated = hook("a", json!({"status": "deactivated", "reason": "all 4 attempts failed"}));
    let event = event(json!({"deliveries": [delivery("a", "dead", json!({"attempts": 4}))]}));
    let story = told(&event, &[deactivated]);
    assert!(
        story.contains("given up, a dead letter: the hook is deactivated: all 4 attempts failed"),
        "{story}"
    );
    assert!(story.contains("hookyard hooks subscribe https://a.example/ new_lead --replay"), "{story}");
    let reactivated = told(&event, &[hook("a", json!({}))]);
    assert!(reactivated.contains("given up, a dead letter\n"), "{reactivated}");
    assert!(reactivated.contains("hookyard deliveries retry dlv_a"), "{reactivated}");
}
