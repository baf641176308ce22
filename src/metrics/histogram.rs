//! A histogram that is counted with atomic additions alone; the one of the library takes a lock for each value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// How values spread over buckets; clones share it.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

/// The upper bounds of buckets, ascending; what is above the last has a bucket too.
#[derive(Clone, Copy, Debug)]
pub enum Buckets {
    /// Bounds in microseconds; shown in seconds.
    Time(&'static [u64]),
    /// Bounds in whatever is counted.
    Number(&'static [u64]),
}

#[derive(Debug)]
struct Inner {
    buckets: Buckets,
    /// One for each bound, and one for what is above.
    counts: Box<[AtomicU64]>,
    /// In microseconds, or in whatever is counted.
    sum: AtomicU64,
}

impl Histogram {
    pub fn new(buckets: Buckets) -> Self {
        let counts = (0..=buckets.bounds().len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner { buckets, counts, sum: AtomicU64::new(0) }))
    }

    /// Takes in how long something took.
    pub fn time(&self, took: Duration) {
        self.number(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Takes in how many there were.
    pub fn number(&self, value: u64) {
        let bucket = self.0.buckets.bounds().partition_point(|bound| *bound < value);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum.fetch_add(value, Ordering::Relaxed);
    }
}

impl Buckets {
    fn bounds(self) -> &'static [u64] {
        match self {
            Self::Time(bounds) | Self::Number(bounds) => bounds,
        }
    }

    /// A value as it is shown.
    fn shown(self, value: u64) -> f64 {
        match self {
            Self::Time(_) => value as f64 / 1e6,
            Self::Number(_) => value as f64,
        }
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        let Inner { buckets, counts, sum } = &*self.0;
        let sum = buckets.shown(sum.load(Ordering::Relaxed));
        let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let bounds = buckets.bounds().iter().map(|bound| buckets.shown(*bound));
        let filled: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &filled, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_value_counts_in_every_bucket_that_it_does_not_exceed() {
        let histogram = Histogram::new(Buckets::Time(&[1_000, 250_000]));
        [1, 1_000, 1_001, 9_000_000].into_iter().for_each(|us| histogram.time(Duration::from_micros(us)));
        let mut registry = Registry::default();
        registry.register("took_seconds", "How long", histogram);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        let expected = "\
# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{le=\"0.001\"} 2
took_seconds_bucket{le=\"0.25\"} 3
took_seconds_bucket{le=\"+Inf\"} 4
took_seconds_sum 9.002002
took_seconds_count 4
";
        assert_eq!(text, expected);
    }
}
