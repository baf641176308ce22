//! `hookyard bench`: how fast it is on this machine, with nothing else to install.
//!
//! Router, load generator and receiver share the process and its cores, each on threads of its own. Every scenario
//! checks that each event arrived exactly once, and fails if not.

mod load;
mod receiver;
mod scenario;

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use self::scenario::Bench;
use super::{Failure, descriptors, durable};

/// Measure throughput, latency and footprint on this machine
///
/// Each scenario opens a store of its own in a directory that it removes afterwards. Shared machines are noisy: compare
/// figures of one run, and repeat it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// What to measure; everything when absent
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

    /// Events per second in the scenario latency
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// Hooks in the scenario hooks
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    hooks: u32,

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
}

const EXAMPLES: &str = "\
Examples:
  hookyard bench
  hookyard bench wire http --events 200000
  hookyard bench latency --rate 2000";

impl Options {
    /// Runs the scenarios one after the other.
    ///
    /// # Errors
    /// When a scenario cannot be set up, or an event was lost or arrived twice.
    pub fn run(self) -> Result<(), Failure> {
        durable::prove().map_err(anyhow::Error::msg)?;
        descriptors::raise(usize::from(self.connections) * 2);
        let scenarios = match self.scenarios.is_empty() {
            // First what measures memory: the allocator keeps what the others used.
            true => Scenario::value_variants().to_vec(),
            false => self.scenarios,
        };
        let bench = Bench {
            events: self.events,
            connections: self.connections,
            callers: self.callers,
            data_bytes: self.data_bytes as usize,
            rate: self.rate,
            hooks: self.hooks,
            directory: self.directory,
        };
        actix_web::rt::System::new().block_on(async {
            for scenario in scenarios {
                let measured = match scenario {
                    Scenario::Hooks => bench.hooks().await,
                    Scenario::Wire => bench.wire().await,
                    Scenario::Http => bench.http().await,
                    Scenario::Emit => bench.emit().await,
                    Scenario::Latency => bench.latency().await,
                };
                measured.with_context(|| format!("{scenario:?}").to_lowercase())?;
            }
            anyhow::Ok(())
        })?;
        Ok(())
    }
}
