//! The real binary, on a port and a data directory of its own.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::api::Api;
use super::patience::{PATIENCE, found_in_time, until, until_some};
use super::settings::{ADMIN_KEY, Settings};

/// A server process and its directory; dropping it kills the process and removes the directory.
pub struct Server {
    settings: Settings,
    directory: TempDir,
    child: Child,
    address: SocketAddr,
    printed: Arc<Mutex<String>>,
}

/// A server process that ended by itself.
pub struct Ended {
    pub status: ExitStatus,
    /// What it wrote to its standard output and error.
    pub output: String,
}

impl Server {
    /// Starts a server that retries quickly and waits until it is ready.
    pub fn start() -> Self {
        Self::start_with(Settings::quick())
    }

    /// Starts a server and waits until it is ready.
    pub fn start_with(settings: Settings) -> Self {
        Self::start_on(tempfile::tempdir().expect("a temporary directory"), settings)
    }

    /// Starts a server in a directory whose `data` may be there already, and waits until it is ready.
    pub fn start_on(directory: TempDir, settings: Settings) -> Self {
        let (child, address, printed) = launch(&settings, &directory);
        let server = Self { settings, directory, child, address, printed };
        server.wait_until_ready();
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Where it keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A client with the admin key.
    pub fn api(&self) -> Api {
        self.api_with_key(ADMIN_KEY)
    }

    /// A client with this key.
    pub fn api_with_key(&self, key: &str) -> Api {
        self.caller(Some(key))
    }

    /// A client without a key.
    pub fn anonymous(&self) -> Api {
        self.caller(None)
    }

    fn caller(&self, key: Option<&str>) -> Api {
        match &self.settings.authority {
            Some(authority) => Api::over_tls(self.address, key, authority),
            None => Api::at(self.address, key),
        }
    }

    /// What it has printed to standard output since it started.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("the reader does not panic").clone()
    }

    /// What all processes on this directory have written to standard error.
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }

    /// Kills it with SIGKILL: no warning, no goodbye.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("a killed process ends");
    }

    /// Asks it to stop, with SIGTERM.
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Writes another configuration and asks it to read that, with SIGHUP; waits until it has said what came of it.
    pub fn reload(&mut self, settings: Settings) {
        let said = |server: &Self| server.complaints().matches("the configuration is ").count();
        let before = said(self);
        self.settings = settings;
        write_file(&self.settings, &self.directory);
        self.signal(libc::SIGHUP);
        until("the configuration is read again", || said(self) > before);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: a plain system call; the child is not reaped before `wait_for_exit`, so the id is still its own.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0, "the server runs");
    }

    /// Lets none of its files grow beyond what its largest has now, as on a full disk.
    pub fn fill_disk(&self) {
        let files = fs::read_dir(self.data_dir().join("ledger")).expect("its store is there");
        let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        self.limit_files(sizes.max().expect("its store has files"));
    }

    /// Lets files grow again.
    pub fn empty_disk(&self) {
        self.limit_files(libc::RLIM_INFINITY);
    }

    /// Lets it have so much more memory than it has now.
    pub fn limit_memory(&self, more: u64) {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("it runs");
        let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).expect("its size");
        self.limit(libc::RLIMIT_AS, pages * 4096 + more);
    }

    fn limit_files(&self, size: u64) {
        self.limit(libc::RLIMIT_FSIZE, size);
    }

    fn limit(&self, resource: libc::__rlimit_resource_t, limit: u64) {
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: both pointers are to a live rlimit or null, and the process is our child.
        let set = unsafe { libc::prlimit(self.pid(), resource, &limit, std::ptr::null_mut()) };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }

    /// Lets it open no file and no connection beyond the first `files` descriptors, or as many as the system allows.
    pub fn allow_files(&self, files: Option<u64>) {
        let hard = self.file_limit().rlim_max;
        let limit = libc::rlimit { rlim_cur: files.unwrap_or(hard), rlim_max: hard };
        // SAFETY: both pointers are to a live rlimit or null, and the process is our child.
        let set = unsafe { libc::prlimit(self.pid(), libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }

    /// How many descriptors it may have.
    pub fn file_limit(&self) -> libc::rlimit {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both pointers are to a live rlimit or null, and the process is our child.
        let got = unsafe { libc::prlimit(self.pid(), libc::RLIMIT_NOFILE, std::ptr::null(), &mut limit) };
        assert_eq!(got, 0, "{}", std::io::Error::last_os_error());
        limit
    }

    /// The memory that it has in use, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel counts it");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB")
    }

    /// How long it has kept a processor busy.
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
        let ticks = |field: usize| {
            fields
                .split_whitespace()
                .nth(field)
                .and_then(|field| field.parse::<u64>().ok())
                .expect("a number")
        };
        // The 14th and 15th field, counted from the name; a tick is 10 ms wherever Linux runs.
        Duration::from_millis(10 * (ticks(11) + ticks(12)))
    }

    fn pid(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.child.id()).expect("a process id")
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until_some("the server has ended", || child.try_wait().expect("it is our child"))
    }

    /// Starts it again on the same directory, after it was killed or stopped; on another port.
    pub fn restart(&mut self) {
        let ended = self.child.try_wait().expect("it is our child");
        assert!(ended.is_some(), "a server that still runs cannot be restarted");
        (self.child, self.address, self.printed) = launch(&self.settings, &self.directory);
        self.wait_until_ready();
    }

    /// What it is to be started with again.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Starts another process on the directory of this one, which was killed, and kills it too: so long after it has said
    /// this for the first time.
    pub fn start_and_kill(&self, this: &str, delay: Duration) {
        let said = || self.complaints().matches(this).count();
        let before = said();
        let mut child = in_directory(&self.settings, &self.directory).spawn().expect("the binary is built");
        let begun = Instant::now();
        while said() == before && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(delay);
        child.kill().expect("it is our child");
        child.wait().expect("a killed process ends");
        assert!(said() > before, "it never said {this:?}:\n{}", self.complaints());
    }

    /// Starts it again and kills it after so long a life, ready or not.
    pub fn restart_briefly(&mut self, life: Duration) {
        let mut child = in_directory(&self.settings, &self.directory).spawn().expect("the binary is built");
        thread::sleep(life);
        child.kill().expect("it is our child");
        child.wait().expect("a killed process ends");
    }

    /// Starts a second process on the same directory, which must end by itself.
    pub fn second_process(&self) -> Ended {
        run_to_end(&self.settings, &self.directory)
    }

    fn wait_until_ready(&self) {
        let api = self.anonymous();
        until("the server is ready", || {
            api.try_send("GET", "/health/ready", &[], None).is_ok_and(|reply| reply.status == 200)
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            eprintln!("--- the server's standard error:\n{}---", self.complaints());
        }
    }
}

