//! Retention: what is old or too much goes, in small steps; what is still to be delivered stays and comes.

use std::fs;

use serde_json::{Value, json};

use crate::support::api::{Api, JSON, text};
use crate::support::cli::Cli;
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Bytes on disk of a server's store.
fn disk_use(server: &Server) -> u64 {
    let files = fs::read_dir(server.data_dir().join("ledger")).expect("its store is there");
    files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
}

/// Whether the API still knows the event.
fn is_known(server: &Server, event: &str) -> bool {
    let reply = server.api().get(&format!("/api/v1/events/{event}"));
    if reply.status == 404 {
        reply.refused(404);
    }
    reply.status != 404
}

/// The hooks that an event is listed with deliveries for, and where each stands.
fn deliveries(api: &Api, event: &str) -> Vec<(String, String)> {
    let event: Value = api.get(&format!("/api/v1/events/{event}")).expect(200);
    let deliveries = event["deliveries"].as_array().expect("a list");
    let told = |delivery: &Value| (text(delivery, "hook_id").to_owned(), text(delivery, "status").to_owned());
    deliveries.iter().map(told).collect()
}

#[test]
fn what_is_old_goes_and_what_is_still_to_come_survives_a_kill() {
    let mut server = Server::start_with(Settings::quick().set("retention.age", r#""1s""#));
    let api = server.api();
    let (gone, waiting) = (Receiver::answering([410]), Receiver::answering([200]));
    let given_up = api.subscribe(&gone.url("/"), "new_lead");
    let paused = api.subscribe(&waiting.url("/"), "new_lead");
    api.pause(&paused.id);
    let receipts = [1, 2, 3].map(|n| api.emit("new_lead", &json!(n)));
    let unmatched = api.emit("new_message", &json!(4));
    api.wait_for_hook(&given_up.id, "it is given up", |hook| hook.status == "deactivated");

    api.wait_for_hook(&given_up.id, "its dead letters have expired", |hook| hook.dead == Some(0));
    until("what nobody waits for is gone", || !is_known(&server, &unmatched.id));
    server.kill();
    server.restart();

    // What had gone may not have been on disk yet: then it goes again.
    let api = server.api();
    api.wait_for_hook(&given_up.id, "no dead letter is left", |hook| hook.dead == Some(0));
    until("what nobody waits for is gone", || !is_known(&server, &unmatched.id));
    for receipt in &receipts {
        assert_eq!(deliveries(&api, &receipt.id), [(paused.id.clone(), "pending".to_owned())]);
    }
    api.resume(&paused.id);
    api.wait_for_hook(&paused.id, "all is delivered", |hook| hook.pending == Some(0));
    let mut arrived: Vec<(String, Value)> =
        waiting.requests().iter().map(|request| (request.webhook_id().to_owned(), request.data())).collect();
    arrived.sort_by_key(|(_, data)| data.as_u64());
    let expected = receipts.iter().zip(1..).map(|(receipt, n)| (receipt.id.clone(), json!(n)));
    assert_eq!(arrived, expected.collect::<Vec<_>>());
    until("what was delivered is gone", || receipts.iter().all(|receipt| !is_known(&server, &receipt.id)));
}

#[test]
fn the_store_stays_small_under_load_and_kills_and_keeps_what_is_to_come() {
    const ROUNDS: usize = 10;
    /// Of a kilobyte each, in batches of a thousand.
    const BATCHES_A_ROUND: usize = 15;
    /// Much more than is kept, since a burst of 15 MB arrives faster than it goes and sled needs room beside it: from the
    /// third round on it stays at 50 to 66 MiB. Much less than is emitted, let alone than that would take.
    const DISK: u64 = 85 << 20;
    let mut server = Server::start_with(Settings::quick().set("retention.size_bytes", "65536"));
    let (gone, receiver) = (Receiver::answering([410]), Receiver::answering([200]));
    let given_up = server.api().subscribe(&gone.url("/"), "new_lead");
    let paused = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().pause(&paused.id);
    let waiting = [1, 2, 3].map(|n| server.api().emit("new_lead", &json!(n)).id);
    let ballast = vec![json!({"event": "new_message", "data": "x".repeat(1_000)}); 1_000];
    server.api().emit_all(&ballast);
    server.api().wait_for_hook(&given_up.id, "its dead letters have expired", |hook| hook.dead == Some(0));

    for _ in 0..ROUNDS {
        let mut first = None;
        for _ in 0..BATCHES_A_ROUND {
            let receipts = server.api().emit_all(&ballast);
            first.get_or_insert(receipts[0].id.clone());
        }
        let first = first.expect("there was a batch");
        until("the first of the round is gone", || !is_known(&server, &first));
        server.kill();
        server.restart();
    }

    let on_disk = disk_use(&server);
    assert!(on_disk < DISK, "{on_disk} bytes are on disk");
    server.api().resume(&paused.id);
    server.api().wait_for_hook(&paused.id, "all is delivered", |hook| hook.pending == Some(0));
    let mut arrived = receiver.webhook_ids();
    arrived.sort();
    let mut waiting = waiting.to_vec();
    waiting.sort();
    assert_eq!(arrived, waiting);
}

/// Whether an event's data was forgotten.
fn is_expunged(api: &Api, event: &str) -> bool {
    let event: Value = api.get(&format!("/api/v1/events/{event}")).expect(200);
    assert_eq!(event["data"].is_null(), event["expunged"] == json!(true), "{event}");
    event["data"].is_null()
}

#[test]
fn an_account_may_have_its_data_kept_for_a_shorter_time_than_others() {
    let mut server = Server::start();
    let made: Value =
        server.api().post("/api/v1/accounts", &json!({"id": "acme", "retention": "1s"})).expect(201);
    assert_eq!(text(&made, "retention"), "1s");
    let (receiver, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    let emit = |api: &Api| {
        let batch = ["new_lead", "new_message"].map(|event| json!({"event": event, "data": "said"}));
        api.emit_all(&batch).into_iter().map(|receipt| receipt.id).collect::<Vec<_>>()
    };
    let (acme, other) = (server.api().account("acme"), server.api().account("other"));
    acme.subscribe(&receiver.url("/acme"), "new_lead");
    let given_up = acme.subscribe(&gone.url("/"), "new_lead");
    let paused = acme.subscribe(&receiver.url("/paused"), "new_message");
    acme.pause(&paused.id);
    let (of_acme, of_other) = (emit(&acme), emit(&other));

    until("what it said is forgotten", || is_expunged(&acme, &of_acme[0]));
    let delivered = [(given_up.id.clone(), "dead".to_owned())];
    assert!(
        deliveries(&acme, &of_acme[0]).iter().all(|one| !delivered.contains(one)),
        "dead letters go with it"
    );
    server.kill();
    server.restart();
    let (acme, other) = (server.api().account("acme"), server.api().account("other"));
    until("what it said is forgotten", || is_expunged(&acme, &of_acme[0]));
    // What is still to come stays until it has come, and so does what others said.
    assert!(!is_expunged(&acme, &of_acme[1]));
    assert!(of_other.iter().all(|event| !is_expunged(&other, event)));
    acme.resume(&paused.id);
    until("what was delivered is forgotten", || is_expunged(&acme, &of_acme[1]));
    assert_eq!(receiver.requests().last().map(|request| request.data()), Some(json!("said")));

    let cli = Cli::of(&server);
    let said = cli.prints(&["accounts", "set-retention", "acme"]);
    assert_eq!(said, "the data of acme is kept as long as events are\n");
    let later = emit(&acme);
    assert_eq!(
        cli.prints(&["accounts", "set-retention", "other", "2s"]),
        "the data of other is kept for 2s\n"
    );
    until("what the other said is forgotten", || of_other.iter().all(|event| is_expunged(&other, event)));
    assert!(later.iter().all(|event| !is_expunged(&acme, event)));
}

#[test]
fn a_retention_that_is_none_is_refused_and_only_an_admin_says_it() {
    let server = Server::start();
    let (admin, acme) = (server.api(), server.api().account("acme"));
    let put = |api: &Api, account: &str, body: &Value| {
        let path = format!("/api/v1/accounts/{account}/retention");
        api.send("PUT", &path, JSON, Some(body.to_string().as_bytes()))
    };
    for wrong in [json!("7"), json!("0s"), json!("500ms"), json!("4000d"), json!(7), json!({})] {
        let refusal = put(&admin, "acme", &json!({"retention": wrong})).refused(422);
        assert!(refusal.message.starts_with("retention"), "{wrong}: {}", refusal.message);
    }
    put(&admin, "acme", &json!({})).refused(422);
    put(&admin, "nobody", &json!({"retention": "7d"})).refused(404);
    put(&acme, "acme", &json!({"retention": "7d"})).refused(403);
    let shown: Value = put(&admin, "acme", &json!({"retention": "36h"})).expect(200);
    assert_eq!(text(&shown, "retention"), "36h");
}
