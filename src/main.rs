//! The binary: reads the command line and the environment, runs a command, says in one line what went wrong.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Or else the kernel clears two megabytes where a few bytes are touched, while an event waits for it. If it cannot be
    // told, nothing is lost but that.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
    let variable = |(name, text): (std::ffi::OsString, std::ffi::OsString)| {
        (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned())
    };
    match Cli::parse().run(std::env::vars_os().map(variable)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                // The status says it too, should nobody read this.
                let _ = writeln!(io::stderr(), "hookyard: {failure}");
            }
            failure.exit_code()
        }
    }
}
