//! Delivery policies: what an owner says of how a hook is served, and that the hook is served so.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, JSON, Reply, text};
use crate::support::cli::Cli;
use crate::support::patience::{CLOCK_STEP, Gate, until};
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

fn subscribe_with(api: &Api, receiver: &Receiver, delivery: &Value) -> Hook {
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "delivery": delivery});
    api.subscribing(&wish).expect(201)
}

fn put(api: &Api, id: &str, delivery: &Value) -> Reply {
    let body = json!({"delivery": delivery}).to_string();
    api.send("PUT", &format!("/api/v1/hooks/{id}/delivery"), JSON, Some(body.as_bytes()))
}

fn emit_numbered(api: &Api, numbers: std::ops::Range<u64>) {
    let batch: Vec<Value> = numbers.map(|n| json!({"event": "new_lead", "data": n})).collect();
    api.emit_all(&batch);
}

fn numbers(requests: &[Received]) -> Vec<u64> {
    requests.iter().map(|request| request.data().as_u64().expect("a number")).collect()
}

#[test]
fn in_order_one_event_after_the_other_comes_and_one_that_fails_holds_up_the_rest() {
    let server = Server::start_with(Settings::quick().steady_schedule("50ms").probe_after(1_000));
    let receiver = Receiver::answering_with(|request| match (request.data().as_u64(), request.index) {
        // The third fails twice.
        (Some(2), 0..4) => 500,
        _ => 200,
    });
    let hook = subscribe_with(&server.api(), &receiver, &json!({"ordering": "fifo", "concurrency": 8}));
    emit_numbered(&server.api(), 0..20);

    server.api().wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));
    let expected: Vec<u64> = [0, 1, 2, 2].into_iter().chain(2..20).collect();
    assert_eq!(numbers(&receiver.requests()), expected);
}

#[test]
fn in_order_a_kill_loses_nothing_and_mixes_nothing_up() {
    let mut server = Server::start_with(Settings::quick().steady_schedule("50ms"));
    let receiver = Receiver::answering_with(|_| Answer::from(200).after(Duration::from_millis(2)));
    let hook = subscribe_with(&server.api(), &receiver, &json!({"ordering": "fifo"}));
    emit_numbered(&server.api(), 0..200);
    receiver.wait_for(50);
    server.kill();
    server.restart();

    server.api().wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));
    let came = numbers(&receiver.requests());
    let steps_back = came.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(steps_back <= 1, "only the kill may set it back: {came:?}");
    let mut all = came.clone();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, (0..200).collect::<Vec<u64>>());
}

#[test]
fn no_more_requests_are_in_flight_than_the_owner_allows() {
    let server = Server::start();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    subscribe_with(&server.api(), &receiver, &json!({"concurrency": 3}));
    emit_numbered(&server.api(), 0..10);
    receiver.wait_for(3);
    // A fourth would come at once, as the three did.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(receiver.count(), 3);
    gate.open();
    receiver.wait_for(10);
}

#[test]
fn requests_come_no_faster_than_the_owner_allows() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = subscribe_with(&server.api(), &receiver, &json!({"rate": 50}));
    emit_numbered(&server.api(), 0..60);

    let requests = receiver.wait_for(60);
    // Five at once, and then one each 20 ms.
    let whole = requests[59].arrived - requests[0].arrived;
    assert!(whole >= Duration::from_millis(54 * 20 - 100), "sixty within {whole:?}");
    let hook = server.api().wait_for_hook(&hook.id, "all are delivered", |hook| hook.pending == Some(0));
    assert_eq!(hook.dead, Some(0));
}

#[test]
fn a_sequence_grows_from_event_to_event_and_is_the_same_on_every_attempt() {
    let server = Server::start();
    let receiver = Receiver::answering([500, 200]);
    let policy = json!({"ordering": "fifo", "sequence": true});
    subscribe_with(&server.api(), &receiver, &policy);
    emit_numbered(&server.api(), 0..5);
    let requests = receiver.wait_for(6);
    let sequence: Vec<u64> = requests
        .iter()
        .map(|request| request.header("webhook-sequence").parse().expect("a number"))
        .collect();
    assert_eq!(sequence[0], sequence[1]);
    assert!(sequence[1..].is_sorted_by(|before, after| before < after), "{sequence:?}");

    let plain = Receiver::answering([200]);
    server.api().subscribe(&plain.url("/"), "new_lead");
    emit_numbered(&server.api(), 5..6);
    assert!(plain.wait_for(1)[0].values("webhook-sequence").is_empty());
}

