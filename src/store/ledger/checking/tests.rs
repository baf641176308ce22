//! Violations put in by hand, each of which must be named.

use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use sled::IVec;
use tempfile::TempDir;

use super::*;
use crate::clock::Timestamp;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::ledger::blocks;
use crate::store::ledger::keys::{self, Block, Kind, Pair};
use crate::store::ledger::open_sled;
use crate::store::ledger::sync::{Batch, Syncer};
use crate::store::ledger::values::{
    AttemptChapterV1, Counters, EventBlock, EventChapterV1, ToldV1, Value, encode,
};
use crate::store::tail::Cursor;
use crate::store::{Address, Retry};
use crate::subscription::Generation;

/// A data directory with something of everything.
fn used(fixture: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let archive = GzDecoder::new(File::open(path).unwrap());
    tar::Archive::new(archive).unpack(directory.path()).unwrap();
    directory
}

fn opened(directory: &TempDir) -> Syncer {
    open_files(&directory.path().join("data/ledger"), Durability::default(), Policy::default(), None).unwrap()
}

fn found_in(directory: &TempDir) -> Vec<Violation> {
    let mut found = Vec::new();
    let data_dir = directory.path().join("data");
    let checked = check(&data_dir, &mut |violation| found.push(violation)).unwrap();
    assert_eq!(checked.violations, found.len() as u64);
    found
}

/// The first row of a kind.
fn first(store: &Syncer, wanted: Kind) -> (IVec, IVec) {
    let mut rows = store.table().iter().map(Result::unwrap);
    rows.find(|(key, _)| keys::kind(key) == Some(wanted)).unwrap()
}

/// The first block that lies in pieces, or does not, after some others.
fn block(store: &Syncer, in_pieces: bool) -> (u64, IVec) {
    let rows = store.table().range(Block::Events.range(2..=u64::MAX)).map(Result::unwrap);
    let heads = rows.filter_map(|(key, value)| match Block::read(&key) {
        Some((no, 0)) => Some((no, value)),
        _ => None,
    });
    let mut wanted = heads.filter(|(_, value)| (value[0] == blocks::IN_PIECES) == in_pieces);
    wanted.next().unwrap()
}

fn retry(event: u64) -> Vec<u8> {
    let (due, event) = (Timestamp(1), EventNo(event));
    Retry { due, event, generation: Generation(0), attempts: 1, retries: 1, given_up: false }.encode()
}

fn put(store: &Syncer, key: &[u8], value: impl Into<IVec>) {
    store.apply(&Batch::from([(key.into(), Some(value.into().to_vec()))])).unwrap();
}

fn remove(store: &Syncer, key: impl AsRef<[u8]>) {
    store.apply(&Batch::from([(key.as_ref().into(), None)])).unwrap();
}

/// A way to break an invariant.
type Breach = (Invariant, fn(&Syncer));

