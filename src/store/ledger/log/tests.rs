//! The log and the table above it, against a map: whatever happens between two looks, they hold the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sled::IVec;

use super::*;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::ledger::keys::{Block, Pair};
use crate::store::ledger::open_files;
use crate::store::ledger::retention::Policy;
use crate::store::ledger::sync::{Batch, Syncer};
use crate::store::ledger::table::Table;
use crate::store::ledger::tests::look_while_working;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(directory: &Path) -> Syncer {
    open_with(directory, Durability::FlushOnly)
}

fn open_with(directory: &Path, durability: Durability) -> Syncer {
    open_files(directory, durability, Policy::default(), None).unwrap()
}

fn refused(directory: &Path) -> String {
    open_files(directory, Durability::FlushOnly, Policy::default(), None).err().unwrap().to_string()
}

/// A row of the log, or one of sled's.
fn key(random: &mut StdRng) -> IVec {
    let no = random.random_range(0..40);
    match random.random_range(0..3) {
        0 => Pair::Retry.key(SubscriptionNo(no % 4), EventNo(no)).as_slice().into(),
        1 => Block::Settlements.key(no, 0).as_slice().into(),
        _ => Block::Events.key(no, 0).as_slice().into(),
    }
}

fn batch(random: &mut StdRng) -> Batch {
    let row = |random: &mut StdRng| {
        let value = vec![random.random(); random.random_range(0..200)];
        (key(random), random.random_ratio(2, 3).then_some(value))
    };
    (0..random.random_range(0..8)).map(|_| row(random)).collect()
}

fn note(model: &mut Model, batch: &Batch) {
    for (key, value) in batch {
        match value {
            Some(value) => drop(model.insert(key.to_vec(), value.clone())),
            None => drop(model.remove(&key[..])),
        }
    }
}

fn owned(row: Result<(IVec, IVec), Error>) -> (Vec<u8>, Vec<u8>) {
    let (key, value) = row.unwrap();
    (key.to_vec(), value.to_vec())
}

fn compare(table: &Table, model: &Model, random: &mut StdRng, here: &str) {
    let all: Model = table.iter().map(owned).collect();
    assert_eq!(&all, model, "{here}");
    let ranges = [
        Pair::Retry.of(SubscriptionNo(random.random_range(0..4))).into_inner(),
        Pair::Retry.all().into_inner(),
    ];
    for (start, end) in ranges {
        let expected: Vec<_> =
            model.range(start.to_vec()..=end.to_vec()).map(|(k, v)| (k.clone(), v.clone())).collect();
        let found: Vec<_> = table.range(start..=end).map(owned).collect();
        assert_eq!(found, expected, "{here}");
        let mut found: Vec<_> = table.range(start..=end).rev().map(owned).collect();
        found.reverse();
        assert_eq!(found, expected, "{here}, backwards");
    }
    let (start, end) = Block::Events.range(random.random_range(0..40)..=30).into_inner();
    if start <= end {
        let expected: Vec<_> =
            model.range(start.to_vec()..=end.to_vec()).map(|(key, _)| key.clone()).collect();
        let found: Vec<_> = table.range(start..=end).keys().map(|key| key.unwrap().to_vec()).collect();
        assert_eq!(found, expected, "{here}");
        let last = table.range(start..=end).rev().keys().next().map(|key| key.unwrap().to_vec());
        assert_eq!(last, expected.last().cloned(), "{here}");
    }
    let key = key(random);
    assert_eq!(table.get(&key).unwrap().map(|value| value.to_vec()), model.get(&key[..]).cloned(), "{here}");
    assert_eq!(table.contains_key(&key).unwrap(), model.contains_key(&key[..]), "{here}");
}

#[test]
fn the_table_holds_what_was_put_whatever_happens() {
    for seed in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let durability = if seed < 15 { Durability::FlushOnly } else { Durability::SyncAfterFlush };
        let (mut store, mut model) = (open_with(directory.path(), durability), Model::new());
        let mut random = StdRng::seed_from_u64(seed);
        for step in 0..600 {
            match random.random_range(0..40) {
                0 => store.checkpoint().unwrap(),
                1 | 2 => store.sync().unwrap(),
                3..8 => while random.random_ratio(9, 10) && store.clean().unwrap() {},
                8 => {
                    if random.random() {
                        store.abandon();
                    }
                    drop(store);
                    store = open_with(directory.path(), durability);
                }
                _ => {
                    let batch = batch(&mut random);
                    store.make_room().unwrap();
                    store.apply(&batch).unwrap();
                    note(&mut model, &batch);
                }
            }
            compare(store.table(), &model, &mut random, &format!("seed {seed}, step {step}"));
        }
        assert!(segment::numbers(&directory.path().join(LOG_DIRECTORY)).unwrap()[0] > 3, "seed {seed}");
    }
}

