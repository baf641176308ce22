//! The command line: which commands there are, and how a command fails.
//!
//! Each command has a file of its own below.

mod admin_key;
mod bench;
mod demo;
mod descriptors;
mod durable;
mod greeting;
mod serve;
mod signals;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hookyard::config;

/// An event router: takes events in over HTTP and delivers them as signed webhooks.
///
/// What it has acknowledged is on disk and is delivered, through restarts and power cuts.
#[derive(Debug, Parser)]
#[command(name = "hookyard", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Bench(bench::Options),
}

/// Why a command ends without success; shown in one line.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the configuration asks for something that cannot be.
    Usage(String),
    /// Anything else.
    Other(anyhow::Error),
}

const EXAMPLES: &str = "\
Examples:
  hookyard demo                             see it at work on this machine
  hookyard serve --dev                      try it out on this machine
  hookyard serve --config hookyard.toml     serve as the file says
  hookyard help serve                       more on a command

Exit status: 0 success, 1 failure, 2 wrong usage or configuration.";

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// When it did not do what it was asked to.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        match self.command {
            Command::Demo(demo) => demo.run(env),
            Command::Serve(serve) => serve.run(env),
            Command::Bench(bench) => bench.run(),
        }
    }
}

impl Failure {
    /// 2 for wrong usage, as clap has it, 1 for all else.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_refused_configuration_exits_with_2_and_a_failure_with_1() {
        let refused: Failure = config::Error::value("workers", 513, "0 to 512").into();
        assert_eq!(refused.to_string(), "workers = 513; allowed: 0 to 512");
        assert_eq!(refused.exit_code(), ExitCode::from(2));
        let failed: Failure = anyhow::anyhow!("address in use").context("cannot listen").into();
        assert_eq!(failed.to_string(), "cannot listen: address in use");
        assert_eq!(failed.exit_code(), ExitCode::from(1));
    }
}
