//! What the conformance suite cannot see: readers beside the writer.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::event::{Body, Draft};
use crate::filter::Filter;
use crate::id::{AccountNo, EventNo, Seal, SubscriptionNo};
use crate::store::history::{DeliveryQuery, DeliveryStatus, NEWEST, Period, Topics};
use crate::store::ledger::{Durability, Ledger, Policy};
use crate::store::{
    Address, Answer, Backend, Change, Follows, NewSubscription, Replay, Settlement, Untidy, Verb,
};
use crate::subscription::{
    CustomHeaders, DeliveryPolicy, Envelope, Generation, Match, Matches, Profile, Secret, Status,
    Subscription,
};

const AT: Address = Address { account: AccountNo(1), subscription: SubscriptionNo(1) };
const BLOCKS: u64 = 150;
const EVENTS_A_BLOCK: u64 = 5;
const REPLAYS: u64 = 2_000;

fn subscription() -> Subscription {
    Subscription {
        no: SubscriptionNo(1),
        id: Seal::new(&[0; 32]).close(1, [0; 12]),
        account: AccountNo(1),
        url: "https://example.com/".parse().unwrap(),
        filter: Filter::one("new_lead".parse().unwrap()),
        condition: None,
        secret: Secret::generate(),
        envelope: Envelope::Documented,
        previous_secrets: Vec::new(),
        headers: CustomHeaders::default(),
        client_certificate: None,
        status: Status::Paused,
        generation: Generation(0),
        floor: Generation(0),
        profile: Profile::default(),
        delivery: DeliveryPolicy::default(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn draft(bytes: usize, matched: bool) -> (Draft, Matches) {
    let event_type = "new_lead".parse().unwrap();
    let draft = Draft {
        account: AccountNo(1),
        body: Body::build(
            &event_type,
            "2025-01-15T10:30:00Z",
            format!("\"{}\"", "x".repeat(bytes)).as_bytes(),
        ),
        event_type,
        accepted_at: Timestamp(0),
        idempotency: None,
        labels: None,
        only: None,
    };
    let matched = matched.then_some(Match { subscription: SubscriptionNo(1), generation: Generation(0) });
    (draft, Arc::new(matched.into_iter().collect()))
}

/// The subscription's newest deliveries.
fn newest(limit: usize) -> DeliveryQuery {
    DeliveryQuery {
        account: AT.account,
        subscription: Some(AT.subscription),
        event: None,
        topics: Topics::default(),
        hide_own: false,
        status: None,
        accepted: Period::ALWAYS,
        above: EventNo(0),
        below: NEWEST,
        limit,
    }
}

/// What became of the first attempt to deliver an event.
fn settlement(event: EventNo, outcome: Outcome, follows: Follows) -> Settlement {
    let (n, at, asked, response) = (1, Timestamp(0), false, Bytes::new());
    let attempt = Attempt { n, at, asked, outcome, duration_ms: 1, response };
    Settlement { at: AT, event, generation: Generation(0), attempt, follows, health: None }
}

/// A ledger with the subscription.
fn subscribed(directory: &Path, policy: Policy) -> Ledger {
    let mut ledger = Ledger::open(directory, Durability::FlushOnly, policy).unwrap();
    ledger.recover(&mut |_| {}).unwrap();
    let new = NewSubscription { subscription: subscription(), sibling: None };
    commit(&mut ledger, Verb::Subscribe(Box::new(new)));
    ledger
}

fn commit(ledger: &mut Ledger, verb: Verb) -> Answer {
    ledger.commit(vec![verb], Timestamp(0).into()).unwrap().answers.remove(0)
}

fn tidy(ledger: &mut Ledger) {
    while ledger.tidy(Timestamp(3_600_000).into()).unwrap() != Untidy::Nothing {}
}

/// Looks again and again, once at least, on a thread of its own until the work is over, or has panicked.
pub(super) fn look_while_working(look: impl Fn() + Send, work: impl FnOnce()) {
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(move || {
            look();
            while !over.load(Ordering::Relaxed) {
                look();
            }
        });
        let worked = panic::catch_unwind(AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        let looked = looking.join();
        worked.and(looked).unwrap_or_else(|panic| panic::resume_unwind(panic));
    });
}

#[test]
fn readers_find_what_is_kept_at_every_moment_while_blocks_are_split() {
    let directory = tempfile::tempdir().unwrap();
    let policy = Policy { age: Some(Duration::from_secs(1)), bytes: None };
    let mut ledger = subscribed(directory.path(), policy);
    // Of each block the second event and the fourth are kept; every tenth event does not fit a row, kept or not.
    for block in 0..BLOCKS {
        let large = |n: u64| (block * EVENTS_A_BLOCK + n).is_multiple_of(10) || n == block % EVENTS_A_BLOCK;
        let drafts = (0..EVENTS_A_BLOCK).map(|n| draft(if large(n) { 9_000 } else { 10 }, n % 2 == 1));
        commit(&mut ledger, Verb::Append(drafts.collect()));
    }
    let kept: Vec<EventNo> = (0..BLOCKS * EVENTS_A_BLOCK)
        .filter(|no| no % EVENTS_A_BLOCK % 2 == 1)
        .map(|no| EventNo(no + 1))
        .collect();
    let reader = ledger.reader();

    let look = || {
        for no in &kept {
            assert!(reader.event(*no).unwrap().is_some(), "event {} is not found", no.0);
        }
        let listed = reader.deliveries(&newest(10_000)).unwrap().items;
        let listed: BTreeSet<EventNo> = listed.iter().map(|delivery| delivery.event.no).collect();
        let missing = kept.iter().find(|no| !listed.contains(no));
        assert_eq!(missing, None, "it is in no list");
    };
    look_while_working(look, || tidy(&mut ledger));

    let expired = reader.retained().unwrap().expired.events;
    assert_eq!(expired, BLOCKS * EVENTS_A_BLOCK - kept.len() as u64);
    assert_eq!(
        reader.backlog(&subscription(), crate::store::Lane::Fresh, EventNo(0), 10_000).unwrap().waiting.len(),
        kept.len()
    );
}

#[test]
fn what_is_not_durable_yet_is_in_no_list() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = subscribed(directory.path(), Policy { age: None, bytes: None });
    let reader = ledger.reader();
    let look = || {
        let listed = reader.deliveries(&newest(3)).unwrap().items;
        let delivered = listed.iter().find(|one| one.status != DeliveryStatus::Pending);
        assert_eq!(delivered, None, "nothing was attempted");
    };
    look_while_working(look, || {
        (0..REPLAYS).for_each(|_| drop(commit(&mut ledger, Verb::Append(vec![draft(10, true)]))));
    });
}

/// A delivery fails and its hook is given up at every moment of a pass.
#[test]
fn a_dead_letter_is_never_taken_for_delivered() {
    let policy = Policy { age: Some(Duration::from_secs(1)), bytes: None };
    let follows = Follows::Retry { due: Timestamp(0), retries: 1 };
    let failed = settlement(EventNo(2), Outcome::Failed(ErrorKind::Connect), follows);
    for (fails_after, given_up_after) in (0..24).flat_map(|n| (0..6).map(move |m| (n, m))) {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = subscribed(directory.path(), policy);
        let reader = ledger.reader();
        (0..5).for_each(|_| drop(commit(&mut ledger, Verb::Append(vec![draft(10, true)]))));
        let steps = |ledger: &mut Ledger, count| {
            for _ in 0..count {
                ledger.tidy(Timestamp(3_600_000).into()).unwrap();
                let status = reader.delivery(AT, EventNo(2)).unwrap().map(|delivery| delivery.status);
                assert_ne!(status, Some(DeliveryStatus::Delivered), "{fails_after} {given_up_after}");
            }
        };
        steps(&mut ledger, fails_after);
        commit(&mut ledger, Verb::Settle(failed.clone()));
        steps(&mut ledger, given_up_after);
        let reason = "it failed".to_owned();
        commit(&mut ledger, Verb::Change(AT, Change::Deactivate { reason }));
        commit(&mut ledger, Verb::Append(vec![draft(10, true)]));
        steps(&mut ledger, 40);
        assert!(reader.delivery(AT, EventNo(2)).unwrap().is_none(), "it has expired");
    }
}

/// Events that matched nothing are delivered by a replay, while somebody looks at them.
#[test]
fn a_replayed_delivery_is_found_at_every_moment() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = subscribed(directory.path(), Policy { age: None, bytes: None });
    let (reader, replayed) = (ledger.reader(), AtomicU64::new(0));

    let look = || {
        let no = replayed.load(Ordering::Relaxed);
        let found = no == 0 || reader.delivery(AT, EventNo(no)).unwrap().is_some();
        assert!(found, "the delivery of event {no} is not found");
    };
    look_while_working(look, || {
        for no in (1..=REPLAYS).map(EventNo) {
            commit(&mut ledger, Verb::Append(vec![draft(10, false)]));
            let replay = Replay { at: AT, events: vec![(no, 0)], read_at: reader.commits() };
            assert!(matches!(commit(&mut ledger, Verb::Replay(replay)), Answer::Replayed(1)));
            replayed.store(no.0, Ordering::Relaxed);
            commit(
                &mut ledger,
                Verb::Settle(settlement(
                    no,
                    Outcome::Answered { status: 200, retry_after: None },
                    Follows::Done,
                )),
            );
        }
    });
}
