//! A test that needs a process of its own: this test binary, run again for one ignored test.

use std::process::{Command, Stdio};

/// Marks such a process; where it is missing, an ignored test has nothing to do.
const MARK: &str = "HOOKYARD_TEST_PROCESS";

/// A command that runs one ignored test of this binary, with what it writes on its standard output.
pub fn running(test: &str) -> Command {
    running_under(&[], test)
}

/// The same, run by another program: its name and arguments.
pub fn running_under(program: &[&str], test: &str) -> Command {
    let binary = std::env::current_exe().expect("a test knows its binary");
    let words: Vec<_> = program.iter().map(AsRef::as_ref).chain([binary.as_os_str()]).collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(MARK, test);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Whether this is a process that was made for this test.
pub fn is_for(test: &str) -> bool {
    std::env::var(MARK).is_ok_and(|marked| marked == test)
}
