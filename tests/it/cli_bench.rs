//! `hookyard bench`, in brief: what it compares is told to programs, and fails only where the figures say so.

use serde_json::Value;

use crate::support::command::hookyard;

#[test]
fn what_the_bench_compares_is_told_to_programs_and_decides_how_it_ends() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let brief =
        ["--rounds", "1", "--phase-seconds", "1", "--rate", "100", "--waiting", "300", "--connections", "2"];
    let ended = hookyard(&["bench", "neighbours", "noisy", "backlog", "--json"])
        .args(brief)
        .arg("--directory")
        .arg(directory.path())
        .output()
        .expect("the binary is built");

    // A scenario that lost an event, or had one twice, would print nothing.
    let printed = String::from_utf8_lossy(&ended.stdout);
    let figures: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let complaints = String::from_utf8_lossy(&ended.stderr);
    let scenarios: Vec<&str> = figures.iter().filter_map(|one| one["scenario"].as_str()).collect();
    assert_eq!(scenarios, ["neighbours", "noisy", "backlog"], "{complaints}");
    let slower = figures.iter().filter(|one| one["ratio"].as_f64() > one["limit"].as_f64()).count();
    assert_eq!(complaints.matches("times what it is without").count(), slower, "{complaints}");
    assert_eq!(ended.status.code(), Some(i32::from(slower > 0)), "{complaints}");
    assert_eq!(figures[0]["rounds"][0]["with"]["count"], 97 * 2);
}
