//! What the demonstration shows, what its end means, and that what it prints can be pasted.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::patience::{until, until_some};

/// A demonstration in a directory for temporary files of its own; dropping it kills the process.
struct Demo {
    child: Child,
    temporary: TempDir,
    printed: Arc<Mutex<String>>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_hookyard"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .env_remove("HOOKYARD_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let printed = Arc::new(Mutex::new(String::new()));
        let page = Arc::clone(&printed);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut text = Vec::new();
            while let Ok(count @ 1..) = stdout.read(&mut bytes) {
                text.extend_from_slice(&bytes[..count]);
                *page.lock().expect("no reader panics") = String::from_utf8_lossy(&text).into_owned();
            }
        });
        Self { child, temporary, printed }
    }

    fn printed(&self) -> String {
        self.printed.lock().expect("the reader does not panic").clone()
    }

    #[track_caller]
    fn wait_until_printed(&self, text: &str) {
        until(&format!("it has printed {text:?}"), || self.printed().contains(text));
    }

    fn terminate(&self) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: a plain system call; the child is not reaped before `exit_code`, so the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0, "it runs");
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        let child = &mut self.child;
        until_some("it has ended", || child.try_wait().expect("it is our child")).code()
    }

    fn leftovers(&self) -> usize {
        fs::read_dir(self.temporary.path()).expect("the test's directory is there").count()
    }

    /// The printed command for listing hooks, without its line's end.
    fn list_command(&self) -> String {
        let printed = self.printed();
        let mut lines = printed.lines();
        let line = lines.find(|line| line.starts_with("curl http://") && line.contains("/api/v1/hooks "));
        line.unwrap_or_else(|| panic!("no command that lists hooks in:\n{printed}")).to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_demonstration_shows_a_verified_signature_a_retry_and_a_deactivation() {
    let mut demo = Demo::start(&["--exit"]);

    let code = demo.exit_code();

    demo.wait_until_printed("All went as shown.");
    let printed = demo.printed();
    assert_eq!(code, Some(0), "{printed}");
    // One to the healthy receiver, two to the flaky one, four to the one that always fails.
    assert_eq!(printed.matches("signature verified").count(), 1 + 2 + 4, "{printed}");
    assert_eq!(printed.matches("answered 200").count(), 2, "{printed}");
    assert_eq!(printed.matches("answered 500").count(), 1 + 4, "{printed}");
    let retries = ["retry 1, ", "retry 2, ", "retry 3, "].map(|retry| printed.matches(retry).count());
    assert_eq!(retries, [2, 1, 1], "{printed}");
    assert!(printed.contains("← 200 deactivated: all 4 attempts failed"), "{printed}");
    assert!(!printed.contains('\x1b'), "colours where there is no terminal: {printed:?}");
    assert_eq!(demo.leftovers(), 0);
}

#[test]
fn the_demonstration_goes_on_serving_what_it_prints_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&[]);
    demo.wait_until_printed("# delete the hook");

    let hooks = pasted(&demo.list_command());

    let mut states: Vec<_> =
        hooks.as_array().expect("a list").iter().map(|hook| (&hook["event"], &hook["status"])).collect();
    states.reverse();
    let (active, deactivated) = (json!("active"), json!("deactivated"));
    let events = ["new_lead", "new_message", "new_conversation"].map(|event| json!(event));
    assert_eq!(states, events.iter().zip([&active, &active, &deactivated]).collect::<Vec<_>>());
    assert_eq!(demo.leftovers(), 1);
    demo.terminate();
    assert_eq!(demo.exit_code(), Some(0));
    assert_eq!(demo.leftovers(), 0);
}

#[test]
fn a_pasted_subscription_gets_the_pasted_event_and_is_verified() {
    if !Path::new(CURL).exists() {
        eprintln!("left out: there is no {CURL}");
        return;
    }
    let demo = Demo::start(&[]);
    demo.wait_until_printed("# delete the hook");
    until("the last line is whole", || demo.printed().trim_end().ends_with('\''));
    let printed = demo.printed();
    let (story, commands) = printed.split_once("# subscribe").expect("the commands come last");
    let (before_delete, delete) = commands.split_once("# delete the hook\n").expect("it was waited for");

    let answers = shell(&format!("# subscribe{before_delete}"));
    until("the pasted event has arrived", || {
        demo.printed().matches("signature verified").count() > story.matches("signature verified").count()
    });

    assert!(answers.contains(r#""matched":1"#), "{answers}");
    assert_eq!(pasted(delete), json!({"success": true, "deleted": 1}));
}

#[test]
fn a_demonstration_that_is_cut_short_fails_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--exit"]);
    demo.wait_until_printed("retry 1 in");

    demo.terminate();

    assert_eq!(demo.exit_code(), Some(1));
    assert_eq!(demo.leftovers(), 0);
}

const CURL: &str = "/usr/bin/curl";

/// What a printed command answers; without curl on this machine, what its address and key do.
fn pasted(command: &str) -> Value {
    let answer = if Path::new(CURL).exists() { shell(command) } else { asked(command) };
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn shell(commands: &str) -> String {
    let output = Command::new("sh").args(["-c", commands]).env("no_proxy", "*").output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

fn asked(command: &str) -> String {
    let word = |before: &str, end: char| {
        let (_, rest) = command.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {command}"));
        rest.split(end).next().expect("a split has a first part").to_owned()
    };
    let mut request = ureq::get(format!("http://{}", word("curl http://", ' ')));
    request = request.header("authorization", word("Authorization: ", '\''));
    let mut answer = request.call().expect("the server answers");
    answer.body_mut().read_to_string().expect("JSON is UTF-8")
}
