//! A machine of its own for a test: new user, mount and network namespaces in which it is root, as `unshare` makes them.

use std::io::Write;
use std::process::{Command, Stdio};

use super::process;

/// Where it is 1, a machine that allows no namespaces is a failure; else a test says so and passes.
const REQUIRED: &str = "HOOKYARD_REQUIRE_NAMESPACES";

const UNSHARE: [&str; 3] = ["unshare", "-Urmn", "--"];

/// Runs an ignored test of this binary in namespaces of its own, which must pass.
///
/// Where the machine has no `unshare` or `ip`, or allows no namespaces, this says so and does nothing.
#[track_caller]
pub fn run(test: &str) {
    let mut probe = Command::new(UNSHARE[0]);
    probe.args(&UNSHARE[1..]).args(["ip", "link", "set", "lo", "up"]).stdin(Stdio::null());
    let possible = probe.output().is_ok_and(|ended| ended.status.success());
    if !possible {
        assert!(
            !std::env::var(REQUIRED).is_ok_and(|value| value == "1"),
            "this machine allows no namespaces, or has no `ip`"
        );
        // Not by `eprintln!`, which says nothing about a test that passes.
        drop(writeln!(std::io::stderr(), "skipped: {test} needs `unshare -Urmn` and `ip`"));
        return;
    }
    let ended = process::running_under(&UNSHARE, test).stderr(Stdio::piped()).output();
    let ended = ended.expect("unshare has just worked");
    let said = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "{}:\n{}", ended.status, String::from_utf8_lossy(&said));
}