/// Runs a server that must end by itself, as one does whose configuration is wrong.
pub fn start_in_vain(settings: &Settings) -> Ended {
    run_to_end(settings, &tempfile::tempdir().expect("a temporary directory"))
}

fn launch(settings: &Settings, directory: &TempDir) -> (Child, SocketAddr, Arc<Mutex<String>>) {
    let mut child = in_directory(settings, directory).spawn().expect("the binary is built");
    let stdout = child.stdout.take().expect("it is piped");
    let (announce, announced) = mpsc::channel();
    let printed = Arc::new(Mutex::new(String::new()));
    let reader = Arc::clone(&printed);
    thread::spawn(move || read_lines(stdout, &reader, &announce));
    match announced.recv_timeout(PATIENCE) {
        Ok(address) => (child, address, printed),
        Err(reason) => {
            drop(child.kill());
            let status = child.wait();
            let complaints = fs::read_to_string(directory.path().join("stderr")).unwrap_or_default();
            panic!("the server printed no address ({reason}), {status:?}, and said:\n{complaints}");
        }
    }
}

/// The command of a server that says what it has to say in a file of the directory.
fn in_directory(settings: &Settings, directory: &TempDir) -> Command {
    let stderr = OpenOptions::new().create(true).append(true).open(directory.path().join("stderr"));
    let mut command = command(settings, directory);
    command.stderr(stderr.expect("the directory is writable"));
    command
}

fn run_to_end(settings: &Settings, directory: &TempDir) -> Ended {
    let mut child = command(settings, directory).stderr(Stdio::piped()).spawn().expect("the binary is built");
    if found_in_time(|| child.try_wait().expect("it is our child")).is_none() {
        // Its status then tells so: a signal, no exit code.
        drop(child.kill());
    }
    let output = child.wait_with_output().expect("its pipes can be read");
    let text = [output.stdout, output.stderr].concat();
    Ended { status: output.status, output: String::from_utf8_lossy(&text).into_owned() }
}

fn command(settings: &Settings, directory: &TempDir) -> Command {
    let file = write_file(settings, directory);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    let configures = |name: &str| ["HOOKYARD_", "OTEL_"].into_iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| configures(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.arg("serve").arg("--config").arg(file).current_dir(directory.path());
    command.args(settings.dev.then_some("--dev"));
    command.envs(settings.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn write_file(settings: &Settings, directory: &TempDir) -> PathBuf {
    let file = directory.path().join("hookyard.toml");
    fs::write(&file, settings.to_toml(&directory.path().join("data"))).expect("the directory is writable");
    file
}

fn read_lines(stdout: ChildStdout, printed: &Mutex<String>, announce: &mpsc::Sender<SocketAddr>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let address = line.split_once("listening on http").and_then(|(_, rest)| {
            let rest = rest.trim_start_matches('s').strip_prefix("://")?;
            rest.split_whitespace().next()?.trim_end_matches('/').parse::<SocketAddr>().ok()
        });
        let mut text = printed.lock().expect("no reader of it panics");
        text.push_str(&line);
        text.push('\n');
        drop(text);
        if let Some(address) = address {
            // Nobody listens after the first.
            let _ = announce.send(address);
        }
    }
}
