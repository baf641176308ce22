//! The noisy account: one emits as fast as it can, and another at a steady rate, whose delays are compared
//! with those that it has alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::comparison::Comparison;
use super::course::Bench;
use super::destination::{Destination, Place};
use super::part::Role;
use super::part::flood::{Flooded, Water};
use super::part::generator::Order;
use super::request::{EVENT, Emit};
use super::router::Router;
use super::stream::Stream;

/// How many times longer another account's p99 may be.
const LIMIT: f64 = 2.0;
const NOISY: &str = "noisy";
const QUIET: &str = "quiet";

impl Bench {
    /// One account that emits as fast as it can, from a process of its own, through the front door like the
    /// other.
    pub fn noisy(&self) -> anyhow::Result<()> {
        let mut stream = Stream::new(self, 1, self.rate, self.rate * self.phase_seconds)?;
        let heap = Destination::receiver(&self.workshop, Place::Ports(1))?;
        let mut flood = self.workshop.hand(Role::Generator)?;
        let router = Router::start(&self.workshop, &self.networks())?;
        for (account, url) in [(QUIET, stream.destination.url(0)), (NOISY, heap.url(0))] {
            router.post("/api/v1/accounts", &json!({"id": account}))?;
            router.subscribe(&url, EVENT, Some(account))?;
        }
        let emit = |account| Emit {
            event: EVENT,
            account: Some(account),
            data_bytes: self.data_bytes,
            is_keyed: false,
        };
        stream.aim(router.address, emit(QUIET).text());
        let (address, request) = (router.address, emit(NOISY).batch_text(self.batch));
        let water = Water { address, request, connections: self.connections };

        let (mut comparison, mut flooded) = (Comparison::new("noisy", LIMIT), Flooded::default());
        for _ in 0..self.comparison_rounds() {
            let without = stream.phase()?;
            flood.ask::<Value>(&Order::Flood(water.clone()))?;
            let with = stream.phase()?;
            let Flooded { accepted, refused } = flood.ask(&Order::Stop)?;
            flooded = Flooded { accepted: flooded.accepted + accepted, refused: flooded.refused + refused };
            router.drained(self.patience)?;
            comparison.add(without, with);
        }
        router.stop()?;
        stream.destination.each_once(Duration::ZERO)?;

        let seconds = f64::from(self.phase_seconds * self.comparison_rounds());
        let rate = flooded.accepted as f64 * f64::from(self.batch) / seconds;
        let text = format!(
            "{}\n{:11}the noisy one had {rate:.0} events/s accepted in batches of {}, {} requests refused",
            comparison.text(),
            "",
            self.batch,
            flooded.refused
        );
        let mut shown = comparison.json();
        shown["flood"] = json!({"events_per_second": rate, "batch": self.batch, "refused": flooded.refused});
        self.tell(&shown, &text)?;
        comparison.verdict()
    }
}
