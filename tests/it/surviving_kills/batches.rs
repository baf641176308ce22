//! A batch is all or nothing, also when a kill cuts it off.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::api::JSON;
use crate::support::patience::found_in_time;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

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
