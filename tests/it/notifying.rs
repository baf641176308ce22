//! The service manager is told what state the server is in, over its socket.

use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;

use tempfile::TempDir;

use crate::support::patience::PATIENCE;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("the directory is writable");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket, directory }
    }

    fn settings(&self) -> Settings {
        let path = self.directory.path().join("notify");
        Settings::quick().variable("NOTIFY_SOCKET", &path.display().to_string())
    }

    /// The lines of the next message.
    #[track_caller]
    fn told(&self) -> Vec<String> {
        let mut bytes = [0; 1024];
        let length = self.socket.recv(&mut bytes).expect("the server tells something");
        String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect()
    }

    fn has_more(&self) -> bool {
        self.socket.set_nonblocking(true).expect("a socket");
        self.socket.recv(&mut [0; 1024]).is_ok()
    }
}

#[test]
fn ready_is_told_once_events_are_accepted_and_stopping_when_they_no_longer_are() {
    let manager = Manager::new();
    let mut server = Server::start_with(manager.settings());

    assert_eq!(manager.told(), ["READY=1"]);
    server.terminate();
    assert_eq!(manager.told(), ["STOPPING=1"]);

    assert!(server.wait_for_exit().success());
    assert!(!manager.has_more());
}

#[test]
fn a_reload_is_told_with_its_time_and_its_end_even_when_it_is_refused() {
    let manager = Manager::new();
    let mut server = Server::start_with(manager.settings());
    assert_eq!(manager.told(), ["READY=1"]);

    for settings in [manager.settings().event_type("order_paid"), manager.settings().set("workers", "513")] {
        let before = monotonic_usec();
        server.reload(settings);

        let reloading = manager.told();
        assert_eq!(reloading[0], "RELOADING=1");
        let time = reloading[1].strip_prefix("MONOTONIC_USEC=").and_then(|time| time.parse().ok());
        assert!(time.is_some_and(|time| (before..=monotonic_usec()).contains(&time)), "{reloading:?}");
        assert_eq!(manager.told(), ["READY=1"]);
    }
}

fn monotonic_usec() -> i64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a timespec that is ours, and it is read only after the call has filled it.
    let time = unsafe {
        assert_eq!(libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()), 0);
        time.assume_init()
    };
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}
