//! A command of the real binary, or a program of `examples/`: one that runs until it is told to stop, or one that ends by itself.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use super::patience::{until, until_some};

/// A process of the binary; dropping it kills it.
pub struct Running {
    child: Child,
    printed: Text,
    complaints: Text,
}

/// A process that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub printed: String,
    pub complaints: String,
}

/// What one of a process's outputs has carried so far.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

/// The binary with these arguments, and nothing of its own in the environment.
pub fn hookyard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKYARD_")) {
        command.env_remove(name);
    }
    command.args(arguments).env_remove("NOTIFY_SOCKET");
    command
}

/// The example of this name, which cargo has built beside the tests.
pub fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("a test knows its binary");
    path.pop();
    path.pop();
    let path = path.join("examples").join(name);
    assert!(path.exists(), "no {}; `cargo build --examples` makes it", path.display());
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, with this on its standard input.
pub fn run(command: &mut Command, input: &[u8]) -> Ended {
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().expect("it is piped");
    // A command that refuses its arguments reads nothing.
    drop(stdin.write_all(input));
    drop(stdin);
    running.end()
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("the binary is built");
        let printed = Text::of(child.stdout.take().expect("it is piped"));
        let complaints = Text::of(child.stderr.take().expect("it is piped"));
        Self { child, printed, complaints }
    }

    /// What it has written to its standard output.
    pub fn printed(&self) -> String {
        self.printed.read()
    }

    /// What it has written to its standard error.
    pub fn complaints(&self) -> String {
        self.complaints.read()
    }

    /// Waits until it has printed a text, on either output, and returns what follows it in its line.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        until_some(&format!("it has printed {text:?}"), || {
            let outputs = [self.printed(), self.complaints()];
            outputs.iter().find_map(|output| {
                let (_, rest) = output.split_once(text)?;
                rest.split_once('\n').map(|(line, _)| line.to_owned())
            })
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: a plain system call; the child is not reaped before `end`, so the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "it runs");
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn end(&mut self) -> Ended {
        let child = &mut self.child;
        let status = until_some("it has ended", || child.try_wait().expect("it is our child"));
        let texts = [&self.printed, &self.complaints];
        until("its outputs are read", || texts.iter().all(|text| Arc::strong_count(&text.0) == 1));
        Ended { status, printed: self.printed(), complaints: self.complaints() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Text {
    fn of(mut output: impl Read + Send + 'static) -> Self {
        let text = Self::default();
        let page = text.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                page.0.lock().expect("no reader panics").extend_from_slice(&bytes[..count]);
            }
        });
        text
    }

    fn read(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}
