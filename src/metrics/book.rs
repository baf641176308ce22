//! The book: where the figures are entered, each with its name, its help text and all its label values.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use super::histogram::{Buckets, Histogram};

/// One label with its value.
type Label = [(&'static str, &'static str); 1];

/// A registry while it is filled. Names are without prefix, and those of counters without `_total`; a unit ends them.
pub struct Book<'a>(&'a mut Registry);

impl<'a> Book<'a> {
    pub fn new(registry: &'a mut Registry) -> Self {
        Self(registry)
    }

    /// What only goes up.
    pub fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.enter(name, help, Counter::default())
    }

    /// The same by the values of a label, in their order.
    pub fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Counter; N] {
        let family = self.enter(name, help, Family::<Label, Counter>::default());
        values.map(|value| family.get_or_create_owned(&[(label, value)]))
    }

    /// What goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.enter(name, help, Gauge::default())
    }

    /// The same by the values of a label, in their order.
    pub fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Gauge; N] {
        let family = self.enter(name, help, Family::<Label, Gauge>::default());
        values.map(|value| family.get_or_create_owned(&[(label, value)]))
    }

    /// How values spread.
    pub fn histogram(&mut self, name: &str, help: &str, buckets: Buckets) -> Histogram {
        self.enter(name, help, Histogram::new(buckets))
    }

    /// The same by the values of a label, in their order.
    pub fn histograms<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        buckets: Buckets,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Histogram; N] {
        let family = Family::<Label, Histogram, _>::new_with_constructor(move || Histogram::new(buckets));
        let family = self.enter(name, help, family);
        values.map(|value| family.get_or_create_owned(&[(label, value)]))
    }

    /// What does not change; `_info` is added to its name.
    pub fn info<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [(&'static str, &'static str); N],
    ) {
        self.0.register(name, help, Info::new(labels.to_vec()));
    }

    /// Any other kind of figure.
    pub fn enter<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}
