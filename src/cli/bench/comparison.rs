//! A comparison: delays without and with a disturbance, round by round, so that the machine's noise falls on both.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};

/// Rounds of two phases each.
pub struct Comparison {
    name: &'static str,
    /// How many times longer the 99th percentile may be with the disturbance.
    limit: f64,
    rounds: Vec<Round>,
}

/// The delays of one round, sorted.
struct Round {
    without: Vec<Duration>,
    with: Vec<Duration>,
}

impl Comparison {
    pub fn new(name: &'static str, limit: f64) -> Self {
        Self { name, limit, rounds: Vec::new() }
    }

    /// Adds a round.
    pub fn add(&mut self, mut without: Vec<Duration>, mut with: Vec<Duration>) {
        without.sort();
        with.sort();
        self.rounds.push(Round { without, with });
    }

    /// The median of the rounds' ratios.
    fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(Round::ratio))
    }

    /// The medians of the rounds, as text.
    pub fn text(&self) -> String {
        let rounds = self.rounds.iter().map(|round| format!("{:.2}", round.ratio()));
        format!(
            "{:10} p99 {:.2} ms without, {:.2} ms with: {:.2} times (limit {}; rounds {})\n{:10} p50 {:.2} ms without, {:.2} ms with",
            self.name,
            median(self.rounds.iter().map(|round| at(&round.without, 0.99))),
            median(self.rounds.iter().map(|round| at(&round.with, 0.99))),
            self.ratio(),
            self.limit,
            rounds.collect::<Vec<_>>().join(" "),
            "",
            median(self.rounds.iter().map(|round| at(&round.without, 0.5))),
            median(self.rounds.iter().map(|round| at(&round.with, 0.5))),
        )
    }

    /// The same, with every round, for programs.
    pub fn json(&self) -> Value {
        let rounds = self.rounds.iter().map(|round| {
            json!({"without": shares(&round.without), "with": shares(&round.with), "ratio": round.ratio()})
        });
        json!({
            "scenario": self.name,
            "p99_ms_without": median(self.rounds.iter().map(|round| at(&round.without, 0.99))),
            "p99_ms_with": median(self.rounds.iter().map(|round| at(&round.with, 0.99))),
            "ratio": self.ratio(),
            "limit": self.limit,
            "rounds": rounds.collect::<Vec<_>>(),
        })
    }

    /// # Errors
    /// When the disturbance costs more than it may.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let (ratio, limit) = (self.ratio(), self.limit);
        if ratio > limit {
            bail!("the 99th percentile is {ratio:.2} times what it is without; the limit is {limit}");
        }
        Ok(())
    }
}

impl Round {
    fn ratio(&self) -> f64 {
        at(&self.with, 0.99) / at(&self.without, 0.99)
    }
}

/// The percentiles that are of interest, in milliseconds.
fn shares(sorted: &[Duration]) -> Value {
    json!({
        "count": sorted.len(), "p50_ms": at(sorted, 0.5), "p99_ms": at(sorted, 0.99),
        "p999_ms": at(sorted, 0.999), "max_ms": at(sorted, 1.0),
    })
}

/// The delay that this share of the sorted ones do not exceed, in milliseconds.
pub fn at(sorted: &[Duration], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(index).map_or(0.0, |delay| delay.as_secs_f64() * 1e3)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(ms: u64) -> Vec<Duration> {
        vec![Duration::from_millis(ms); 100]
    }

    #[test]
    fn one_bad_round_in_three_is_the_machine_and_two_are_the_router() {
        let mut comparison = Comparison::new("neighbours", 1.2);
        comparison.add(delays(10), delays(11));
        comparison.add(delays(10), delays(90));
        comparison.add(delays(10), delays(12));
        assert!(comparison.verdict().is_ok());
        comparison.add(delays(10), delays(13));
        comparison.add(delays(10), delays(13));
        assert!(comparison.verdict().is_err());
        assert_eq!(comparison.json()["rounds"][1]["ratio"], 9.0);
    }
}
