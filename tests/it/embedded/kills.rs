//! SIGKILL while a program emits, again and again: every receipt it was given is delivered.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Child;

use hookyard::Subscribe;

use crate::support::embedding::{lead, open, quick, subscribe, wait_until_all_is_delivered};
use crate::support::process;
use crate::support::receiver::Receiver;

const EMITTERS: usize = 8;
const IN_FLIGHT: usize = 16;

/// Attempts that a kill may take back although they were answered, because the next commit was not through.
///
/// A kill loses at most the commit under way and the one that gathers behind it. Each emitter has one event in them,
/// and the attempts that were in flight when they began may have ended since.
const UNSETTLED: usize = 2 * (IN_FLIGHT + EMITTERS);

const PROGRAM: &str = "embedded::kills::a_program_that_emits_until_it_is_killed";
/// What begins the lines that name receipts.
const RECEIPT: &str = "receipt ";

#[tokio::test(flavor = "multi_thread")]
async fn every_receipt_of_a_program_is_delivered_whenever_it_is_killed() {
    let kills = [50, 0, 200, 1, 120, 10, 300, 30];
    let directory = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::answering([200]);
    let mut receipts = Vec::new();

    for receipts_before_the_kill in kills {
        let mut command = process::running(PROGRAM);
        command.env("DIRECTORY", directory.path()).env("RECEIVER", receiver.url("/"));
        let program = command.spawn().expect("this binary runs");
        receipts.extend(kill_after(program, receipts_before_the_kill));
    }
    let hookyard = open(quick(directory.path())).await;
    let hook = subscribe(&hookyard, &receiver).await;
    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;

    assert!(receipts.len() >= kills.iter().sum::<usize>());
    let mut arrivals: BTreeMap<String, usize> = BTreeMap::new();
    for id in receiver.webhook_ids() {
        *arrivals.entry(id).or_default() += 1;
    }
    for id in &receipts {
        assert!(arrivals.contains_key(id), "{id} has a receipt and was never delivered");
    }
    let repeated: usize = arrivals.values().map(|times| times - 1).sum();
    let allowed = kills.len() * (IN_FLIGHT + UNSETTLED);
    assert!(repeated <= allowed, "{repeated} requests were repetitions, {allowed} can be explained");
}

/// Kills a program that has printed so many receipts; returns all that it printed.
fn kill_after(mut program: Child, count: usize) -> Vec<String> {
    let mut printed = BufReader::new(program.stdout.take().expect("it is piped"));
    let mut receipts = Vec::new();
    let mut killed = false;
    loop {
        if !killed && receipts.len() >= count {
            program.kill().expect("it runs until it is killed");
            killed = true;
        }
        let mut line = String::new();
        let read = printed.read_line(&mut line).expect("it prints text");
        // The last line may be cut off.
        if let Some(line) = line.strip_suffix('\n') {
            receipts.extend(line.split_once(RECEIPT).map(|(_, id)| id.to_owned()));
        }
        if read == 0 {
            break;
        }
    }
    program.wait().expect("a killed process ends");
    assert!(killed, "the program ended by itself");
    receipts
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, in a process of its own"]
async fn a_program_that_emits_until_it_is_killed() {
    if !process::is_for(PROGRAM) {
        return;
    }
    let directory: PathBuf = std::env::var_os("DIRECTORY").expect("it is given").into();
    let receiver = std::env::var("RECEIVER").expect("it is given");
    let mut config = quick(&directory);
    config.delivery.max_in_flight = IN_FLIGHT;
    let hookyard = open(config).await;
    hookyard.subscribe(Subscribe::new(receiver, "new_lead")).await.expect("accepted");
    let emitters = [(); EMITTERS].map(|()| {
        let hookyard = hookyard.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let receipt = hookyard.emit(lead(number)).await.expect("accepted");
                let line = format!("{RECEIPT}{}\n", receipt.id);
                std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody reads it");
            }
        })
    });
    for emitter in emitters {
        emitter.await.expect("no panic");
    }
}
