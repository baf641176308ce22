//! The course of a bench: what is measured in which order, and shown once it is known.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use url::Url;

use super::super::Failure;
use super::destination::{Destination, Place};
use super::figures::Figures;
use super::part::arrivals::Fan;
use super::part::disk::Medium;
use super::part::receiver::Fault;
use super::row::{self, Row};
use super::scenario::Scenario;
use super::throughput::Shape;
use super::workshop::Workshop;

/// What to measure with.
pub struct Bench {
    pub workshop: Workshop,
    pub events: u32,
    pub connections: u16,
    pub accept_connections: u16,
    pub callers: u16,
    pub data_bytes: usize,
    pub rate: u32,
    pub fanout: u32,
    pub hooks: u32,
    /// Events that wait for a dead hook.
    pub waiting: u32,
    /// Events in a request of the noisy account.
    pub batch: u16,
    /// As many as are usual, unless they are given.
    pub rounds: Option<u32>,
    pub phase_seconds: u32,
    /// Where deliveries go instead of a receiver of the bench.
    pub url: Option<Url>,
    pub is_json: bool,
    /// How long nothing may arrive before a scenario gives up.
    pub patience: Duration,
    pub receiver_fault: Option<Fault>,
}

/// What was measured so far, round by round.
#[derive(Default)]
struct Measured(HashMap<Scenario, Vec<Figures>>);

/// Hooks of the scenario hundred, each with an event type and a port of its own.
const HUNDRED: u32 = 100;
/// How many seconds a steady rate is kept up at most.
const STEADY_SECONDS: u32 = 10;
/// Rounds of what is compared, for the machine's noise falls on single ones.
const COMPARISON_ROUNDS: u32 = 5;
/// Networks that a router may send to: this machine, and the private ones where a URL was given.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

impl Bench {
    /// Runs the scenarios, in as many rounds as are wanted.
    ///
    /// # Errors
    /// When one of them fails, or costs more than it may; the others are measured all the same.
    pub fn run(&self, plan: &[Scenario]) -> Result<(), Failure> {
        let (compared, plain): (Vec<Scenario>, Vec<Scenario>) =
            plan.iter().partition(|scenario| scenario.is_comparison());
        let mut failures = self.run_plain(plain)?;
        for scenario in compared {
            if let Err(failure) = self.compare(scenario) {
                failures.push(format!("{}: {failure:#}", scenario.name()));
            }
        }
        match failures.is_empty() {
            true => Ok(()),
            false => Err(Failure::other(failures.join("; "))),
        }
    }

    /// Runs those that are measured in turn, and shows each once it was measured in the last round.
    fn run_plain(&self, mut plan: Vec<Scenario>) -> Result<Vec<String>, Failure> {
        if !plan.is_empty() && !self.is_json {
            writeln!(io::stdout(), "{}", row::heading())?;
        }
        let (mut measured, mut failures) = (Measured::default(), Vec::new());
        let rounds = self.rounds.unwrap_or(1);
        for round in 1..=rounds {
            let mut failed = Vec::new();
            for scenario in &plan {
                match self.measure(*scenario, &measured) {
                    Ok(figures) => measured.add(*scenario, figures),
                    Err(failure) => {
                        failures.push(format!("{}: {failure:#}", scenario.name()));
                        failed.push(*scenario);
                        continue;
                    }
                }
                if round == rounds {
                    let row = Row { scenario: *scenario, bench: self, rounds: measured.of(*scenario) };
                    self.tell(&row.json(), &row.text())?;
                }
            }
            plan.retain(|scenario| !failed.contains(scenario));
        }
        Ok(failures)
    }

