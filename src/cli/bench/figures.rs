//! The figures of a scenario, by names that programs may rely on.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::delays::Percentiles;
use super::footprint::Footprint;

/// What was measured in one round, or the medians of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<&'static str, f64>);

impl Figures {
    /// So many things between two moments.
    pub fn of_rate(things: u64, began_ns: u64, ended_ns: u64) -> Self {
        let mut figures = Self::default();
        let seconds = ended_ns.saturating_sub(began_ns) as f64 / 1e9;
        figures.set("seconds", seconds);
        figures.set("per_second", things as f64 / seconds.max(1e-9));
        figures
    }

    pub fn set(&mut self, name: &'static str, value: f64) {
        self.0.insert(name, value);
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// How long it took from when each event should have been sent to its arrival.
    pub fn set_delays(&mut self, delays: Percentiles) {
        self.set("p50_ms", delays.p50_ms);
        self.set("p99_ms", delays.p99_ms);
        self.set("p999_ms", delays.p999_ms);
        self.set("max_ms", delays.max_ms);
    }

    /// The same to the answer of whoever took it.
    pub fn set_answers(&mut self, answers: Percentiles) {
        self.set("receipt_p50_ms", answers.p50_ms);
        self.set("receipt_p99_ms", answers.p99_ms);
        self.set("receipt_p999_ms", answers.p999_ms);
        self.set("receipt_max_ms", answers.max_ms);
    }

    /// What a process took between two looks at it for so many events.
    pub fn set_footprint(&mut self, before: Footprint, after: Footprint, events: u64) {
        let spent = |before: Option<f64>, after: Option<f64>| Some((after? - before?) / events as f64);
        let figures = [
            ("cpu_us_per_event", spent(before.cpu_us, after.cpu_us)),
            ("written_bytes_per_event", spent(before.written, after.written)),
            ("peak_mib", after.peak_mib),
        ];
        for (name, value) in figures {
            if let Some(value) = value {
                self.set(name, value);
            }
        }
    }

    /// Of each figure its median.
    pub fn median(rounds: &[Self]) -> Self {
        let names = rounds.iter().flat_map(|round| round.0.keys().copied());
        let medians = names.map(|name| (name, median(rounds.iter().filter_map(|round| round.get(name)))));
        Self(medians.collect())
    }

    pub fn json(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    }
}

/// The middle one of some values; of an even number the upper one.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_a_median_of_its_own() {
        let round = |rate: u64, peak_mib: f64| {
            let mut figures = Figures::of_rate(rate, 0, 1_000_000_000);
            figures.set("peak_mib", peak_mib);
            figures
        };
        let median = Figures::median(&[round(100, 7.0), round(300, 5.0), round(200, 6.0)]);
        assert_eq!(median.get("per_second"), Some(200.0));
        assert_eq!(median.get("peak_mib"), Some(6.0));
        assert_eq!(median.get("p50_ms"), None);
    }

    #[test]
    fn what_a_process_takes_is_shared_out_among_the_events() {
        let before = Footprint { cpu_us: Some(1000.0), written: Some(0.0), ..Footprint::default() };
        let after = Footprint { cpu_us: Some(3000.0), written: Some(5000.0), ..Footprint::default() };
        let mut figures = Figures::default();
        figures.set_footprint(before, after, 100);
        assert_eq!(figures.get("cpu_us_per_event"), Some(20.0));
        assert_eq!(figures.get("written_bytes_per_event"), Some(50.0));
        assert_eq!(figures.get("peak_mib"), None);
    }
}
