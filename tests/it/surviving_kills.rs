//! SIGKILL under load, again and again: every event with a receipt is delivered, and few of them more often than once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::api::{JSON, Receipt};
use crate::support::patience::found_in_time;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const EMITTERS: usize = 3;
const IN_FLIGHT: usize = 32;

/// Attempts that a kill may take back although they were answered, because the next commit was not through.
///
/// A kill loses at most the commit under way and the one that gathers behind it. Each emitter has one event in them,
/// and the attempts that were in flight when they began may have ended since.
const UNSETTLED: usize = 2 * (IN_FLIGHT + EMITTERS);

/// Receipts by event id, with the number that each event carried.
type Receipts = Mutex<BTreeMap<String, u64>>;

#[test]
fn every_receipt_is_delivered_whenever_the_server_is_killed() {
    let kills = [40, 5, 90, 20, 150, 60, 1, 120];
    let settings = Settings::quick().set("delivery.max_in_flight", &IN_FLIGHT.to_string());
    let mut server = Server::start_with(settings);
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let (receipts, numbers) = (Receipts::default(), AtomicUsize::new(0));

    for receipts_before_the_kill in kills {
        emit_until_killed(&mut server, &receipts, &numbers, receipts_before_the_kill);
        server.restart();
    }
    server.api().wait_for_hook(&hook.id, "nothing is left to deliver", |hook| hook.pending == Some(0));

    let receipts = receipts.into_inner().expect("no emitter panics");
    let mut arrivals: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for request in receiver.requests() {
        let number = request.data()["n"].as_u64().expect("the number it was emitted with");
        arrivals.entry(request.webhook_id().to_owned()).or_default().push(number);
    }
    for (id, number) in &receipts {
        let arrived =
            arrivals.get(id).unwrap_or_else(|| panic!("{id} has a receipt and was never delivered"));
        assert!(
            arrived.iter().all(|arrived| arrived == number),
            "{id}: emitted {number}, arrived {arrived:?}"
        );
    }
    assert!(receipts.len() >= kills.iter().sum::<usize>());
    let repeated: usize = arrivals.values().map(|arrived| arrived.len() - 1).sum();
    let allowed = kills.len() * (IN_FLIGHT + UNSETTLED);
    assert!(repeated <= allowed, "{repeated} requests were repetitions, {allowed} can be explained");
}

#[test]
fn a_batch_that_a_kill_cuts_off_is_there_whole_or_not_at_all() {
    const BATCH: usize = 50;
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    // Events wait in the backlog, so that each arrives once, however often the server is killed.
    server.api().pause(&hook.id);
    let accepted = Mutex::new(Vec::new());

    for round in 0..3 {
        let (api, dying) = (server.api(), AtomicBool::new(false));
        let mut enough = None;
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0.. {
                    let label = format!("{round}-{number}");
                    let batch = vec![json!({"event": "new_lead", "data": {"batch": label}}); BATCH];
                    let body = Value::from(batch).to_string();
                    match api.try_send("POST", "/api/v1/events", JSON, Some(body.as_bytes())) {
                        Ok(reply) if reply.status == 202 => accepted.lock().expect("no panic").push(label),
                        _ if dying.load(Ordering::Relaxed) => return,
                        _ => {}
                    }
                }
            });
            let target = 10 * (round + 1);
            enough = found_in_time(|| (accepted.lock().expect("no panic").len() >= target).then_some(()));
            dying.store(true, Ordering::Relaxed);
            server.kill();
        });
        assert!(enough.is_some(), "too few batches are accepted");
        server.restart();
    }
    server.api().resume(&hook.id);
    server.api().wait_for_hook(&hook.id, "nothing is left to deliver", |hook| hook.pending == Some(0));

    let mut batches: BTreeMap<String, usize> = BTreeMap::new();
    for request in receiver.requests() {
        let label = request.data()["batch"].as_str().expect("the batch's label").to_owned();
        *batches.entry(label).or_default() += 1;
    }
    assert!(batches.values().all(|events| *events == BATCH), "{batches:?}");
    for label in accepted.into_inner().expect("no panic") {
        assert!(batches.contains_key(&label), "batch {label} has receipts and was never delivered");
    }
}

/// Emits from several threads until so many more receipts are there, then kills the server in the middle of it.
fn emit_until_killed(server: &mut Server, receipts: &Receipts, numbers: &AtomicUsize, more: usize) {
    let api = server.api();
    let dying = AtomicBool::new(false);
    let mut enough = None;
    let target = receipts.lock().expect("no emitter panics").len() + more;
    thread::scope(|scope| {
        for _ in 0..EMITTERS {
            scope.spawn(|| {
                loop {
                    let number = numbers.fetch_add(1, Ordering::Relaxed) as u64;
                    let body = json!({"event": "new_lead", "data": {"n": number}}).to_string();
                    match api.try_send("POST", "/api/v1/events", JSON, Some(body.as_bytes())) {
                        Ok(reply) if reply.status == 202 => {
                            let receipt: Receipt = reply.expect(202);
                            receipts.lock().expect("no emitter panics").insert(receipt.id, number);
                        }
                        // No receipt: the event may be there or not, and nobody counts on it.
                        _ if dying.load(Ordering::Relaxed) => return,
                        _ => {}
                    }
                }
            });
        }
        enough =
            found_in_time(|| (receipts.lock().expect("no emitter panics").len() >= target).then_some(()));
        dying.store(true, Ordering::Relaxed);
        server.kill();
    });
    assert!(enough.is_some(), "too few events are accepted");
}