#[test]
fn a_hook_has_a_schedule_and_a_timeout_of_its_own() {
    let server = Server::start_with(Settings::quick().late_schedule().set("delivery.timeout", r#""20s""#));
    let receiver = Receiver::answering_with(|_| Answer::from(200).after(Duration::from_secs(2)));
    let policy = json!({"retries": ["300ms"], "timeout": "100ms"});
    let hook = subscribe_with(&server.api(), &receiver, &policy);
    server.api().emit("new_lead", &json!(1));

    let hook = server.api().wait_for_hook(&hook.id, "it is given up", |hook| hook.status == "deactivated");
    let reason = hook.reason.expect("why");
    assert!(reason.contains("2 attempts") && reason.contains("timeout"), "{reason}");
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    let gap = requests[1].arrived - requests[0].arrived;
    assert!(gap + CLOCK_STEP >= Duration::from_millis(300), "{gap:?}");
}

#[test]
fn a_hook_that_is_never_deactivated_parks_what_fails_to_the_last_alone() {
    let mut server = Server::start_with(Settings::quick().schedule(&["20ms"]).probe_after(1_000));
    let receiver = Receiver::answering_with(|request| if request.data() == json!("bad") { 500 } else { 200 });
    let hook = subscribe_with(&server.api(), &receiver, &json!({"deactivate": "never"}));
    let bad = server.api().emit("new_lead", &json!("bad"));
    server.api().wait_for_hook(&hook.id, "it is a dead letter", |hook| hook.dead == Some(1));
    server.api().emit("new_lead", &json!("good"));
    let hook = server.api().wait_for_hook(&hook.id, "the other comes", |hook| hook.pending == Some(0));
    assert_eq!((hook.status.as_str(), hook.dead, hook.next_attempt_at), ("active", Some(1), None));

    server.kill();
    server.restart();
    let api = server.api();
    assert_eq!(api.hook(&hook.id).dead, Some(1));
    let dead: Vec<Value> = api.get("/api/v1/deliveries?status=dead").expect(200);
    assert_eq!((dead.len(), text(&dead[0], "event_id")), (1, bad.id.as_str()));
    // It is attempted no more.
    let before = receiver.count();
    api.emit("new_lead", &json!("good"));
    receiver.wait_for(before + 1);
    api.wait_for_hook(&hook.id, "the other comes", |hook| hook.pending == Some(0));
    assert_eq!(receiver.count(), before + 1);

    receiver.answer_from_now(200);
    let replayed = api.post(&format!("/api/v1/hooks/{}/replay", hook.id), &json!({}));
    let queued: Value = replayed.expect(202);
    assert_eq!(queued["queued"], 1);
    api.wait_for_hook(&hook.id, "it is delivered", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
    assert_eq!(receiver.requests().last().map(Received::data), Some(json!("bad")));
}

#[test]
fn a_poison_event_is_parked_alone_while_others_succeed_and_else_the_hook_is_deactivated() {
    let server = Server::start_with(Settings::quick().schedule(&["300ms", "300ms"]).probe_after(1_000));
    let api = server.api();
    let receiver = Receiver::answering_with(|request| if request.data() == json!("bad") { 500 } else { 200 });
    let hook = subscribe_with(&api, &receiver, &json!({"poison": "dead_letter"}));
    api.emit("new_lead", &json!("bad"));
    until("the poison event is parked", || {
        api.emit("new_lead", &json!("good"));
        let hook = api.hook(&hook.id);
        assert_eq!(hook.status, "active");
        hook.dead == Some(1)
    });

    api.wait_for_hook(&hook.id, "nothing is under way", |hook| hook.pending == Some(0));
    receiver.answer_from_now(500);
    api.emit("new_lead", &json!("good"));
    api.wait_for_hook(&hook.id, "it is given up", |hook| hook.status == "deactivated");
}

#[test]
fn a_hook_is_deactivated_after_failing_for_as_long_as_its_owner_says() {
    let server = Server::start_with(Settings::quick().schedule(&["10ms"]).probe_after(1_000));
    let api = server.api();
    let receiver = Receiver::answering([500]);
    let hook = subscribe_with(&api, &receiver, &json!({"deactivate": "1s"}));
    let began = std::time::Instant::now();
    until("it is given up", || {
        api.emit("new_lead", &json!(1));
        api.hook(&hook.id).status == "deactivated"
    });
    assert!(began.elapsed() + CLOCK_STEP >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(api.hook(&hook.id).dead > Some(1));
}

#[test]
fn a_410_deactivates_whatever_the_owner_says() {
    let server = Server::start();
    let receiver = Receiver::answering([410]);
    let policy = json!({"deactivate": "never", "poison": "dead_letter"});
    let hook = subscribe_with(&server.api(), &receiver, &policy);
    server.api().emit("new_lead", &json!(1));
    server.api().wait_for_hook(&hook.id, "it is given up", |hook| hook.status == "deactivated");
}

#[test]
fn what_was_given_up_alone_comes_back_with_a_hook_that_is_replayed_and_not_with_one_that_is_not() {
    let server = Server::start_with(Settings::quick().schedule(&["10ms"]).probe_after(1_000));
    let api = server.api();
    let receiver = Receiver::answering([500, 500, 410, 200]);
    let hook = subscribe_with(&api, &receiver, &json!({"deactivate": "never"}));
    let wish = |replay: bool| json!({"url": receiver.url("/"), "event": "new_lead", "replay": replay});
    api.emit("new_lead", &json!("alone"));
    api.wait_for_hook(&hook.id, "it is parked", |hook| hook.dead == Some(1));
    api.emit("new_lead", &json!("gone"));
    api.wait_for_hook(&hook.id, "it is given up", |hook| hook.status == "deactivated");
    let back: Hook = api.subscribing(&wish(false)).expect(201);
    assert_eq!((back.pending, back.dead), (Some(0), Some(2)));
    let replayed: Value = api.post(&format!("/api/v1/hooks/{}/replay", hook.id), &json!({})).expect(202);
    assert_eq!(replayed["queued"], 2);
    api.wait_for_hook(&hook.id, "both are delivered", |hook| (hook.pending, hook.dead) == (Some(0), Some(0)));
}

#[test]
fn a_policy_is_shown_replaced_and_kept_by_a_hook_that_is_there() {
    let mut server = Server::start();
    let api = server.api();
    let url = "http://127.0.0.1:9/";
    let policy = json!({"rate": 5, "concurrency": 2, "ordering": "fifo", "sequence": true,
        "retries": ["1m", "5m"], "timeout": "5s", "deactivate": "5d", "poison": "dead_letter"});
    let wish = json!({"url": url, "event": "new_lead", "delivery": policy});
    let made: Value = api.subscribing(&wish).expect(201);
    assert_eq!(made["delivery"], policy);
    let id = text(&made, "id");

    // One that is there keeps its own.
    let again = json!({"url": url, "event": "new_lead", "delivery": {"rate": 9}});
    assert_eq!(api.subscribing(&again).expect::<Value>(200)["delivery"], policy);
    let replaced: Value = put(&api, id, &json!({"rate": 9})).expect(200);
    let nine = json!({"rate": 9, "ordering": "none", "sequence": false, "deactivate": "exhausted",
        "poison": "deactivate"});
    assert_eq!(replaced["delivery"], nine);
    server.kill();
    server.restart();
    let api = server.api();
    assert_eq!(api.get(&format!("/api/v1/hooks/{id}")).expect::<Value>(200)["delivery"], nine);
    let cleared: Value = put(&api, id, &json!({})).expect(200);
    assert!(cleared.get("delivery").is_none(), "{cleared}");
    assert_eq!(put(&api, "hook_000000000000000000000000000", &json!({})).refused(404).code, "not_found");
}

#[test]
fn what_a_policy_may_not_say_is_refused_by_its_name() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("http://127.0.0.1:9/", "new_lead");
    for (wrong, told) in [
        (json!({"rate": 0}), "delivery.rate must be 1 to 65535"),
        (json!({"rate": "5"}), "delivery.rate: "),
        (json!({"concurrency": 2000}), "delivery.concurrency must be 1 to 1024"),
        (json!({"timeout": "1h"}), "delivery.timeout must be 1ms to 5m"),
        (json!({"retries": ["1m", "40d"]}), "delivery.retries must be 1ms to 30d"),
        (json!({"retries": vec!["1m"; 101]}), "delivery.retries must be at most 100 waits"),
        (json!({"deactivate": "soon"}), "delivery.deactivate: "),
        (json!({"ordering": "lifo"}), "delivery.ordering: "),
        (json!({"speed": 1}), "delivery.speed: "),
        (json!([]), "delivery: "),
    ] {
        let refusal = put(&api, &hook.id, &wrong).refused(422);
        assert_eq!(refusal.code, "invalid_field");
        assert!(refusal.message.starts_with(told), "{wrong}: {}", refusal.message);
        let wish = json!({"url": "http://127.0.0.1:9/2", "event": "new_lead", "delivery": wrong});
        assert_eq!(api.subscribing(&wish).refused(422).message, refusal.message);
    }
    assert_eq!(put(&api, &hook.id, &Value::Null).refused(422).message, "delivery is required");
    assert_eq!(api.hooks().len(), 1);
}

#[test]
fn the_command_line_sets_policies() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let made = cli.prints(&["hooks", "subscribe", "http://127.0.0.1:9/", "new_lead", "--rate", "5"]);
    assert!(made.contains(r#""rate":5"#), "{made}");
    let id = server.api().hooks()[0].id.clone();
    let shown = cli.prints(&[
        "hooks",
        "set-delivery",
        &id,
        "--fifo",
        "--sequence",
        "--retry",
        "10s",
        "--retry",
        "1m",
        "--attempt-timeout",
        "5s",
        "--deactivate",
        "never",
        "--dead-letter-poison",
        "--concurrency",
        "2",
    ]);
    let policy = r#"{"concurrency":2,"ordering":"fifo","sequence":true,"retries":["10s","1m"],"timeout":"5s","deactivate":"never","poison":"dead_letter"}"#;
    assert!(shown.contains(policy), "{shown}");
    assert!(cli.prints(&["hooks", "set-delivery", &id, "--no-retries"]).contains(r#""retries":[]"#));
    assert!(!cli.prints(&["hooks", "set-delivery", &id]).contains("delivery"));
    assert!(cli.fails(2, &["hooks", "set-delivery", &id, "--rate", "0"]).contains("delivery.rate"));
}
