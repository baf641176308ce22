//! A wall clock of a server's own, which the test sets while everybody else's goes on.
//!
//! A small C library stands between the server and the system's clock; it is compiled here, by the compiler that the
//! crate needs in any case.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use time::OffsetDateTime;

use super::settings::Settings;

/// How far a moment may be from where it should be: much less than the clock is set by.
const TOLERANCE: i64 = 120;

/// A wall clock that can be set.
pub struct WallClock {
    directory: TempDir,
    shift: File,
}

impl WallClock {
    /// One that is right.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wall_clock.c");
        let library = directory.path().join("wall_clock.so");
        let mut compiler = Command::new("cc");
        let compiled = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
        let compiled = compiled.expect("a C compiler is there");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let path = directory.path().join("shift");
        fs::write(&path, 0i64.to_ne_bytes()).expect("the directory is writable");
        let shift = OpenOptions::new().write(true).open(path).expect("the directory is writable");
        Self { directory, shift }
    }

    /// Gives a server this clock.
    pub fn given_to(&self, settings: Settings) -> Settings {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        settings.variable("LD_PRELOAD", &path("wall_clock.so")).variable("WALL_CLOCK_SHIFT", &path("shift"))
    }

    /// Sets it so many seconds before or after the right time.
    pub fn set(&self, seconds: i64) {
        self.shift.write_all_at(&seconds.to_ne_bytes(), 0).expect("the directory is writable");
    }

    /// Asserts that a moment, in seconds since 1970, is now by a clock that is so many seconds off.
    #[track_caller]
    pub fn assert_now(at: i64, seconds: i64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let apart = at - now - seconds;
        assert!(apart.abs() < TOLERANCE, "{apart} seconds from {:?}", OffsetDateTime::now_utc());
    }
}
