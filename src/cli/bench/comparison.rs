//! A comparison: delays without and with a disturbance, round by round, so that the machine's noise falls on
//! both.

use anyhow::bail;
use serde_json::{Value, json};

use super::delays::Percentiles;
use super::figures::median;

/// Rounds of two phases each.
pub struct Comparison {
    name: &'static str,
    /// How many times longer the 99th percentile may be with the disturbance.
    limit: f64,
    rounds: Vec<Round>,
}

/// The delays of one round.
struct Round {
    without: Percentiles,
    with: Percentiles,
}

impl Comparison {
    pub fn new(name: &'static str, limit: f64) -> Self {
        Self { name, limit, rounds: Vec::new() }
    }

    /// Adds a round.
    pub fn add(&mut self, without: Percentiles, with: Percentiles) {
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
            "{:11}p99 {:.2} ms without, {:.2} ms with: {:.2} times (limit {}; rounds {})\n{:11}p50 {:.2} ms without, {:.2} ms with",
            self.name,
            median(self.rounds.iter().map(|round| round.without.p99_ms)),
            median(self.rounds.iter().map(|round| round.with.p99_ms)),
            self.ratio(),
            self.limit,
            rounds.collect::<Vec<_>>().join(" "),
            "",
            median(self.rounds.iter().map(|round| round.without.p50_ms)),
            median(self.rounds.iter().map(|round| round.with.p50_ms)),
        )
    }

    /// The same, with every round, for programs.
    pub fn json(&self) -> Value {
        let rounds = self
            .rounds
            .iter()
            .map(|round| json!({"without": round.without, "with": round.with, "ratio": round.ratio()}));
        json!({
            "scenario": self.name,
            "p99_ms_without": median(self.rounds.iter().map(|round| round.without.p99_ms)),
            "p99_ms_with": median(self.rounds.iter().map(|round| round.with.p99_ms)),
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
        self.with.p99_ms / self.without.p99_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(p99_ms: f64) -> Percentiles {
        Percentiles { count: 100, p99_ms, ..Percentiles::default() }
    }

    #[test]
    fn one_bad_round_in_three_is_the_machine_and_two_are_the_router() {
        let mut comparison = Comparison::new("neighbours", 1.2);
        comparison.add(delays(10.0), delays(11.0));
        comparison.add(delays(10.0), delays(90.0));
        comparison.add(delays(10.0), delays(12.0));
        assert!(comparison.verdict().is_ok());
        comparison.add(delays(10.0), delays(13.0));
        comparison.add(delays(10.0), delays(13.0));
        assert!(comparison.verdict().is_err());
        assert_eq!(comparison.json()["rounds"][1]["ratio"], 9.0);
    }
}
