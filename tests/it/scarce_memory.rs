//! A server that gets no more memory: it refuses or ends, and whatever has a receipt is delivered.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use crate::support::api::JSON;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// So much more may be had than is in use.
const SPARE_BYTES: u64 = 32 << 20;
/// Callers at once, each with a batch of nearly the largest size.
const CALLERS: usize = 8;
const EVENTS: usize = 15;
const DATA_BYTES: usize = 1_000_000;

#[test]
fn batches_that_no_memory_is_left_for_cost_no_receipt() {
    // The allocator takes memory in small portions, of which it has none to spare.
    let settings = Settings::quick().variable("MIMALLOC_ARENA_RESERVE", "16MiB");
    let mut server = Server::start_with(settings);
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    let mut acknowledged = BTreeSet::from([api.emit("new_lead", &json!("before")).id]);

    server.limit_memory(SPARE_BYTES);
    let batch = vec![json!({"event": "new_lead", "data": "x".repeat(DATA_BYTES)}); EVENTS];
    let (body, answers) = (Value::from(batch).to_string(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let answer = api.try_send("POST", "/api/v1/events", JSON, Some(body.as_bytes()));
                answers.lock().expect("no caller panics").push(answer);
            });
        }
    });

    let answers = answers.into_inner().expect("no caller panics");
    let mut without = 0;
    for answer in answers {
        match answer {
            Ok(reply) if reply.status == 202 => {
                let receipts: Vec<Value> = reply.expect(202);
                acknowledged
                    .extend(receipts.iter().filter_map(|receipt| Some(receipt["id"].as_str()?.to_owned())));
            }
            Ok(reply) => {
                assert!(matches!(reply.status, 408 | 503), "{}", reply.describe());
                without += 1;
            }
            Err(_) => without += 1,
        }
    }
    assert!(without > 0, "the memory was enough for all of them");
    server.kill();
    server.restart();

    server.api().resume(&hook.id);
    server.api().wait_for_hook(&hook.id, "nothing is left to deliver", |hook| hook.pending == Some(0));
    let arrived: BTreeSet<String> = receiver.webhook_ids().into_iter().collect();
    assert!(acknowledged.is_subset(&arrived), "an acknowledged event is lost");
}
