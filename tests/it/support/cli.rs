//! The command line as scripts and people use it: the real binary, which calls a real server.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde::de::DeserializeOwned;

use super::server::Server;
use super::settings::ADMIN_KEY;

/// Commands that call one server with one key.
#[derive(Clone)]
pub struct Cli {
    directory: PathBuf,
    environment: Vec<(String, String)>,
}

/// A command that goes on; dropping it kills it.
pub struct Following {
    child: Child,
    printed: Arc<Mutex<String>>,
}

/// A command that has ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Cli {
    /// Commands that call this server with the admin key.
    pub fn of(server: &Server) -> Self {
        Self::without_key(server).variable("HOOKYARD_KEY", ADMIN_KEY)
    }

    /// Commands that call this server, and know only where it is.
    pub fn without_key(server: &Server) -> Self {
        Self::calling(&format!("http://{}", server.address()), server.data_dir())
    }

    /// Commands that call whoever is at this URL, run in this directory.
    pub fn calling(url: &str, directory: PathBuf) -> Self {
        Self { directory, environment: Vec::new() }.variable("HOOKYARD_URL", url)
    }

    /// Sets a variable, or another value for it.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs a command to its end, with nothing on its standard input.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).stdin(Stdio::null()).output();
        output.expect("the binary is built").into()
    }

    /// Runs a command that must succeed, and returns what it printed.
    #[track_caller]
    pub fn prints(&self, arguments: &[&str]) -> String {
        self.run(arguments).succeeded(arguments)
    }

    /// Runs a command that must succeed, and reads what it printed as JSON.
    #[track_caller]
    pub fn prints_json<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let printed = self.prints(arguments);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// Runs a command that must fail with this status, and returns what it said.
    #[track_caller]
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        self.run(arguments).failed(code, arguments)
    }

    /// Runs a command with this on its standard input.
    #[track_caller]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.start(self.command(arguments).stdin(Stdio::piped()));
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that is not interested in the rest closes it.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        child.wait_with_output().expect("its pipes can be read").into()
    }

    /// Runs a command whose output nobody reads.
    #[track_caller]
    pub fn run_unread(&self, arguments: &[&str]) -> Ended {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = self.command(arguments);
        let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn();
        // It holds the pipe's end too.
        drop(command);
        child.expect("the binary is built").wait_with_output().expect("its pipes can be read").into()
    }

    /// Starts a command that goes on.
    pub fn follow(&self, arguments: &[&str]) -> Following {
        let mut child = self.start(self.command(arguments).stdin(Stdio::null()));
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let printed = Arc::new(Mutex::new(String::new()));
        let page = Arc::clone(&printed);
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                page.lock().expect("no reader panics").push_str(&(line + "\n"));
            }
        });
        Following { child, printed }
    }

    /// Runs a command on a terminal of this width, and returns what it wrote there.
    pub fn on_terminal(&self, columns: u16, arguments: &[&str]) -> String {
        let (mut ours, theirs) = terminal(columns);
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(theirs.try_clone().expect("it can be shared")).stderr(theirs);
        let mut child = command.spawn().expect("the binary is built");
        // The terminal closes with the last that holds it.
        drop(command);
        let (mut screen, mut bytes) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = ours.read(&mut bytes) {
            screen.extend_from_slice(&bytes[..count]);
        }
        child.wait().expect("it is our child");
        String::from_utf8_lossy(&screen).replace("\r\n", "\n")
    }

    fn start(&self, command: &mut Command) -> Child {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary is built")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        let ours = |name: &str| name.starts_with("HOOKYARD_") || name.contains("COLOR");
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(&self.directory).env("TERM", "xterm");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Following {
    /// What it has printed so far, in whole lines.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("the reader does not panic").clone()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    #[track_caller]
    pub fn succeeded(self, arguments: &[&str]) -> String {
        assert_eq!(self.code, Some(0), "{arguments:?} said: {}", self.stderr);
        self.stdout
    }

    /// What a failure with this status said, which must be something, and no trace.
    #[track_caller]
    pub fn failed(self, code: i32, arguments: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{arguments:?} said: {}", self.stderr);
        assert!(!self.stderr.trim().is_empty(), "{arguments:?} failed and said nothing");
        assert!(!self.stderr.contains("panicked"), "{arguments:?} said: {}", self.stderr);
        self.stderr
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A pseudo-terminal of this width: our end, and that of a command.
fn terminal(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: 25, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let no_name = std::ptr::null_mut();
    // SAFETY: the pointers are to live integers and a live winsize, or null, which is allowed for name and termios.
    let made = unsafe { libc::openpty(&mut ours, &mut theirs, no_name, std::ptr::null(), &size) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both descriptors were just opened, and nobody else owns them.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}
