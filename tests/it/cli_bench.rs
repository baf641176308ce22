//! `hookyard bench`, in brief: what it measures is told to programs, what arrived otherwise than once fails
//! it, and it leaves nothing behind.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Ended, Running, hookyard};
use crate::support::patience::{until, until_some};
use crate::support::receiver::Receiver;

/// So few that it takes no time.
const BRIEF: [&str; 16] = [
    "--events",
    "200",
    "--connections",
    "2",
    "--accept-connections",
    "4",
    "--callers",
    "10",
    "--fanout",
    "20",
    "--hooks",
    "50",
    "--rate",
    "200",
    "--waiting",
    "300",
];

/// A bench whose directory is its own.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hookyard(&["bench", "--json"]);
        command.args(arguments).arg("--directory").arg(self.0.path());
        command
    }

    /// Runs it to its end; nothing may be left in its directory.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ended {
        let ended = Running::start(self.command(&BRIEF).args(arguments)).end();
        assert!(self.is_empty(), "{ended:?}");
        ended
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(self.0.path()).expect("it is a directory").next().is_none()
    }
}

#[track_caller]
fn rows(ended: &Ended) -> Vec<Value> {
    let lines = ended.printed.lines();
    lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[track_caller]
fn row<'a>(rows: &'a [Value], scenario: &str) -> &'a Value {
    rows.iter().find(|row| row["scenario"] == scenario).expect("it is among the rows")
}