const BREACHES: &[Breach] = &[
    (Invariant::RowsAreKnown, |store| put(store, b"zzz", vec![1])),
    (Invariant::RowsAreKnown, |store| put(store, b"e123", vec![1])),
    (Invariant::ValuesCanBeRead, |store| put(store, b"aother", vec![9])),
    (Invariant::ValuesCanBeRead, |store| {
        put(store, &Block::Events.key(block(store, false).0, 0), vec![1, 2])
    }),
    (Invariant::ValuesCanBeRead, |store| {
        put(store, &first(store, Kind::Pair(Pair::Retry)).0, vec![7]);
    }),
    (Invariant::BlocksAreWhole, |store| {
        remove(store, Block::Events.key(block(store, true).0, 2));
    }),
    (Invariant::BlocksAreWhole, |store| {
        remove(store, Block::Events.key(block(store, true).0, 0));
    }),
    (Invariant::BlocksAreWhole, |store| put(store, &Block::Settlements.key(1 << 40, 1), vec![1])),
    (Invariant::BlocksAreOrdered, |store| {
        let (no, value) = block(store, false);
        let (mut longer, same) = (EventBlock::decode(&value).unwrap(), EventBlock::decode(&value).unwrap());
        longer.events.extend(same.events);
        put(store, &Block::Events.key(no, 0), longer.encode());
    }),
    (Invariant::BlocksAreOrdered, |store| {
        // An old block as if it were new.
        let (_, value) = block(store, false);
        put(store, &Block::Events.key(1_000_000, 0), value);
    }),
    (Invariant::ChaptersNameAll, |store| {
        let no = block(store, false).0;
        let nobodys =
            EventChapterV1 { events: 1, accepted: (0, u64::MAX), accounts: vec![], subscriptions: vec![] };
        put(store, &Block::EventChapter.key(no, 0), encode(&nobodys));
        put(store, &Block::Postings.key(no, 0), vec![]);
    }),
    (Invariant::ChaptersNameAll, |store| {
        let (key, _) = first(store, Kind::Block(Block::Settlements));
        let (no, _) = Block::read(&key).unwrap();
        let silent = AttemptChapterV1 { span: 1, ..Default::default() };
        put(store, &Block::AttemptChapter.key(no, 0), encode(&silent));
        put(store, &Block::Told.key(no, 0), encode(&Vec::<ToldV1>::new()));
    }),
    (Invariant::CursorIsInPlace, |store| {
        put(store, keys::CURSOR, Cursor { event: EventNo(1_000_000), commit: 1 }.encode());
    }),
    (Invariant::CursorIsInPlace, |store| {
        put(store, keys::CURSOR, Cursor { event: EventNo(1), commit: 1_000_000 }.encode());
    }),
    (Invariant::CursorIsInPlace, |store| {
        put(store, keys::CURSOR, Cursor { event: EventNo(1), commit: 1 }.encode());
        remove(store, Block::Events.key(block(store, false).0, 0));
    }),
    (Invariant::WaitingEventsExist, |store| {
        let (key, _) = first(store, Kind::Pair(Pair::Retry));
        let (hook, _) = Pair::read(&key).unwrap();
        put(store, &Pair::Retry.key(hook, EventNo(1_000_000)), retry(1_000_000));
    }),
    (Invariant::WaitingHooksExist, |store| {
        put(store, &Pair::Retry.key(SubscriptionNo(900), EventNo(1)), retry(1));
    }),
    (Invariant::WaitingHooksExist, |store| {
        let (_, value) = first(store, Kind::Health);
        put(store, &keys::health(SubscriptionNo(900)), value);
    }),
    (Invariant::PagesAreOrdered, |store| {
        let (key, value) = first(store, Kind::Pair(Pair::Page));
        let (hook, event) = Pair::read(&key).unwrap();
        put(store, &Pair::Page.key(hook, event.next()), value);
    }),
    (Invariant::ProgressHasItsPage, |store| {
        put(store, &Pair::Progress.key(SubscriptionNo(1), EventNo(77)), vec![1]);
    }),
    (Invariant::ProgressHasItsPage, |store| {
        let (key, _) = first(store, Kind::Pair(Pair::Page));
        let (hook, event) = Pair::read(&key).unwrap();
        put(store, &Pair::Progress.key(hook, event), vec![0; 1_000]);
    }),
    (Invariant::AccountsExist, |store| {
        let (key, value) = first(store, Kind::Subscription);
        let at = keys::read_subscription(&key).unwrap();
        remove(store, key);
        put(store, &keys::subscription(Address { account: AccountNo(99), ..at }), value);
    }),
    (Invariant::AccountsExist, |store| {
        remove(store, first(store, Kind::Account).0);
    }),
    (Invariant::NothingIsTwice, |store| put(store, b"aother", first(store, Kind::Account).1)),
    (Invariant::NothingIsTwice, |store| {
        let (key, value) = first(store, Kind::Subscription);
        let at = keys::read_subscription(&key).unwrap();
        put(store, &keys::subscription(Address { subscription: SubscriptionNo(900), ..at }), value);
    }),
    (Invariant::NumbersAreFresh, |store| {
        put(store, keys::COUNTERS, encode(&Counters { next_subscription: 1_000, next_account: 1 }));
    }),
    (Invariant::NumbersAreFresh, |store| {
        put(store, keys::COUNTERS, encode(&Counters { next_subscription: 1, next_account: 1_000 }));
    }),
];

