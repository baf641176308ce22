//! A new user, who starts the server in an empty directory and pastes what the README says, in its order.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::patience::PATIENCE;
use crate::support::receiver::Receiver;

const README: &str = include_str!("../../README.md");
const START: &str = "cargo run --release -- ";
const SERVER_OF_THE_README: &str = "http://127.0.0.1:8080";
const RECEIVER_OF_THE_README: &str = "http://127.0.0.1:9000/webhook";

/// A server that was started as the README says, but for its port; dropping it kills the process.
struct Pasted {
    directory: TempDir,
    child: Child,
    address: String,
    receiver: Receiver,
}

impl Pasted {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lines = README.lines().map(str::trim);
        let line = lines.filter_map(|line| line.strip_prefix(START)).find(|line| line.starts_with("serve"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKYARD_"))
        {
            command.env_remove(name);
        }
        // The README's port may be somebody else's on this machine.
        command
            .args(line.expect("the README starts a server").split(' '))
            .env("HOOKYARD_LISTEN", "127.0.0.1:0");
        command
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary is built");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (announce, announced) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("listening on http://") {
                    let address = rest.split_whitespace().next().unwrap_or_default();
                    // Nobody listens after the first.
                    drop(announce.send(format!("http://{}", address.trim_end_matches('/'))));
                }
            }
        });
        let address = announced.recv_timeout(PATIENCE).unwrap_or_default();
        let pasted = Self { directory, child, address, receiver: Receiver::answering([200]) };
        assert!(!pasted.address.is_empty(), "the server printed no address");
        pasted
    }

    /// What these lines print in a shell of the directory, which must succeed.
    #[track_caller]
    fn paste(&self, lines: &str) -> String {
        let lines = lines
            .replace(SERVER_OF_THE_README, &self.address)
            .replace(RECEIVER_OF_THE_README, &self.receiver.url("/webhook"));
        // Beside the words of the README: no proxy, no progress, and a refusal is a failure.
        let prelude = r#"curl() { command curl --noproxy '*' --silent --show-error --fail-with-body "$@"; }"#;
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{prelude}\n{lines}")])
            .current_dir(self.directory.path())
            .output()
            .expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{lines}\n{printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }
}

impl Drop for Pasted {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The blocks of the README that are pasted into a shell once a server runs, in order.
fn blocks() -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in README.lines() {
        match line.strip_prefix("    ") {
            Some(code) => blocks.last_mut().expect("there is always one").push_str(&format!("{code}\n")),
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| block.starts_with("KEY=") || block.starts_with("curl "));
    blocks
}

#[test]
fn what_the_readme_says_can_be_pasted_in_its_order() {
    if !Path::new("/usr/bin/curl").exists() {
        eprintln!("left out: there is no curl on this machine");
        return;
    }
    let pasted = Pasted::start();
    let (mut variables, mut answers) = (String::new(), Vec::new());

    for block in blocks() {
        if block.starts_with("KEY=") {
            variables.push_str(&block);
            continue;
        }
        let printed = pasted.paste(&format!("{variables}{block}"));
        let answer: Value =
            serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        if answer.get("matched").is_some() {
            // Before the next block is pasted a person has seen it arrive.
            pasted.receiver.wait_for(1);
        }
        answers.push(answer);
    }

    let [subscribed, emitted, listed, deleted] = &answers[..4] else { unreachable!("a slice of four") };
    assert_eq!((&subscribed["event"], &subscribed["active"]), (&json!("new_lead"), &json!(true)));
    assert_eq!(emitted["matched"], 1);
    assert_eq!(listed[0]["id"], subscribed["id"]);
    assert_eq!(*deleted, json!({"success": true, "deleted": 1}));
    let requests = pasted.receiver.requests();
    assert_eq!((requests.len(), requests[0].webhook_id()), (1, emitted["id"].as_str().expect("an id")));
    requests[0].assert_signed_with(subscribed["secret"].as_str().expect("the answer shows it"));
    assert_eq!(requests[0].data(), json!({"agentId": "agent_abc123", "lead": {"name": "Jane Doe"}}));
}
