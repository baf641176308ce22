//! Files that are not what was written: a store opens with all that was acknowledged, or says what to do.
//!
//! What is damaged where nobody looks at the start is told when it is read; it is never taken for something that was
//! not there.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt;
use hookyard::hookyard::{DeliveryStatus, EventHistory, LookupError};
use hookyard::id::{EventId, HookId};
use hookyard::{Event, Hookyard, Subscribe};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::embedding::{account, leads, open, quick, subscribe, wait_until_all_is_delivered};
use crate::support::receiver::Receiver;

/// The log, of which there is so much.
const SEGMENT: &str = "log/0000000001.log";
/// Bytes of the events' data, in turn: small ones share a row, large ones lie in pieces.
const SIZES: [usize; 6] = [10, 200, 900, 3_000, 9_000, 20_000];
const EVENTS: usize = 150;
/// How many places of the store's file are damaged, one at a time.
const PLACES: u64 = 60;
/// Longer than any opening takes.
const OPENING: Duration = Duration::from_secs(30);

/// What a store acknowledged.
struct Acknowledged {
    events: BTreeMap<EventId, (usize, Vec<DeliveryStatus>)>,
    hooks: Vec<HookId>,
}

/// What came of a damaged store.
#[derive(Debug, Default)]
struct Outcomes {
    whole: usize,
    refused: usize,
    /// Opened, and said of something that it cannot be read.
    told: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_opens_whole_or_says_what_to_do() {
    let store = tempfile::tempdir().expect("a temporary directory");
    let acknowledged = fill(store.path()).await;
    let mut outcomes = Outcomes::default();

    for (what, damage) in damages(store.path()) {
        let copy = copy_of(store.path());
        damage(copy.path());
        outcomes.count(&what, look_over(copy.path(), &acknowledged).await);
    }

    assert_eq!(look_over(store.path(), &acknowledged).await, Ok(0), "the store itself");
    // Places that matter were hit, and places that do not.
    assert!(outcomes.whole > 0 && outcomes.refused > 0, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_files_is_refused_and_not_begun_anew() {
    let store = tempfile::tempdir().expect("a temporary directory");
    let acknowledged = fill(store.path()).await;

    for gone in [&["db"] as &[_], &["db", "conf"], &[SEGMENT], &["db", SEGMENT], &["conf"], &["mark"]] {
        let copy = copy_of(store.path());
        gone.iter().for_each(|file| fs::remove_file(file_of(copy.path(), file)).expect("it is there"));
        let looked = look_over(copy.path(), &acknowledged).await;
        if gone.contains(&"db") || gone.contains(&SEGMENT) {
            let why = looked.expect_err("a store without its rows is none");
            assert!(why.contains("Restore a backup"), "{gone:?}: {why}");
        } else {
            assert_eq!(looked, Ok(0), "{gone:?} can be made anew");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_can_be_opened_once_somebody_says_so() {
    let store = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(store.path())).await;
    hookyard.emit_batch(leads(1_000)).await.expect("accepted");
    // As a kill leaves it: what came last is in the log alone.
    let copy = copy_of(store.path());
    hookyard.shutdown().await;
    cut(copy.path(), SEGMENT, size_of(copy.path(), SEGMENT) / 2);

    let why = Hookyard::open(quick(copy.path())).await.err().expect("it is refused").to_string();
    let mark = file_of(copy.path(), "mark");
    assert!(why.contains(&format!("remove {}", mark.display())), "{why}");
    fs::remove_file(mark).expect("it is there");
    open(quick(copy.path())).await.shutdown().await;
}

/// Fills a store and stops it; what it acknowledged.
async fn fill(directory: &Path) -> Acknowledged {
    let hookyard = open(quick(directory)).await;
    let receiver = Receiver::answering([200]);
    let delivered = subscribe(&hookyard, &receiver).await;
    let wish = Subscribe::new(receiver.url("/waits"), "new_lead");
    let waiting = hookyard.subscribe(wish).await.expect("the hook is accepted").hook.subscription.id;
    hookyard.pause(&account(), waiting).await.expect("it is paused");
    let mut events = BTreeMap::new();
    for (number, size) in SIZES.into_iter().cycle().take(EVENTS).enumerate() {
        let event = Event::new("new_lead", &json!({"n": number, "text": "x".repeat(size)}));
        let receipt = hookyard.emit(event.expect("it serialises")).await.expect("accepted");
        events.insert(receipt.id, (number, Vec::new()));
    }
    wait_until_all_is_delivered(&hookyard, delivered).await;
    for (id, (_, statuses)) in &mut events {
        *statuses = statuses_of(&hookyard.event(&account(), *id).await.expect("it is there"));
    }
    hookyard.shutdown().await;
    Acknowledged { events, hooks: vec![delivered, waiting] }
}

/// Opens a store and looks at all that was acknowledged; how much of it cannot be read, or why it does not open.
async fn look_over(directory: &Path, acknowledged: &Acknowledged) -> Result<usize, String> {
    let opening = AssertUnwindSafe(Hookyard::open(quick(directory))).catch_unwind();
    let opened = timeout(OPENING, opening).await.expect("it opens or is refused in time");
    let hookyard = opened.expect("opening does not panic").map_err(|error| error.to_string())?;
    let mut unreadable = 0;
    for hook in &acknowledged.hooks {
        match hookyard.hook(&account(), *hook).await {
            Ok(_) => {}
            Err(LookupError::Unavailable(_)) => unreadable += 1,
            Err(error) => panic!("a hook is lost: {error}"),
        }
    }
    for (id, (number, statuses)) in &acknowledged.events {
        match hookyard.event(&account(), *id).await {
            Ok(history) => {
                let said = format!("{{\"n\":{number},");
                assert!(history.event.data.starts_with(said.as_bytes()), "event {number} is another");
                assert_eq!(statuses_of(&history), *statuses, "event {number}");
            }
            Err(LookupError::Unavailable(_)) => unreadable += 1,
            Err(error) => panic!("event {number} is lost: {error}"),
        }
    }
    hookyard.shutdown().await;
    Ok(unreadable)
}

impl Outcomes {
    fn count(&mut self, what: &str, looked: Result<usize, String>) {
        match looked {
            Ok(0) => self.whole += 1,
            Ok(_) => self.told += 1,
            Err(why) => {
                let helps = why.contains("Restore a backup") || why.contains("remove ");
                assert!(helps, "{what}: \"{why}\" does not say what to do");
                self.refused += 1;
            }
        }
    }
}

type Damage = Box<dyn Fn(&Path)>;

/// Ways to damage the store in `directory`, each with its name.
fn damages(directory: &Path) -> Vec<(String, Damage)> {
    let mut damages: Vec<(String, Damage)> = Vec::new();
    for file in ["db", "conf", "mark", SEGMENT] {
        let size = size_of(directory, file);
        let places = PLACES.min(size);
        for place in (0..places).map(|n| n * size / places) {
            damages.push((format!("a bit of {file} at {place}"), Box::new(move |at| flip(at, file, place))));
        }
        for length in [0, 1, size / 3, size / 2, size.saturating_sub(4096), size - 1] {
            damages.push((format!("{file} cut to {length}"), Box::new(move |at| cut(at, file, length))));
        }
    }
    for file in ["db", SEGMENT] {
        let size = size_of(directory, file);
        for page in (0..PLACES).map(|n| n * size / PLACES / 4096 * 4096) {
            damages.push((
                format!("a page of zeros in {file} at {page}"),
                Box::new(move |at| zero(at, file, page)),
            ));
        }
    }
    for snapshot in names(directory).into_iter().filter(|name| name.starts_with("snap.")) {
        let size = fs::metadata(file_of(directory, &snapshot)).expect("it is there").len();
        for place in [0, size / 2, size - 1] {
            let name = snapshot.clone();
            damages.push((format!("a bit of {name} at {place}"), Box::new(move |at| flip(at, &name, place))));
        }
        let name = snapshot.clone();
        damages.push((format!("{name} cut"), Box::new(move |at| cut(at, &name, size / 2))));
    }
    damages
}

/// The bytes of a file without the zeros at its end: a segment has some for what comes.
fn size_of(directory: &Path, file: &str) -> u64 {
    let bytes = fs::read(file_of(directory, file)).expect("it is there");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

fn flip(directory: &Path, file: &str, place: u64) {
    let file = writable(directory, file);
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).expect("it is that long");
    file.write_all_at(&[byte[0] ^ 0x20], place).expect("it is writable");
}

fn cut(directory: &Path, file: &str, length: u64) {
    writable(directory, file).set_len(length).expect("it is writable");
}

fn zero(directory: &Path, file: &str, place: u64) {
    writable(directory, file).write_all_at(&[0; 4096], place).expect("it is writable");
}

fn writable(directory: &Path, file: &str) -> fs::File {
    OpenOptions::new().read(true).write(true).open(file_of(directory, file)).expect("it is there")
}

fn file_of(directory: &Path, file: &str) -> PathBuf {
    directory.join("ledger").join(file)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory.join("ledger")).expect("it is a store");
    entries.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned()).collect()
}

fn copy_of(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir_all(copy.path().join("ledger/log")).expect("it is empty");
    for name in names(directory).into_iter().chain([SEGMENT.to_owned()]) {
        let from = file_of(directory, &name);
        if from.is_file() {
            fs::copy(from, file_of(copy.path(), &name)).expect("it can be copied");
        }
    }
    copy
}

fn statuses_of(history: &EventHistory) -> Vec<DeliveryStatus> {
    history.deliveries.iter().map(|delivery| delivery.status).collect()
}