/// A power cut while sled writes a snapshot leaves the beginning of one.
#[test]
fn a_snapshot_that_was_cut_off_is_no_damage_and_one_that_is_being_written_stays() {
    let directory = used("0.1.0-early-killed.tar.gz");
    let unfinished = directory.path().join("data/ledger/snap.0000000000000001.generating");
    std::fs::write(&unfinished, [0; 10]).unwrap();
    assert_eq!(found_in(&directory), []);
    assert!(!unfinished.exists());

    let held = open_sled(&directory.path().join("data/ledger")).unwrap();
    std::fs::write(&unfinished, [0; 10]).unwrap();
    let in_use = check(&directory.path().join("data"), &mut |_| ()).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse(_)), "{in_use}");
    assert!(unfinished.exists());
    drop(held);
}

#[test]
fn what_a_server_left_breaks_no_invariant() {
    for fixture in ["0.1.0-early-stopped.tar.gz", "0.1.0-early-killed.tar.gz"] {
        let directory = used(fixture);
        assert_eq!(found_in(&directory), []);
        let checked = check(&directory.path().join("data"), &mut |_| {}).unwrap();
        assert!(checked.rows > 50 && checked.events > 50 && checked.hooks >= 5, "{checked:?}");
    }
}

/// An upgrade is killed while it copies blocks, or when all is copied and sled does not know yet.
#[test]
fn an_upgrade_that_was_cut_off_begins_anew_or_goes_on() {
    let whole = used("0.1.0-early-killed.tar.gz");
    let expected = check(&whole.path().join("data"), &mut |_| {}).unwrap();
    let upgraded = whole.path().join("data/ledger/log");

    let directory = used("0.1.0-early-killed.tar.gz");
    let unfinished = directory.path().join("data/ledger/log.new");
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::write(unfinished.join("0000000001.log"), [7; 1000]).unwrap();
    let checked = check(&directory.path().join("data"), &mut |_| {}).unwrap();
    assert_eq!((checked, unfinished.exists()), (expected, false));

    let directory = used("0.1.0-early-killed.tar.gz");
    let finished = directory.path().join("data/ledger/log");
    std::fs::create_dir(&finished).unwrap();
    for file in std::fs::read_dir(upgraded).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), finished.join(file.file_name())).unwrap();
    }
    assert_eq!(check(&directory.path().join("data"), &mut |_| {}).unwrap(), expected);
}

#[test]
fn what_a_hook_that_is_gone_left_may_outlive_its_events() {
    let directory = used("0.1.0-early-killed.tar.gz");
    let store = opened(&directory);
    put(&store, &Pair::Retry.key(SubscriptionNo(900), EventNo(1_000_000)), retry(1_000_000));
    put(&store, &keys::garbage(SubscriptionNo(900)), vec![]);
    drop(store);
    assert_eq!(found_in(&directory), []);
}

#[test]
fn every_violation_is_named() {
    for (number, (invariant, breach)) in BREACHES.iter().enumerate() {
        let directory = used("0.1.0-early-killed.tar.gz");
        let store = opened(&directory);
        breach(&store);
        drop(store);
        let found = found_in(&directory);
        let named = found.iter().any(|violation| violation.invariant == *invariant);
        assert!(named, "breach {number} of {invariant}: {found:?}");
    }
    let all = ALL.iter().filter(|one| !BREACHES.iter().any(|(invariant, _)| invariant == *one));
    assert_eq!(all.collect::<Vec<_>>(), Vec::<&Invariant>::new());
}

#[test]
fn what_is_no_store_is_not_made_one() {
    let directory = tempfile::tempdir().unwrap();
    let refused = check(directory.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, OpenError::Missing(_)), "{refused}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// All there are; a match that misses one does not compile.
const ALL: &[Invariant] = &{
    use Invariant::*;
    let (RowsAreKnown | ValuesCanBeRead | BlocksAreWhole | BlocksAreOrdered | CursorIsInPlace
    | WaitingEventsExist | WaitingHooksExist | PagesAreOrdered | ProgressHasItsPage | AccountsExist
    | NothingIsTwice | NumbersAreFresh | ChaptersNameAll) = RowsAreKnown;
    [
        RowsAreKnown,
        ValuesCanBeRead,
        BlocksAreWhole,
        BlocksAreOrdered,
        CursorIsInPlace,
        WaitingEventsExist,
        WaitingHooksExist,
        PagesAreOrdered,
        ProgressHasItsPage,
        AccountsExist,
        NothingIsTwice,
        NumbersAreFresh,
    ]
};
