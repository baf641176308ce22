//! Metrics: what a router counts and measures, as text for Prometheus.
//!
//! Each router has its own, so that two can live in one process. Every part of the house keeps its own figures in a
//! struct of this module, whose counters are there from the beginning: to count is an atomic addition, without a lock
//! or a look-up. A label has few values, all of them known to the program: never an id, a name or a URL.
//!
//! To add a figure: give the struct of its part a field, enter it in that struct's `new` with its name and help text,
//! and count where it happens. What is only known when asked for is set in `Hookyard::metrics`, what only the store
//! knows is found by its census.

pub mod attempts;
mod book;
pub mod events;
mod histogram;
pub mod hooks;
pub mod limits;
#[cfg(feature = "server")]
pub mod requests;
#[cfg(feature = "otlp")]
pub mod spans;
pub mod store;

use std::ops::Deref;
use std::sync::Arc;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

use crate::clock::Timestamp;

use self::attempts::Attempts;
use self::book::Book;
use self::events::Events;
use self::hooks::Hooks;
use self::limits::Limits;
#[cfg(feature = "server")]
use self::requests::Requests;
#[cfg(feature = "otlp")]
use self::spans::Spans;
use self::store::Store;

/// What every name begins with.
const PREFIX: &str = "hookyard";

/// The metrics of one router; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Parts>);

/// The figures, part by part.
#[derive(Debug)]
pub struct Parts {
    pub events: Events,
    pub attempts: Attempts,
    pub hooks: Hooks,
    pub limits: Limits,
    pub store: Store,
    #[cfg(feature = "server")]
    pub requests: Requests,
    #[cfg(feature = "otlp")]
    pub spans: Spans,
    registry: Registry,
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut book = Book::new(&mut registry);
        book.info("build", "What is running", [("version", env!("CARGO_PKG_VERSION"))]);
        let started = book.gauge("start_time_seconds", "When the router was opened, in seconds since 1970");
        started.set(Timestamp::now().unix_seconds() as i64);
        Self(Arc::new(Parts {
            events: Events::new(&mut book),
            attempts: Attempts::new(&mut book),
            hooks: Hooks::new(&mut book),
            limits: Limits::new(&mut book),
            store: Store::new(&mut book),
            #[cfg(feature = "server")]
            requests: Requests::new(&mut book),
            #[cfg(feature = "otlp")]
            spans: Spans::new(&mut book),
            registry,
        }))
    }

    /// All figures in the Prometheus text format, version 0.0.4.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0.registry).expect("writing to memory does not fail");
        text
    }
}

impl Deref for Metrics {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_routers_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.events.accepted.inc();
        assert!(one.text().contains("\nhookyard_events_accepted_total 1\n"));
        assert!(other.text().contains("\nhookyard_events_accepted_total 0\n"));
    }

    #[test]
    fn the_version_and_the_start_are_told() {
        let text = Metrics::new().text();
        let version = env!("CARGO_PKG_VERSION");
        assert!(text.contains(&format!("\nhookyard_build_info{{version=\"{version}\"}} 1\n")));
        assert!(!text.contains("\nhookyard_start_time_seconds 0\n"));
    }
}
