//! What a router has counted: how many events and deliveries it has seen through.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// Figures of its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub accepted: u64,
    pub matched: u64,
    pub delivered: u64,
}

impl Counted {
    /// Reads them from the text of the metrics.
    ///
    /// # Errors
    /// When they are not there.
    pub fn read(metrics: &str) -> anyhow::Result<Self> {
        Ok(Self {
            accepted: figure(metrics, "hookyard_events_accepted_total")?,
            matched: figure(metrics, "hookyard_deliveries_matched_total")?,
            delivered: figure(metrics, "hookyard_deliveries_delivered_total")?,
        })
    }

    /// Whether no delivery is still to be made.
    pub fn is_drained(&self) -> bool {
        self.delivered >= self.matched
    }

    /// # Errors
    /// When these are not all that were acknowledged, or not all that came of them.
    pub fn are(&self, events: u64, deliveries: u64) -> anyhow::Result<()> {
        let Self { accepted, matched, .. } = self;
        ensure!(*accepted == events, "{accepted} events were recorded of {events} that were acknowledged");
        ensure!(*matched == deliveries, "{matched} deliveries came of them instead of {deliveries}");
        Ok(())
    }
}

/// A figure of the metrics by its name.
///
/// # Errors
/// When it is not there.
pub fn figure(metrics: &str, name: &str) -> anyhow::Result<u64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).with_context(|| format!("no {name} among the metrics"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "\
# TYPE hookyard_events_accepted_total counter
hookyard_events_accepted_total 5
hookyard_deliveries_matched_total 7
hookyard_deliveries_delivered_total 6
";

    #[test]
    fn what_was_counted_is_held_against_what_was_acknowledged() {
        let counted = Counted::read(METRICS).unwrap();
        assert_eq!(counted, Counted { accepted: 5, matched: 7, delivered: 6 });
        assert!(!counted.is_drained());
        assert!(counted.are(5, 7).is_ok() && counted.are(6, 7).is_err() && counted.are(5, 5).is_err());
        assert!(Counted::read("").is_err());
    }
}
