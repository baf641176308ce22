//! Delays: how they spread.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest that can be told from a longer one: an hour, in nanoseconds.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Three significant digits: half a microsecond in a millisecond.
const DIGITS: u8 = 3;

/// A histogram of delays.
pub struct Delays(Histogram<u64>);

/// The percentiles that are of interest, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Delays {
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("the bounds are in order"))
    }

    /// Notes the delay of what was due at one moment and came at another.
    pub fn note(&mut self, due_ns: u64, came_ns: u64) {
        self.0.saturating_record(came_ns.saturating_sub(due_ns));
    }

    pub fn percentiles(&self) -> Percentiles {
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        Percentiles {
            count: self.0.len(),
            p50_ms: ms(self.0.value_at_quantile(0.5)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            p999_ms: ms(self.0.value_at_quantile(0.999)),
            max_ms: ms(self.0.max()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let mut delays = Delays::new();
        for ms in 1..=1000 {
            delays.note(5, 5 + ms * 1_000_000);
        }
        let Percentiles { count, p50_ms, p99_ms, p999_ms, max_ms } = delays.percentiles();
        assert_eq!(count, 1000);
        for (found, wanted) in [(p50_ms, 500.0), (p99_ms, 990.0), (p999_ms, 999.0), (max_ms, 1000.0)] {
            assert!((found - wanted).abs() < 1.0, "{found} for {wanted}");
        }
        assert_eq!(Delays::new().percentiles(), Percentiles::default());
    }
}
