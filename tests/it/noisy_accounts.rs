//! Noisy accounts: one that emits as fast as it can takes from others neither their room nor their turns.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{iter, thread};

use futures::future::join_all;
use hookyard::account::AccountId;
use hookyard::{Event, Receipt};
use serde_json::{Value, json};
use tokio::task::unconstrained;

use crate::support::embedding::{lead, open, quick};
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

#[tokio::test]
async fn an_event_does_not_wait_until_all_of_a_flood_is_on_disk() {
    const FLOOD: usize = 3_000;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let accounts: [AccountId; 2] = ["noisy", "quiet"].map(|name| name.parse().expect("an account id"));
    for account in accounts.clone() {
        hookyard.create_account(Some(account)).await.expect("the store accepts it");
    }
    let [noisy, quiet] = &accounts;

    // Far more than a disk takes while they are emitted, in this order: they are under way, or wait for their turn.
    let large = Event::new("new_lead", &"x".repeat(64 << 10)).expect("it serialises");
    let flood = iter::repeat_n(large.account(noisy.clone()), FLOOD);
    let emits = flood.chain([lead(0).account(quiet.clone())]).map(|event| hookyard.emit(event));
    let receipts = unconstrained(join_all(emits)).await;

    let synced_at = async |account: &AccountId, receipt: &Receipt| {
        let history = hookyard.event(account, receipt.id).await.expect("it is there");
        history.synced_at.expect("it is known")
    };
    let mut receipts: Vec<Receipt> = receipts.into_iter().map(|receipt| receipt.expect("accepted")).collect();
    let at = synced_at(quiet, &receipts.pop().expect("the last one")).await;
    let (mut asked, mut before) = (0, 0);
    for receipt in receipts.iter().step_by(10) {
        asked += 1;
        before += usize::from(synced_at(noisy, receipt).await < at);
    }
    eprintln!("BEFORE {before}");
    assert!(before < asked / 2, "{before} of {asked} events of another were on disk before");
}
