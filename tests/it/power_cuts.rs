//! Power cuts: what was answered before one is there after it, whatever becomes of what was not synced.
//!
//! A load runs on a disk that remembers each write, name and sync. Of hundreds of moments an image is made that holds what
//! was synced before and, by a seed, some of the rest, torn in any order; each is opened and compared by number.
//!
//! | variable | meaning |
//! |---|---|
//! | `HOOKYARD_POWER_CUTS` | how many images each test makes |
//! | `HOOKYARD_POWER_CUT_SECONDS` | how long each load runs |
//! | `HOOKYARD_POWER_CUT_SEED` | what the moments and images follow from |
//! | `HOOKYARD_POWER_CUT_RECORDING`, `_AT` | a recording that a failure kept, and `position:seed`, for the ignored test |

mod cutting;
mod fact;
mod found;
mod front;
mod load;
mod program;
mod reconciling;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hookyard::Durability;

use self::cutting::{Cut, Loss, Outcome, Recording, scratch};
use self::fact::{Fact, Noted, Notes};
use self::found::Found;
use self::front::Caller;
use self::load::{Load, for_seconds};
use self::program::Program;
use self::reconciling::Books;
use self::verdict::{accuse, judge};
use crate::support::disk::image::Image;
use crate::support::disk::{Disk, Fault};
use crate::support::patience::until;
use crate::support::process;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Images of each test, unless told otherwise.
const IMAGES: usize = 150;
/// Images that the real binary opens.
const IMAGES_OF_THE_BINARY: usize = 4;
/// Images of which a start is cut off as well.
const STARTS: usize = 5;
/// How long each load runs, unless told otherwise: longer than what waits stays in memory before it is parked.
const SECONDS: u64 = 16;
/// So little of the past is kept that it is let go of all the time.
const KEPT_BYTES: u64 = 400_000;
/// Where on the disk the data directory is: below one that has to be made as well.
const DATA_DIR: &str = "srv/hookyard/data";

const PROGRAM: &str = "power_cuts::a_program_under_load";

/// Facts that are being gathered.
type Facts = Arc<Mutex<Vec<Noted>>>;

#[test]
fn what_a_server_has_answered_is_there_after_a_power_cut() {
    let Some(disk) = Disk::mount() else { return };
    let facts = Facts::default();
    let notes = notes(&disk, &facts);
    let receiver = load::receiver(&disk, self::notes(&disk, &facts));
    let mut server = Server::start_with(settings(&disk));
    let admin_key = admin_key(&disk, &notes);

    // Twice, so that a start with a past is among what is cut off.
    for round in 0..2 {
        let front = Caller { api: server.api_with_key(&admin_key), insists: false };
        let until = for_seconds(seconds() / 2);
        Load { front: &front, notes: &notes, receiver: &receiver.url(""), round, until }.run();
        server.kill();
        if round == 0 {
            server.restart();
        }
    }

    let recording = record(&disk, &facts);
    let cuts = recording.cuts(images(), seed());
    let mut outcome = recording.cut_all(&cuts);
    let opened = cuts.iter().step_by(cuts.len() / IMAGES_OF_THE_BINARY).skip(1);
    opened.for_each(|cut| compare_with_the_binary(&recording, *cut, &mut outcome));
    judge(&recording, &outcome);
}

/// What a failed sync should have written may be lost although it can still be read, and the next sync succeeds.
#[test]
fn what_a_server_on_a_failing_disk_has_answered_is_there_after_a_power_cut() {
    let Some(disk) = Disk::mount() else { return };
    let facts = Facts::default();
    let notes = notes(&disk, &facts);
    let receiver = load::receiver(&disk, self::notes(&disk, &facts));
    let server = Server::start_with(settings(&disk));
    let front = Caller { api: server.api_with_key(&admin_key(&disk, &notes)), insists: true };
    let end = for_seconds(seconds());

    let faults = [
        Fault::Syncs(libc::EIO),
        Fault::Writes(libc::EIO),
        Fault::FullAfter(300_000),
        Fault::Changes(libc::EROFS),
    ];
    thread::scope(|scope| {
        let (front, notes, url) = (&front, &notes, receiver.url(""));
        let load = scope.spawn(move || Load { front, notes, receiver: &url, round: 0, until: end }.run());
        for fault in faults {
            thread::sleep(Duration::from_millis(seconds() * 1000 / 16));
            let refusals = disk.refusals();
            disk.fail(fault);
            until("the fault is met", || disk.refusals() > refusals);
            disk.mend();
            until("the server goes on", || server.anonymous().get("/health/ready").status == 200);
        }
        load.join().expect("the load is never refused for good");
    });
    drop(server);

    let recording = record(&disk, &facts);
    judge(&recording, &recording.cut_all(&recording.cuts(images(), seed())));
}

