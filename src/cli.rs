//! The command line: which commands there are, and how a command fails.
//!
//! Each command has a file of its own below.

mod accounts;
mod admin_key;
mod applications;
mod attempts;
mod backup;
mod bench;
mod check;
mod client;
mod completions;
mod configuration;
mod deliveries;
mod demo;
mod descriptors;
mod dumps;
mod emit;
mod endpoints;
mod event_types;
mod events;
mod explain;
mod export;
mod fields;
mod greeting;
mod health;
mod hooks;
mod json_text;
mod keys;
mod listen;
mod listing;
mod log;
mod messages;
mod narrowed;
mod output;
mod panics;
mod progress;
mod receiver;
mod restore;
mod serve;
mod service;
mod shown;
mod signals;
mod source;
mod verification;
mod verify;
mod whole_file;
mod wish;
mod word;

use std::process::ExitCode;
use std::{fmt, io};

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
    Emit(emit::Emit),
    Explain(explain::Explain),
    Hooks(hooks::Hooks),
    Deliveries(deliveries::Deliveries),
    Events(events::Events),
    Accounts(accounts::Accounts),
    Keys(keys::Keys),
    Applications(applications::Applications),
    EventTypes(event_types::EventTypes),
    Endpoints(endpoints::Endpoints),
    Messages(messages::Messages),
    Attempts(attempts::Attempts),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Check(check::Check),
    Export(export::Export),
    Completions(completions::Completions),
    Config(configuration::Configuration),
    Health(health::Health),
    Listen(listen::Listen),
    Verify(verify::Verify),
    Bench(bench::Options),
    #[command(name = "bench-part", hide = true)]
    BenchPart(bench::Part),
}

/// Why a command ends without success; shown in one line.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the configuration asks for something that cannot be.
    Usage(String),
    /// No server answers.
    Unreachable(String),
    /// The server has no room just now.
    Busy { message: String, retry_after_seconds: Option<u64> },
    /// Nobody reads the output any more; nothing is to be said, and nobody to say it to.
    BrokenPipe,
    /// Anything else.
    Other(anyhow::Error),
}

const EXAMPLES: &str = "\
Examples:
  hookyard demo                             see it at work on this machine
  hookyard serve --dev                      try it out on this machine
  hookyard serve --config hookyard.toml     serve as the file says
  hookyard hooks subscribe https://example.com/webhook new_lead
  hookyard emit new_lead '{\"name\":\"Jane Doe\"}'
  hookyard config check hookyard.toml       say whether it would start with the file
  hookyard listen                           receive on this machine, verify and print
  hookyard help serve                       more on a command

Exit status:
  0  success
  1  failure; also when no server answers, or it says no
  2  wrong usage or configuration; also when it is the server that finds it wrong";

/// What a shell reports of a program that SIGPIPE ended.
const SIGPIPE_STATUS: u8 = 128 + 13;

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// When it did not do what it was asked to.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        match self.command {
            Command::Demo(demo) => demo.run(env),
            Command::Serve(serve) => serve.run(env),
            Command::Emit(emit) => emit.run(),
            Command::Explain(explain) => explain.run(),
            Command::Hooks(hooks) => hooks.run(),
            Command::Deliveries(deliveries) => deliveries.run(),
            Command::Events(events) => events.run(),
            Command::Accounts(accounts) => accounts.run(),
            Command::Keys(keys) => keys.run(),
            Command::Applications(applications) => applications.run(),
            Command::EventTypes(event_types) => event_types.run(),
            Command::Endpoints(endpoints) => endpoints.run(),
            Command::Messages(messages) => messages.run(),
            Command::Attempts(attempts) => attempts.run(),
            Command::Backup(backup) => backup.run(),
            Command::Restore(restore) => restore.run(),
            Command::Check(check) => check.run(),
            Command::Export(export) => export.run(),
            Command::Completions(completions) => completions.run(),
            Command::Config(configuration) => configuration.run(env),
            Command::Health(health) => health.run(env),
            Command::Listen(listen) => listen.run(env),
            Command::Verify(verify) => verify.run(),
            Command::Bench(bench) => bench.run(),
            Command::BenchPart(part) => part.run(),
        }
    }
}

/// The action that was named, or else the list that the options before it ask for.
///
/// # Errors
/// When there are both.
fn only_with_list<A, L: Default + PartialEq>(
    action: Option<A>,
    list: L,
    listing: impl FnOnce(L) -> A,
) -> Result<A, Failure> {
    match action {
        None => Ok(listing(list)),
        Some(action) if list == L::default() => Ok(action),
        Some(_) => {
            Err(Failure::Usage("options of a list stand behind the word `list`, or without any".to_owned()))
        }
    }
}

impl Failure {
    /// A failure that one sentence says.
    pub fn other(message: String) -> Self {
        Self::Other(anyhow::Error::msg(message))
    }

    /// The same failure, said otherwise.
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Usage(message) => Self::Usage(change(message)),
            Self::Unreachable(message) => Self::Unreachable(change(message)),
            Self::Busy { message, retry_after_seconds } => {
                Self::Busy { message: change(message), retry_after_seconds }
            }
            Self::Other(error) => Self::other(change(format!("{error:#}"))),
            Self::BrokenPipe => Self::BrokenPipe,
        }
    }

    /// 2 for wrong usage, as clap has it, 1 for all else, but as if by the signal when nobody reads.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::BrokenPipe => ExitCode::from(SIGPIPE_STATUS),
            Self::Unreachable(_) | Self::Busy { .. } | Self::Other(_) => ExitCode::FAILURE,
        }
    }

    /// Whether somebody should be told.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Unreachable(message) => f.write_str(message),
            Self::Busy { message, retry_after_seconds: Some(seconds) } => {
                write!(f, "{message}; try again in {seconds} s")
            }
            Self::Busy { message, retry_after_seconds: None } => write!(f, "{message}; try again later"),
            Self::BrokenPipe => f.write_str("nobody reads the output"),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

/// The output could not be written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Other(anyhow::Error::from(error).context("cannot write the output")),
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