    fn measure(&self, scenario: Scenario, measured: &Measured) -> anyhow::Result<Figures> {
        let plain = Shape::plain(self.events, self.connections);
        match scenario {
            Scenario::Wire => self.wire(false),
            Scenario::Client => self.wire(true),
            Scenario::Handler => self.handler(),
            Scenario::File => self.disk(Medium::File),
            Scenario::Sled => self.disk(Medium::Sled),
            Scenario::Http => self.through(&plain),
            Scenario::Hundred => {
                self.through(&Shape { hooks: HUNDRED, fan: Fan::One, place: Place::Ports(HUNDRED), ..plain })
            }
            Scenario::Keyed => self.through(&Shape { is_keyed: true, ..plain }),
            Scenario::Accept => {
                self.through(&Shape { hooks: 0, ..Shape::plain(self.events, self.accept_connections) })
            }
            Scenario::Emit => self.embedded(true),
            Scenario::Record => self.embedded(false),
            Scenario::Fanout => {
                let events = (self.events / self.fanout).max(1);
                self.through(&Shape { events, hooks: self.fanout, place: Place::Paths, ..plain })
            }
            Scenario::Drain => self.drain(),
            Scenario::Latency => self.steady(self.rate),
            Scenario::Half => {
                let http = measured.last(Scenario::Http).and_then(|http| http.get("per_second"));
                let http = http.context("the rate of http is not known")?;
                self.steady(((http / 2.0) as u32).max(1))
            }
            Scenario::History => self.history(),
            Scenario::Hooks => self.hooks(),
            Scenario::Neighbours | Scenario::Noisy | Scenario::Backlog | Scenario::Soak => {
                anyhow::bail!("it is compared, not measured")
            }
        }
    }

    fn compare(&self, scenario: Scenario) -> anyhow::Result<()> {
        match scenario {
            Scenario::Neighbours => self.neighbours(),
            Scenario::Noisy => self.noisy(),
            Scenario::Soak => self.soak(),
            _ => self.backlog(),
        }
    }

    /// Events at a steady rate.
    fn steady(&self, rate: u32) -> anyhow::Result<Figures> {
        let events = self.events.min(rate.saturating_mul(STEADY_SECONDS));
        let mut figures =
            self.through(&Shape { rate: Some(rate), ..Shape::plain(events, self.connections) })?;
        figures.set("rate", rate.into());
        Ok(figures)
    }

    pub fn comparison_rounds(&self) -> u32 {
        self.rounds.unwrap_or(COMPARISON_ROUNDS)
    }

    /// Where the deliveries of a scenario go.
    ///
    /// # Errors
    /// When there is no receiver.
    pub fn destination(&self, place: Place) -> anyhow::Result<Destination> {
        match &self.url {
            Some(url) => Ok(Destination::Elsewhere(url.clone())),
            None => Destination::receiver(&self.workshop, place),
        }
    }

    /// The networks that a router may send to although they are not public.
    pub fn networks(&self) -> Vec<&'static str> {
        let private = if self.url.is_some() { &PRIVATE[..] } else { &[] };
        [&LOOPBACK, private].concat()
    }

    /// Shows what was measured, in the manner that was asked for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&self, figures: &Value, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        match self.is_json {
            true => writeln!(output, "{figures}"),
            false => writeln!(output, "{text}"),
        }
    }
}

impl Measured {
    /// Adds what was measured in one more round, with its ratio to what was measured of its baseline in that
    /// round.
    fn add(&mut self, scenario: Scenario, mut figures: Figures) {
        let baseline = scenario.baseline().and_then(|baseline| self.last(baseline)?.get("per_second"));
        if let Some((rate, baseline)) = figures.get("per_second").zip(baseline) {
            figures.set("ratio", rate / baseline);
        }
        self.0.entry(scenario).or_default().push(figures);
    }

    fn of(&self, scenario: Scenario) -> &[Figures] {
        self.0.get(&scenario).map_or(&[], Vec::as_slice)
    }

    fn last(&self, scenario: Scenario) -> Option<&Figures> {
        self.of(scenario).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_to_the_baseline_of_the_same_round() {
        let rate = |rate| Figures::of_rate(rate, 0, 1_000_000_000);
        let mut measured = Measured::default();
        for (wire, http) in [(1000, 250), (500, 200)] {
            measured.add(Scenario::Wire, rate(wire));
            measured.add(Scenario::Http, rate(http));
        }
        let ratios: Vec<_> = measured.of(Scenario::Http).iter().map(|round| round.get("ratio")).collect();
        assert_eq!(ratios, [Some(0.25), Some(0.4)]);
        assert_eq!(measured.last(Scenario::Wire).and_then(|wire| wire.get("ratio")), None);
    }
}