#[test]
fn what_the_library_has_answered_is_there_after_a_power_cut() {
    let Some(disk) = Disk::mount() else { return };
    let facts = Facts::default();
    let receiver = load::receiver(&disk, notes(&disk, &facts));
    let program = |round: usize, seconds: u64| {
        Program::start(&disk, &facts, &receiver.url(""), round, seconds, Durability::SyncAfterFlush)
    };

    program(0, 600).kill_after(Duration::from_secs(seconds() / 2));
    program(1, seconds() / 2).wait();

    let recording = record(&disk, &facts);
    let cuts = recording.cuts(images(), seed());
    judge(&recording, &recording.cut_all(&cuts));

    // The power fails again while it starts.
    for cut in cuts.iter().step_by(cuts.len() / STARTS).skip(1) {
        let Some(start) = recording.start_after(*cut) else { return };
        let again = start.cut_all(&start.cuts(images() / STARTS / 2, cut.seed));
        accuse(&start, &again);
    }
}

/// The test of the tests above: a store that calls no more than sled's flush does lose what it has answered, and that is
/// seen.
#[test]
fn a_store_that_only_flushes_is_found_out() {
    let Some(disk) = Disk::mount() else { return };
    let facts = Facts::default();
    let receiver = load::receiver(&disk, notes(&disk, &facts));
    let program = Program::start(&disk, &facts, &receiver.url(""), 0, 4, Durability::FlushOnly);
    program.wait();

    let recording = record(&disk, &facts);
    let cuts = recording.cuts(60, seed());
    let outcome = recording.cut_all(&cuts);

    eprintln!("a store that only flushes: {} of {} images are wrong", outcome.losses.len(), cuts.len());
    assert!(outcome.losses.len() >= cuts.len() / 10, "{} of {}", outcome.losses.len(), cuts.len());
}

#[test]
#[ignore = "for a failure of another test, which says how"]
fn a_kept_power_cut() {
    let recording = std::env::var_os("HOOKYARD_POWER_CUT_RECORDING").expect("a file");
    let recording = Recording::read(Path::new(&recording));
    let at = std::env::var("HOOKYARD_POWER_CUT_AT").expect("position:seed");
    let (position, seed) = at.split_once(':').expect("position:seed");
    let cut = Cut { position: position.parse().expect("a number"), seed: seed.parse().expect("a number") };
    let directory = scratch();
    recording.image(cut).write(directory.path()).expect("there is room for an image");
    eprintln!("the image is in {}", directory.keep().display());
    accuse(&recording, &recording.cut_all(&[cut]));
}

#[test]
#[ignore = "run by other tests, in a process of its own"]
fn a_program_under_load() {
    if process::is_for(PROGRAM) {
        program::run();
    }
}

/// A server on a disk, which gets its admin key at the first start.
fn settings(disk: &Disk) -> Settings {
    Settings::quick()
        .unset("admin_key")
        .set("events.unknown", r#""accept""#)
        .set("retention.size_bytes", &KEPT_BYTES.to_string())
        // Its disk is to be filled.
        .set("limits.disk_reserve_bytes", "0")
        .variable("HOOKYARD_DATA_DIR", &disk.path().join(DATA_DIR).display().to_string())
}

fn admin_key(disk: &Disk, notes: &Notes) -> String {
    let text = std::fs::read_to_string(disk.path().join(DATA_DIR).join("admin-key"));
    let text = text.expect("a first start writes it");
    notes.note(Fact::AdminKey { text: text.clone() });
    text.trim().to_owned()
}

fn notes(disk: &Disk, facts: &Facts) -> Notes {
    let facts = facts.clone();
    Notes::new(disk.counter(), move |noted| facts.lock().expect("no panic").push(noted))
}

/// What has been recorded, if all that is to be cut off is in it.
fn record(disk: &Disk, facts: &Facts) -> Recording {
    let mut facts = facts.lock().expect("no panic").clone();
    // Each process has its own order; two that speak of the same thing are never at work at a time.
    facts.sort_by_key(|noted| noted.position);
    let (before, data_dir) = (Image::default(), PathBuf::from(DATA_DIR));
    Recording { before, known: None, trace: disk.trace(), facts, data_dir }
}

fn compare_with_the_binary(recording: &Recording, cut: Cut, outcome: &mut Outcome) {
    let image = scratch();
    recording.image(cut).write(image.path()).expect("there is room for an image");
    let settings = Settings::quick()
        .late_schedule()
        .set("events.unknown", r#""accept""#)
        .set("retention.size_bytes", "0")
        .variable("HOOKYARD_DATA_DIR", &image.path().join(DATA_DIR).display().to_string())
        // It calls nobody.
        .without_dev();
    let server = Server::start_on(scratch(), settings);
    let wrong = match Found::ask(&server.api()) {
        Ok(found) => Books::new(&recording.facts).compare(&found, cut.position, &mut outcome.tally),
        Err(error) => vec![error],
    };
    if !wrong.is_empty() {
        outcome.losses.push(Loss { cut, wrong });
    }
}

fn images() -> usize {
    variable("HOOKYARD_POWER_CUTS").map_or(IMAGES, |count| count as usize)
}

fn seconds() -> u64 {
    variable("HOOKYARD_POWER_CUT_SECONDS").unwrap_or(SECONDS)
}

fn seed() -> u64 {
    variable("HOOKYARD_POWER_CUT_SEED").unwrap_or(1)
}

fn variable(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}