/// Half of the rows are there all the time; a reader misses none of them, while they go to sled and others change.
#[test]
fn readers_miss_nothing_while_rows_go_to_sled() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let row = |no: u64| Pair::Retry.key(SubscriptionNo(1), EventNo(no));
    let mut random = StdRng::seed_from_u64(1);
    let lasting: Batch = (0..100).map(|no| (row(no * 2).as_slice().into(), Some(vec![7; 30]))).collect();
    store.apply(&lasting).unwrap();
    let look = |is_backwards: bool| {
        let rows = store.table().range(Pair::Retry.of(SubscriptionNo(1)));
        let rows = if is_backwards { rows.rev() } else { rows };
        let found: Vec<u64> = rows.map(|row| Pair::read(&row.unwrap().0).unwrap().1.0).collect();
        assert!(found.is_sorted_by(|a, b| if is_backwards { a > b } else { a < b }));
        assert_eq!(found.iter().filter(|no| *no % 2 == 0).count(), 100);
    };
    let work = || {
        for _ in 0..400 {
            let mut batch = Batch::new();
            for _ in 0..10 {
                let no = random.random_range(0..200);
                let value = (no % 2 == 0 || random.random()).then(|| vec![7; 30]);
                batch.insert(row(no).as_slice().into(), value);
            }
            store.apply(&batch).unwrap();
            store.sync().unwrap();
            if random.random_ratio(1, 5) {
                store.checkpoint().unwrap();
            }
        }
    };
    look_while_working(|| look(false), || look_while_working(|| look(true), work));
}

/// A store whose log has some segments; the last batch changed one row of sled's.
fn used(directory: &Path) -> Model {
    used_with(directory, Durability::FlushOnly)
}

fn used_with(directory: &Path, durability: Durability) -> Model {
    let store = open_with(directory, durability);
    let (mut model, mut random) = (Model::new(), StdRng::seed_from_u64(3));
    for _ in 0..60 {
        let batch = batch(&mut random);
        store.apply(&batch).unwrap();
        note(&mut model, &batch);
    }
    let last =
        Batch::from([(Pair::Retry.key(SubscriptionNo(1), EventNo(1)).as_slice().into(), Some(vec![1]))]);
    store.apply(&last).unwrap();
    note(&mut model, &last);
    store.abandon();
    model
}

fn last_segment(directory: &Path) -> PathBuf {
    let directory = directory.join(LOG_DIRECTORY);
    segment::path(&directory, *segment::numbers(&directory).unwrap().last().unwrap())
}

#[test]
fn what_a_crash_tears_is_gone_as_a_whole_and_the_log_goes_on_behind_what_is_left() {
    torn(Durability::FlushOnly, |path, end| {
        File::options().write(true).open(path).unwrap().set_len(end - 1).unwrap();
    });
    // What was written ahead stands behind it.
    torn(Durability::SyncAfterFlush, |path, end| {
        let file = File::options().write(true).open(path).unwrap();
        assert!(file.metadata().unwrap().len() > end);
        segment::write_at(&file, &[0], end - 1).unwrap();
    });
}

/// Has the last batch torn, given the segment and where it ends.
fn torn(durability: Durability, tear: impl Fn(&Path, u64)) {
    let directory = tempfile::tempdir().unwrap();
    let mut model = used_with(directory.path(), durability);
    model.remove(&Pair::Retry.key(SubscriptionNo(1), EventNo(1))[..]);
    let path = last_segment(directory.path());
    let end = fs::read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    tear(&path, end as u64);
    let store = open_with(directory.path(), durability);
    let before: Model = store.table().iter().map(owned).collect();
    assert!(before.len() >= model.len() - 1 && !before.values().any(|value| *value == [1]));

    let fresh = Batch::from([(Block::Events.key(77, 0).as_slice().into(), Some(vec![9]))]);
    store.apply(&fresh).unwrap();
    store.sync().unwrap();
    drop(store);
    let store = open_with(directory.path(), durability);
    assert_eq!(store.table().get(Block::Events.key(77, 0)).unwrap().unwrap(), [9]);
    assert_eq!(store.table().iter().count(), before.len() + 1);
}

#[test]
fn a_segment_that_is_missing_or_damaged_or_of_another_log_is_named() {
    let directory = tempfile::tempdir().unwrap();
    used(directory.path());
    let log = directory.path().join(LOG_DIRECTORY);
    let numbers = segment::numbers(&log).unwrap();
    assert!(numbers.len() > 3, "{numbers:?}");
    for no in &numbers[..numbers.len() - 1] {
        let path = segment::path(&log, *no);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(refused(directory.path()).contains("missing"));

        let mut damaged = whole.clone();
        damaged[3] ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert!(refused(directory.path()).contains("makes no sense"));

        let mut other = whole.clone();
        other[..segment::HEAD].copy_from_slice(&head_of_another(&whole));
        fs::write(&path, &other).unwrap();
        assert!(refused(directory.path()).contains("of another log"));
        fs::write(&path, &whole).unwrap();
    }
    assert!(open_files(directory.path(), Durability::FlushOnly, Policy::default(), None).is_ok());
}

/// The head of a segment with the same number, of a log that is known by another name.
fn head_of_another(whole: &[u8]) -> [u8; segment::HEAD] {
    let directory = tempfile::tempdir().unwrap();
    let (_, first) = segment::read_head(&mut &whole[..]).unwrap().unwrap();
    drop(segment::create(directory.path(), 1, [9; 8], first).unwrap());
    fs::read(segment::path(directory.path(), 1)).unwrap().try_into().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_flipped_bit_in_a_closed_segment_is_found_or_changes_nothing(at: prop::sample::Index, bit in 0..8) {
        let directory = tempfile::tempdir().unwrap();
        let model = used(directory.path());
        open(directory.path()).checkpoint().unwrap();
        let log = directory.path().join(LOG_DIRECTORY);
        let path = segment::path(&log, segment::numbers(&log).unwrap()[1]);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        fs::write(&path, bytes).unwrap();
        if let Ok(store) = open_files(directory.path(), Durability::FlushOnly, Policy::default(), None) {
            for row in store.table().iter() {
                let Ok((key, value)) = row else { continue };
                prop_assert_eq!(Some(&value.to_vec()), model.get(&key[..]));
            }
        }
    }
}