#[test]
fn every_scenario_is_measured_and_held_against_its_baseline() {
    let ended = Bench::new().run(&[]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let rows = rows(&ended);
    let baselines: Vec<_> = rows.iter().map(|row| (&row["scenario"], &row["baseline"])).collect();
    let baselines: Vec<_> = baselines.iter().map(|(row, of)| (row.as_str().unwrap(), of.as_str())).collect();
    let expected = [
        ("wire", None),
        ("handler", Some("wire")),
        ("client", Some("wire")),
        ("file", None),
        ("sled", Some("file")),
        ("http", Some("wire")),
        ("hundred", Some("http")),
        ("keyed", Some("http")),
        ("accept", Some("handler")),
        ("emit", Some("wire")),
        ("record", Some("sled")),
        ("fanout", Some("wire")),
        ("drain", Some("wire")),
        ("latency", None),
        ("half", None),
        ("history", None),
        ("hooks", None),
    ];
    assert_eq!(baselines, expected);
    for one in &rows {
        assert!(one["per_second"].as_f64() > Some(0.0), "{one}");
        assert_eq!(one["checked"], true, "{one}");
        let ratio = one["baseline"]
            .as_str()
            .map(|of| one["per_second"].as_f64().unwrap() / row(&rows, of)["per_second"].as_f64().unwrap());
        assert_eq!(one["ratio"].as_f64(), ratio, "{one}");
        #[cfg(target_os = "linux")]
        for figure in ["cpu_us_per_event", "written_bytes_per_event", "peak_mib"] {
            assert!(one[figure].is_number(), "{figure} of {one}");
        }
    }
    for scenario in ["wire", "client", "http", "hundred", "keyed", "emit", "fanout", "latency", "half"] {
        let of = |figure: &str| row(&rows, scenario)[figure].as_f64().unwrap();
        assert!(0.0 < of("p50_ms") && of("p50_ms") <= of("p99_ms"), "{scenario}");
        assert!(of("p99_ms") <= of("p999_ms") && of("p999_ms") <= of("max_ms"), "{scenario}");
    }
}

#[test]
fn what_is_compared_decides_how_the_bench_ends() {
    let scenarios = ["neighbours", "noisy", "backlog"];
    let brief = ["--rounds", "1", "--phase-seconds", "1"];
    let ended = Bench::new().run(&[&scenarios[..], &brief].concat());

    // A scenario that lost an event, or had one twice, would print nothing.
    let (figures, complaints) = (rows(&ended), &ended.complaints);
    let told: Vec<&str> = figures.iter().filter_map(|one| one["scenario"].as_str()).collect();
    assert_eq!(told, scenarios, "{complaints}");
    let slower = figures.iter().filter(|one| one["ratio"].as_f64() > one["limit"].as_f64()).count();
    assert_eq!(complaints.matches("times what it is without").count(), slower, "{complaints}");
    assert_eq!(ended.status.code(), Some(i32::from(slower > 0)), "{complaints}");
    assert_eq!(figures[0]["rounds"][0]["with"]["count"], 97 * 3);
}

#[test]
fn a_soak_tells_of_each_phase_and_fails_if_anything_grew() {
    let ended = Bench::new().run(&["soak", "--rounds", "2", "--phase-seconds", "1"]);
    let phases = rows(&ended);
    assert_eq!(phases.len(), 2, "{ended:?}");
    for phase in &phases {
        assert!(phase["disk_mib"].as_f64() > Some(0.0), "{phase}");
        assert_eq!(phase["delays"]["count"], 200, "{phase}");
    }
    assert_eq!(ended.status.code(), Some(i32::from(ended.complaints.contains("grew to"))), "{ended:?}");
}

#[test]
fn rounds_take_turns_and_their_medians_are_told() {
    let ended = Bench::new().run(&["http", "--rounds", "3"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let rows = rows(&ended);
    assert_eq!(rows.len(), 2, "wire and http");
    let rounds = rows[1]["rounds"].as_array().unwrap();
    let mut ratios: Vec<f64> = rounds.iter().map(|round| round["ratio"].as_f64().unwrap()).collect();
    ratios.sort_by(f64::total_cmp);
    assert_eq!(rows[1]["ratio"].as_f64(), Some(ratios[1]), "{rounds:?}");
}

#[test]
fn a_delivery_that_comes_twice_fails_the_bench() {
    // The receiver takes it and hangs up, so the router has to send it again.
    for scenario in ["http", "emit"] {
        let ended = Bench::new().run(&[scenario, "--receiver-fault", "hangs-up"]);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.complaints.contains(&format!("{scenario}: 1 of ")), "{ended:?}");
        assert!(ended.complaints.contains("deliveries arrived more than once"), "{ended:?}");
        assert!(rows(&ended).is_empty(), "{ended:?}");
    }
}

#[test]
fn a_delivery_that_never_comes_fails_the_bench() {
    // The receiver says that the hook is gone, so the router gives it up.
    for scenario in ["http", "emit"] {
        let ended = Bench::new().run(&[scenario, "--receiver-fault", "gone", "--patience-seconds", "1"]);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.complaints.contains("of 200 deliveries arrived, then none"), "{ended:?}");
        assert!(rows(&ended).is_empty(), "{ended:?}");
    }
}

#[test]
fn deliveries_to_a_given_url_are_not_claimed_to_have_arrived() {
    let receiver = Receiver::answering([200]);
    let ended = Bench::new().run(&["http", "--url", &receiver.url("/given")]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let rows = rows(&ended);
    let http = row(&rows, "http");
    assert_eq!((&http["checked"], &http["p50_ms"]), (&Value::Bool(false), &Value::Null), "{http}");
    assert!(http["per_second"].as_f64() > Some(0.0) && http["receipt_p50_ms"].as_f64() > Some(0.0), "{http}");
    assert_eq!(receiver.count(), 400, "200 of wire and 200 of http");
    assert!(receiver.requests().iter().all(|request| request.target == "/given"));

    let ended = Bench::new().run(&["noisy", "--url", &receiver.url("/")]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.complaints.contains("leave out --url"), "{ended:?}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let ended = Running::start(&mut hookyard(&["bench", "wire", "--directory", "/nowhere/at/all"])).end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.complaints.contains("cannot make a directory in /nowhere/at/all"), "{ended:?}");
}

#[cfg(target_os = "linux")]
mod processes {
    use super::*;

    /// Long enough to be interrupted.
    const LONG: [&str; 5] = ["latency", "--events", "1000000", "--rate", "10"];

    /// What the processes of a bench are and where they may run, by their ids.
    struct Children(Vec<u32>);

    impl Children {
        /// Waits until a bench has its router, its receiver and its generator.
        #[track_caller]
        fn of(bench: &Running) -> Self {
            let parent = bench.id().to_string();
            let found = until_some("all processes of the bench run", || {
                let entries = fs::read_dir("/proc").expect("this is Linux").flatten();
                let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
                let own = pids.filter(|pid| field(*pid, "PPid:").as_deref() == Some(&parent));
                // Between its fork and its program a child has the words of the bench.
                let is_begun = |words: Vec<String>| words.get(1).is_some_and(|word| word != "bench");
                let own: Vec<u32> = own.filter(|pid| is_begun(words(*pid))).collect();
                (own.len() == 3).then_some(own)
            });
            Self(found)
        }

        fn the(&self, command: &str) -> u32 {
            *self.0.iter().find(|pid| words(**pid).iter().any(|word| word == command)).expect("it runs")
        }

        #[track_caller]
        fn are_gone(&self) {
            // What nobody has reaped yet has no command line any more.
            until("none of them runs", || self.0.iter().all(|pid| words(*pid).is_empty()));
        }
    }

    fn words(pid: u32) -> Vec<String> {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split_terminator('\0').map(str::to_owned).collect()
    }

    fn field(pid: u32, name: &str) -> Option<String> {
        let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    }

    /// The first core that this process may use.
    fn core() -> String {
        let allowed = field(std::process::id(), "Cpus_allowed_list:").expect("the kernel tells it");
        allowed.split(['-', ',']).next().expect("a core").to_owned()
    }

    #[test]
    fn killing_the_bench_leaves_no_process() {
        let bench = Bench::new();
        let mut running = Running::start(&mut bench.command(&LONG));
        let children = Children::of(&running);
        running.signal(libc::SIGKILL);
        running.end();
        children.are_gone();
    }

    #[test]
    fn a_bench_that_is_told_to_stop_leaves_no_process_and_no_file() {
        for (signal, status) in [(libc::SIGINT, 130), (libc::SIGTERM, 143)] {
            let bench = Bench::new();
            let mut running = Running::start(&mut bench.command(&LONG));
            let children = Children::of(&running);
            running.signal(signal);
            let ended = running.end();
            assert_eq!(ended.status.code(), Some(status), "{ended:?}");
            children.are_gone();
            assert!(bench.is_empty());
        }
    }

    #[test]
    fn a_router_that_is_pinned_runs_on_its_core_alone() {
        let (bench, core) = (Bench::new(), core());
        let running = Running::start(bench.command(&LONG).args(["--pin", &core]));
        let children = Children::of(&running);
        assert_eq!(field(children.the("serve"), "Cpus_allowed_list:"), Some(core));
        let all = field(std::process::id(), "Cpus_allowed_list:");
        assert_eq!(field(children.the("generator"), "Cpus_allowed_list:"), all);

        let ended = Bench::new().run(&["handler", "--pin", "1023"]);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.complaints.contains("cannot start a process on the cores [1023]"), "{ended:?}");
    }
}
