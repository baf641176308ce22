//! `hookyard bench`: how fast it is on this machine, with nothing else to install.
//!
//! Router, load generator and receiver share the process and its cores, each on threads of its own. Every scenario
//! checks that each event arrived exactly once, and fails if not. Those that compare delays without and with a
//! disturbance fail too if it costs more than it may.

mod backlog;
mod comparison;
mod door;
mod flood;
mod load;
mod misbehaving;
mod neighbours;
mod noisy;
mod pace;
mod receiver;
mod revenant;
mod scenario;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use self::scenario::Bench;
use super::{Failure, descriptors};

/// Measure throughput, latency and footprint on this machine
///
/// Each scenario opens a store of its own in a directory that it removes afterwards. Shared machines are noisy: compare
/// figures of one run, and repeat it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// What to measure; all but the last three when absent
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,

    /// Events of each throughput scenario
    #[arg(long, default_value_t = 50_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,

    /// Keep-alive connections of the load generator
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// Callers that emit at once in the scenario emit
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    callers: u16,

    /// Bytes of each event's data
    #[arg(long, default_value_t = 200, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(40..=1_000_000))]
    data_bytes: u32,

    /// Events per second where the rate is steady; of all hooks together in the scenario neighbours
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// Hooks in the scenario hooks
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    hooks: u32,

    /// Events that wait in the scenario backlog
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    waiting: u32,

    /// Events in a request of the noisy account
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,

    /// Rounds of neighbours, noisy and backlog, each with a phase without and one with the disturbance
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds of such a phase in neighbours and noisy
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    phase_seconds: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Where the stores are made; a disk, if durability is to mean something
    #[arg(long, default_value = ".", value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Memory of registered, idle hooks, and how fast a router with them starts
    Hooks,
    /// The load generator straight into the receiver: what the others are measured against
    Wire,
    /// One event per request over HTTP, one hook, each event durable and delivered
    Http,
    /// The same emitted in-process by many callers at once
    Emit,
    /// From emit to arrival, at a steady rate
    Latency,
    /// The same for 97 hooks, without and with one that hangs, one that resets connections and one that dribbles
    Neighbours,
    /// The same for one account, without and with another that emits as fast as it can
    Noisy,
    /// The same for one hook, without and with the backlog of another draining that was dead
    Backlog,
}

const EXAMPLES: &str = "\
Examples:
  hookyard bench
  hookyard bench wire http --events 200000
  hookyard bench latency --rate 2000
  hookyard bench neighbours noisy backlog --json";

impl Options {
    /// Runs the scenarios one after the other.
    ///
    /// # Errors
    /// When a scenario cannot be set up, an event was lost or arrived twice, or a disturbance costs more than it may.
    pub fn run(self) -> Result<(), Failure> {
        descriptors::raise(usize::from(self.connections) * 2);
        let scenarios = match self.scenarios.is_empty() {
            // First what measures memory: the allocator keeps what the others used.
            true => Scenario::value_variants().iter().copied().filter(Scenario::is_plain).collect(),
            false => self.scenarios,
        };
        let bench = Bench {
            events: self.events,
            connections: self.connections,
            callers: self.callers,
            data_bytes: self.data_bytes as usize,
            rate: self.rate,
            hooks: self.hooks,
            waiting: self.waiting,
            batch: self.batch,
            rounds: self.rounds,
            phase: Duration::from_secs(self.phase_seconds.into()),
            json: self.json,
            directory: self.directory,
        };
        let failures = actix_web::rt::System::new().block_on(async {
            let mut failures = Vec::new();
            for scenario in scenarios {
                if let Err(failure) = scenario.run(&bench).await {
                    failures.push(format!("{}: {failure:#}", format!("{scenario:?}").to_lowercase()));
                }
            }
            failures
        });
        match failures.is_empty() {
            true => Ok(()),
            false => Err(Failure::other(failures.join("; "))),
        }
    }
}

impl Scenario {
    async fn run(self, bench: &Bench) -> anyhow::Result<()> {
        match self {
            Self::Hooks => bench.hooks().await,
            Self::Wire => bench.wire().await,
            Self::Http => bench.http().await,
            Self::Emit => bench.emit().await,
            Self::Latency => bench.latency().await,
            Self::Neighbours => bench.neighbours().await,
            Self::Noisy => bench.noisy().await,
            Self::Backlog => bench.backlog().await,
        }
    }

    /// Whether it measures without comparing.
    fn is_plain(&self) -> bool {
        !matches!(self, Self::Neighbours | Self::Noisy | Self::Backlog)
    }
}
