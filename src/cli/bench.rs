//! `hookyard bench`: how fast it is on this machine, with nothing else to install.
//!
//! The router is a server in a process of its own, and so are the load generator and the receiver, so that
//! nobody's cost hides in another's. Every scenario checks that each event arrived exactly once, and fails if
//! not. What it is measured against is measured in the same round, on the same cores. Those that compare
//! delays without and with a disturbance fail too if it costs more than it may.

mod backlog;
mod comparison;
mod counted;
mod course;
mod delays;
mod destination;
mod figures;
mod finish;
mod footprint;
mod history;
mod hooks;
mod monotonic;
mod neighbours;
mod noisy;
mod part;
mod process;
mod request;
mod router;
mod row;
mod scenario;
mod soak;
mod stream;
mod template;
mod throughput;
mod workshop;

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use self::course::Bench;
use self::part::receiver::Fault;
use self::scenario::Scenario;
use self::workshop::Workshop;
use super::Failure;

pub use self::part::Part;

/// Measure throughput, latency and footprint on this machine
///
/// Router, load generator and receiver have processes of their own, and each scenario a store of its own in a
/// directory that is removed afterwards. Shared machines are noisy: compare figures of one run, best those of
/// its ratios, and take several rounds.
///
/// Delays count from when an event should have been sent; where events are sent as fast as can be, that is
/// when a connection is free for it. Processor time, bytes written and peak memory are those of one process:
/// the router, or what stands in its place.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// What to measure, with what it is measured against; all but the last four when absent
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,

    /// Events of each throughput scenario
    #[arg(long, default_value_t = 50_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    events: u32,

    /// Keep-alive connections of the load generator
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// The same in the scenarios accept and handler
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    accept_connections: u16,

    /// Callers that emit at once in the scenarios emit and record, and events of a batch in file and sled
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    callers: u16,

    /// Bytes of each event's data
    #[arg(long, default_value_t = 200, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    data_bytes: u32,

    /// Events per second where the rate is steady; of all hooks together in the scenario neighbours
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,

    /// Hooks that each event goes to in the scenario fanout
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    fanout: u32,

    /// Hooks in the scenario hooks
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    hooks: u32,

    /// Events that wait in the scenarios drain and backlog
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    waiting: u32,

    /// Events in a request of the noisy account
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,

    /// Rounds in which everything is measured in turn, and whose medians are shown: 1, but 5 of neighbours,
    /// noisy and backlog, each with a phase without and one with the disturbance; phases of soak
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,

    /// Seconds of such a phase in neighbours, noisy and soak
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    phase_seconds: u32,

    /// Deliver to this URL instead of a receiver of its own; whether all arrived is then not known
    #[arg(long, value_name = "URL")]
    url: Option<Url>,

    /// Keep the router, or what stands in its place, to these cores: 0 or 0,1
    #[arg(long, value_name = "CORES", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(0..1024))]
    pin: Vec<u16>,

    /// Print JSON, an object for each scenario
    #[arg(long)]
    json: bool,

    /// Where the stores are made; a disk, if durability is to mean something
    #[arg(long, default_value = ".", value_name = "DIR")]
    directory: PathBuf,

    /// Seconds without an arrival after which a scenario gives up
    #[arg(long, default_value_t = 30, value_name = "N", hide = true)]
    patience_seconds: u32,

    /// What the receiver does wrong, to see that it is found
    #[arg(long, value_enum, hide = true)]
    receiver_fault: Option<Fault>,
}

const EXAMPLES: &str = "\
Examples:
  hookyard bench
  hookyard bench http --events 200000 --rounds 5
  hookyard bench latency --rate 2000
  hookyard bench http --pin 0
  hookyard bench http --url http://127.0.0.1:9000/
  hookyard bench neighbours noisy backlog --json";

impl Options {
    /// Runs the scenarios one after the other.
    ///
    /// # Errors
    /// When a scenario cannot be set up, an event was lost or arrived twice, or a disturbance costs more than
    /// it may.
    pub fn run(self) -> Result<(), Failure> {
        let mut plan = Scenario::plan(&self.scenarios);
        if self.url.as_ref().is_some_and(|url| url.scheme() != "http") {
            // The load generator speaks no TLS.
            plan.retain(|scenario| self.scenarios.contains(scenario) || !scenario.is_direct());
        }
        if let Some(compared) = plan.iter().find(|scenario| scenario.is_comparison() && self.url.is_some()) {
            let name = compared.name();
            return Err(Failure::Usage(format!(
                "{name} needs a receiver that tells delays; leave out --url"
            )));
        }
        let bench = Bench {
            workshop: Workshop::open(&self.directory, self.pin)?,
            events: self.events,
            connections: self.connections,
            accept_connections: self.accept_connections,
            callers: self.callers,
            data_bytes: self.data_bytes as usize,
            rate: self.rate,
            fanout: self.fanout,
            hooks: self.hooks,
            waiting: self.waiting,
            batch: self.batch,
            rounds: self.rounds,
            phase_seconds: self.phase_seconds,
            url: self.url,
            is_json: self.json,
            patience: Duration::from_secs(self.patience_seconds.into()),
            receiver_fault: self.receiver_fault,
        };
        bench.run(&plan)
    }
}
