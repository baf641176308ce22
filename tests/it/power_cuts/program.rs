//! The library under load, in a process of its own, which says on its standard output what was answered.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hookyard::{Config, Durability, Hookyard};

use super::fact::Notes;
use super::load::{Load, for_seconds};
use super::{DATA_DIR, Facts, KEPT_BYTES, PROGRAM};
use crate::support::disk::Disk;
use crate::support::process;

/// What begins the lines that name facts.
const FACT: &str = "fact ";

/// The library under load, in a process of its own.
pub struct Program {
    child: Child,
    reader: JoinHandle<()>,
}

impl Program {
    /// Starts one that runs the load for so long, and notes what is answered.
    pub fn start(
        disk: &Disk,
        facts: &Facts,
        receiver: &str,
        round: usize,
        seconds: u64,
        durability: Durability,
    ) -> Self {
        let mut command = process::running(PROGRAM);
        // A relative directory, as by default.
        command.current_dir(disk.path()).env("DIRECTORY", DATA_DIR).env("COUNTER", disk.counter());
        command.env("RECEIVER", receiver).env("ROUND", round.to_string()).env("SECONDS", seconds.to_string());
        if durability == Durability::FlushOnly {
            command.env("ONLY_FLUSHES", "1");
        }
        let mut child = command.spawn().expect("this binary runs");
        let printed = child.stdout.take().expect("it is piped");
        let facts = facts.clone();
        Self { child, reader: thread::spawn(move || gather(printed, &facts)) }
    }

    /// Kills it after this time.
    pub fn kill_after(mut self, time: Duration) {
        thread::sleep(time);
        self.child.kill().expect("it runs until it is killed");
        self.child.wait().expect("a killed process ends");
        self.reader.join().expect("no panic");
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) {
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "the program ended with {status}");
        self.reader.join().expect("no panic");
    }
}

fn gather(printed: ChildStdout, facts: &Facts) {
    let mut printed = BufReader::new(printed);
    let mut line = String::new();
    while printed.read_line(&mut line).is_ok_and(|read| read > 0) {
        // The last line may be cut off.
        if let Some((_, fact)) = line.strip_suffix('\n').and_then(|line| line.split_once(FACT)) {
            let noted = serde_json::from_str(fact).expect("a whole line is a fact");
            facts.lock().expect("no panic").push(noted);
        }
        line.clear();
    }
}

/// What the process does.
pub fn run() {
    let given = |name: &str| std::env::var(name).expect("it is given");
    let notes = Notes::new(given("COUNTER").into(), |noted| {
        let line = format!("{FACT}{}\n", serde_json::to_string(&noted).expect("it serialises"));
        std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody reads it");
    });
    let mut config = Config::new(given("DIRECTORY")).dev().allow_unknown_events();
    config.workers = 2;
    config.retry.schedule = [100, 200, 300].map(Duration::from_millis).to_vec();
    config.retention.size_bytes = KEPT_BYTES;
    let durability = match std::env::var_os("ONLY_FLUSHES") {
        Some(_) => Durability::FlushOnly,
        None => Durability::SyncAfterFlush,
    };
    let hookyard = pollster::block_on(Hookyard::open_with(config, durability)).expect("it opens");
    let round = given("ROUND").parse().expect("a number");
    let until = for_seconds(given("SECONDS").parse().expect("a number"));
    Load { front: &hookyard, notes: &notes, receiver: &given("RECEIVER"), round, until }.run();
    hookyard.blocking().shutdown();
}
