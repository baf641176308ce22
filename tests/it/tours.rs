//! The tours of `docs/`, pasted block by block into one shell in an empty directory.
//!
//! A block that the document gives a terminal of its own goes on running there. Before each of the others the router
//! has come to rest, as when a person has read on meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use hookyard::clock::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::api::{Api, text};
use crate::support::command::Running;
use crate::support::patience::until;

const CURL: &str = "/usr/bin/curl";
/// What the documents call the server's port, and the receiver's.
const PORTS: [&str; 2] = ["8080", "9000"];
/// Beside the words of the document: a failure ends the shell, no proxy, no progress, and a refusal is a failure.
const PRELUDE: &str = r#"
set -euo pipefail
exec 2>&1
curl() { command curl --noproxy '*' --silent --show-error --fail-with-body "$@"; echo; }
"#;
const END: &str = "--- the end of the block ---";
/// Deliveries that are due later than this are not waited for.
const SOON: Duration = Duration::from_secs(20);

/// Somebody who takes a tour.
struct Tourist {
    directory: TempDir,
    ports: [u16; 2],
    shell: Shell,
    /// Those that the document gives one, in order.
    terminals: Vec<Running>,
}

/// A shell that runs what is pasted.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The blocks of a document that are for a shell, each with whether it has a terminal of its own.
fn blocks(document: &str) -> Vec<(bool, &str)> {
    let mut blocks = Vec::new();
    let mut rest = document;
    while let Some((_, code)) = rest.split_once("\n```sh") {
        let (label, code) = code.split_once('\n').expect("a fence has a line of its own");
        let (code, behind) = code.split_once("\n```").expect("code ends");
        blocks.push((label.trim() == "terminal", code));
        rest = behind;
    }
    blocks
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

impl Tourist {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = [free_port(), free_port()];
        let mut bash = Command::new("bash");
        surround(&mut bash, &directory, ports);
        let mut child =
            bash.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash is on this machine");
        let mut input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        input.write_all(PRELUDE.as_bytes()).expect("the shell reads");
        Self { directory, ports, shell: Shell { child, input, output }, terminals: Vec::new() }
    }

    /// Pastes a whole document; returns what each block printed that has no terminal of its own.
    #[track_caller]
    fn take(&mut self, document: &str) -> Vec<String> {
        let mut printed = Vec::new();
        for (has_terminal, code) in blocks(document) {
            // The document's ports may be somebody else's on this machine.
            let code = PORTS.iter().zip(self.ports).fold(code.to_owned(), |code, (documented, port)| {
                code.replace(documented, &port.to_string())
            });
            if has_terminal {
                self.open_terminal(&code);
            } else {
                self.wait_for_rest();
                printed.push(self.shell.paste(&code));
            }
        }
        printed
    }

    fn open_terminal(&mut self, code: &str) {
        let mut command = Command::new("bash");
        surround(&mut command, &self.directory, self.ports);
        let terminal = Running::start(command.args(["-c", code]));
        terminal.wait_for("listening on http://");
        self.terminals.push(terminal);
    }

    /// Waits until nothing is to be delivered soon, if there is a server.
    fn wait_for_rest(&self) {
        let Ok(key) = fs::read_to_string(self.directory.path().join("data/admin-key")) else { return };
        let api = Api::at(SocketAddr::from(([127, 0, 0, 1], self.ports[0])), Some(key.trim()));
        until("nothing is to be delivered soon", || {
            let accounts = api.try_send("GET", "/api/v1/accounts", &[], None);
            let accounts: Vec<Value> = accounts.map_or_else(|_| Vec::new(), |reply| reply.expect(200));
            let soon = Timestamp::now().after(SOON).to_string();
            accounts.iter().all(|account| {
                let path = format!("/api/v1/deliveries?status=pending&account={}", text(account, "id"));
                let pending: Vec<Value> = api.get(&path).expect(200);
                pending.iter().all(|delivery| delivery["next_attempt_at"].as_str() > Some(&soon))
            })
        });
    }
}

impl Shell {
    /// Runs this and returns what it prints; a command that fails is a failure of the test.
    #[track_caller]
    fn paste(&mut self, code: &str) -> String {
        writeln!(self.input, "{code}\necho '{END}'").expect("the shell reads");
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).expect("it is text");
            assert!(length > 0, "a command failed:\n{code}\n\nand this had been printed:\n{printed}");
            if line.trim_end() == END {
                return printed;
            }
            printed += &line;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Tourist {
    fn drop(&mut self) {
        for terminal in self.terminals.iter().filter(|_| thread::panicking()) {
            eprintln!("--- a terminal:\n{}{}---", terminal.printed(), terminal.complaints());
        }
    }
}

/// Runs a command as in a terminal of the tourist, who has installed the binary.
fn surround(command: &mut Command, directory: &TempDir, ports: [u16; 2]) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKYARD_")) {
        command.env_remove(name);
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_hookyard")).parent().expect("a file has a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", binary.display())).current_dir(directory.path());
    // What the commands take when the document does not say where the server is.
    command.env("HOOKYARD_LISTEN", format!("127.0.0.1:{}", ports[0]));
    command.env("HOOKYARD_URL", format!("http://127.0.0.1:{}", ports[0]));
}

/// Whether there is curl; if not, says so where it is seen.
fn has_curl() -> bool {
    let here = Path::new(CURL).exists();
    if !here {
        drop(writeln!(std::io::stderr(), "skipped: there is no {CURL} on this machine"));
    }
    here
}

#[test]
fn the_consumers_tour_can_be_taken() {
    if !has_curl() {
        return;
    }
    let mut tourist = Tourist::new();

    let printed = tourist.take(include_str!("../../docs/tour-consumer.md"));

    let all = printed.concat();
    for expected in [r#""secret":"whsec_C2"#, r#""status":"deactivated""#, r#""dead":1"#, r#""deleted":1"#] {
        assert!(all.contains(expected), "{expected}\n{all}");
    }
    let arrived = tourist.terminals[1].printed();
    assert_eq!(arrived.matches("answered ").count(), 5, "{arrived}");
    assert_eq!(arrived.matches("answered 410").count(), 1, "{arrived}");
    assert!(!arrived.contains("not verified"), "{arrived}");
}

#[test]
fn the_operators_tour_can_be_taken() {
    if !has_curl() {
        return;
    }
    let mut tourist = Tourist::new();

    let printed = tourist.take(include_str!("../../docs/tour-operator.md"));

    let all = printed.concat();
    for expected in [r#"{"status":"ready"}"#, "attempt 1 to", "\tdelivered\torder_paid\t2\t", "order_sent\t"]
    {
        assert!(all.contains(expected), "{expected}\n{all}");
    }
    assert!(tourist.terminals[0].end().status.success());
}
