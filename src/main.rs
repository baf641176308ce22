//! The binary: reads the command line and the environment, runs a command, says in one line what went wrong.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
