//! Noisy accounts: one that emits as fast as it can takes from others neither their room nor their turns.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use futures::FutureExt;
use futures::future::join_all;
use hookyard::account::AccountId;
use serde_json::{Value, json};

use crate::support::embedding::{lead, open, quick};
use crate::support::exposition::Exposition;
use crate::support::patience::found_in_time;
use crate::support::server::Server;
use crate::support::settings::Settings;

#[test]
fn an_account_that_is_refused_for_all_it_emits_leaves_room_for_others() {
    const CALLERS: usize = 24;
    let settings = Settings::quick()
        .set("rate_limits.key_requests_per_second", "0")
        .set("rate_limits.account_events_per_second", "0")
        .set("limits.in_flight_events", "1000")
        .set("limits.batch_events", "100");
    let server = Server::start_with(settings);
    let (noisy, quiet) = (server.api().account("noisy"), server.api().account("quiet"));
    let batch = Value::from(vec![json!({"event": "new_lead", "data": 1}); 100]);
    let (refused, enough) = (AtomicUsize::new(0), AtomicBool::new(false));

    let answers = thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    match noisy.emitting(&batch).status {
                        202 => {}
                        503 => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        status => panic!("the answer was {status}"),
                    }
                }
            });
        }
        let full = found_in_time(|| (refused.load(Ordering::Relaxed) > CALLERS).then_some(()));
        let emit = |n| quiet.emitting(&json!({"event": "new_lead", "data": n})).status;
        let answers: Vec<u16> = full.into_iter().flat_map(|()| 0..100).map(emit).collect();
        enough.store(true, Ordering::Relaxed);
        answers
    });

    assert_eq!(answers, [202; 100]);
}

/// The callers share one thread: while the one that counts is not running, none of the others can emit more.
#[tokio::test]
async fn an_event_does_not_wait_until_all_of_a_flood_is_on_disk() {
    const FLOOD: usize = 20_000;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let noisy: AccountId = "noisy".parse().expect("an account id");
    hookyard.create_account(Some(noisy.clone())).await.expect("the store accepts it");
    let emits = (0..FLOOD).map(|n| {
        let (hookyard, noisy) = (hookyard.clone(), noisy.clone());
        async move { hookyard.emit(lead(n).account(noisy)).await }
    });
    let mut flood = Box::pin(join_all(emits));
    // Each of them is on its way, or waits for its turn.
    assert!(tokio::task::unconstrained(&mut flood).now_or_never().is_none());
    let flood = tokio::spawn(flood);

    hookyard.emit(lead(0)).await.expect("accepted");

    let accepted = Exposition::parse(&hookyard.metrics()).value("hookyard_events_accepted_total");
    assert!(accepted < (FLOOD / 2) as f64, "{accepted} events of another went before");
    let receipts = flood.await.expect("the flood does not panic");
    assert!(receipts.iter().all(Result::is_ok));
}
