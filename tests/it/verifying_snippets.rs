//! What `docs/verifying.md` says, run as it stands there on real deliveries: the genuine are accepted, and what is
//! forged, changed or old is refused.
//!
//! A language that is not on this machine is left out, and said to be. `.ci/verifiers` fetches the libraries.

mod cases;
mod hookyard;
mod standardwebhooks;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::http::HeaderMap;
use tempfile::TempDir;

use self::cases::{SECRET, cases, delivered};
use crate::support::signature::HEX_HEADER;

const DOCUMENT: &str = include_str!("../../docs/verifying.md");

/// The code that the document shows under this name.
#[track_caller]
fn snippet(name: &str) -> &'static str {
    let (_, rest) =
        DOCUMENT.split_once(&format!(" {name}\n")).unwrap_or_else(|| panic!("the document has no {name}"));
    rest.split_once("```").expect("code ends").0
}

/// A directory with the cases and these files.
fn workshop(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cases: Vec<_> = cases().iter().map(cases::Case::to_json).collect();
    let cases = serde_json::to_string(&cases).expect("it serialises");
    for (name, text) in files.iter().chain([&("cases.json", cases.as_str())]) {
        fs::write(directory.path().join(name), text).expect("the directory is writable");
    }
    directory
}

/// Whether this program is on this machine; if not, says so where it is seen.
fn is_here(program: &str, argument: &str) -> bool {
    let here = Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success());
    if !here {
        skip(&format!("no {program} on this machine"));
    }
    here
}

/// Where `.ci/verifiers` has put a library; if it has not, says so where it is seen.
fn fetched(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/verifiers").join(path);
    if !path.exists() {
        skip(&format!("no {}; .ci/verifiers fetches it", path.display()));
        return None;
    }
    Some(path)
}

/// Goes past the test harness, which keeps what is printed with `eprintln` to itself.
fn skip(why: &str) {
    drop(writeln!(std::io::stderr(), "skipped: {why}"));
}

/// Runs a driver in its workshop, which must judge every case as it is.
#[track_caller]
fn judge(mut command: Command, directory: &TempDir) {
    let output = command.current_dir(directory.path()).output().expect("it was found before");
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected: String =
        cases().iter().map(|case| format!("{}: {}\n", case.name, case.verdict())).collect();
    assert_eq!(printed, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_it_says_in_python_tells_the_genuine_from_the_forged() {
    if !is_here("python3", "--version") {
        return;
    }
    let driver = include_str!("verifying_snippets/driver.py");
    let directory = workshop(&[("driver.py", driver), ("snippet.py", snippet("standard_library.py"))]);
    let mut command = Command::new("python3");
    command.arg("driver.py");
    judge(command, &directory);
}

#[test]
fn what_it_says_of_pythons_library_does_so_too() {
    let Some(library) = fetched("python") else { return };
    let driver = include_str!("verifying_snippets/driver.py");
    let directory = workshop(&[("driver.py", driver), ("snippet.py", snippet("library.py"))]);
    let mut command = Command::new("python3");
    command.arg("driver.py").env("PYTHONPATH", library);
    judge(command, &directory);
}

#[test]
fn what_it_says_in_node_tells_the_genuine_from_the_forged() {
    if !is_here("node", "--version") {
        return;
    }
    let driver = include_str!("verifying_snippets/driver.mjs");
    let directory = workshop(&[("driver.mjs", driver), ("snippet.mjs", snippet("standard_library.mjs"))]);
    let mut command = Command::new("node");
    command.arg("driver.mjs");
    judge(command, &directory);
}

#[test]
fn what_it_says_of_nodes_library_does_so_too() {
    let Some(library) = fetched("node/node_modules") else { return };
    let driver = include_str!("verifying_snippets/driver.mjs");
    let directory = workshop(&[("driver.mjs", driver), ("snippet.mjs", snippet("library.mjs"))]);
    // Modules are looked for beside the one that wants them.
    std::os::unix::fs::symlink(library, directory.path().join("node_modules")).expect("a free name");
    let mut command = Command::new("node");
    command.arg("driver.mjs");
    judge(command, &directory);
}

#[test]
fn what_it_says_in_go_tells_the_genuine_from_the_forged() {
    if !is_here("go", "version") {
        return;
    }
    let driver = include_str!("verifying_snippets/driver.go");
    let directory = workshop(&[("driver.go", driver), ("verify.go", snippet("verify.go"))]);
    let mut command = Command::new("go");
    command.args(["run", "driver.go", "verify.go"]);
    judge(command, &directory);
}

#[test]
fn what_it_says_in_rust_is_what_runs_here() {
    for (name, code) in [
        ("hookyard.rs", include_str!("verifying_snippets/hookyard.rs")),
        ("standardwebhooks.rs", include_str!("verifying_snippets/standardwebhooks.rs")),
    ] {
        assert_eq!(snippet(name), code);
    }
    type Verify = fn(&str, &HeaderMap, &[u8]) -> bool;
    let verifiers: [Verify; 2] = [
        |secret, headers, body| hookyard::verify(secret, headers, body).is_ok(),
        |secret, headers, body| standardwebhooks::verify(secret, headers, body).is_ok(),
    ];
    for verify in verifiers {
        for case in cases() {
            let genuine = verify(case.secret, &case.header_map(), case.body.as_bytes());
            assert_eq!(genuine, case.genuine, "{}", case.name);
        }
    }
}

#[test]
fn what_it_says_for_a_shell_verifies_the_body_alone() {
    if !is_here("openssl", "version") {
        return;
    }
    let request = delivered(SECRET);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let verified = |body: &[u8]| {
        fs::write(directory.path().join("body.json"), body).expect("the directory is writable");
        let mut shell = Command::new("sh");
        shell.args(["-euc", snippet("body_alone.sh")]).current_dir(directory.path());
        shell.env("SECRET", SECRET).env("SIGNATURE", request.header(HEX_HEADER));
        shell.status().expect("a shell").success()
    };

    assert!(verified(&request.body));
    assert!(!verified(&request.body[1..]));
}
