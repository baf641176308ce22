//! Registered, idle hooks: what they cost, and how fast they are there.

use super::course::Bench;
use super::figures::Figures;
use super::part::Role;
use super::part::generator::{Load, Order, Sent};
use super::request::{self, EVENT};
use super::router::Router;

/// Where hooks point to which nothing is ever sent.
const BASE: &str = "http://127.0.0.1:9/customers";
const MIB: f64 = 1024.0 * 1024.0;

impl Bench {
    /// Many hooks that are subscribed over HTTP, and found again after a kill.
    pub fn hooks(&self) -> anyhow::Result<Figures> {
        let router = Router::start(&self.workshop, &self.networks())?;
        let request = request::subscribe(BASE, EVENT);
        let load = Load { address: router.address, request, ..self.load(self.hooks, self.connections) };
        let before = router.footprint();
        let sent: Sent = self.workshop.hand(Role::Generator)?.ask(&Order::Send(load))?;
        let after = router.footprint();

        let mut figures = Figures::of_rate(self.hooks.into(), sent.began_ns, sent.ended_ns);
        figures.set_answers(sent.answers);
        figures.set_footprint(before, after, self.hooks.into());
        let (router, ready) = router.kill_and_start(&self.workshop)?;
        let again = router.footprint();
        figures.set("ready_ms", ready.as_secs_f64() * 1e3);
        if let (Some(before), Some(after)) = (before.anonymous_bytes, after.anonymous_bytes) {
            figures.set("mib", after / MIB);
            figures.set("mib_without", before / MIB);
            figures.set("bytes_per_hook", (after - before) / f64::from(self.hooks));
        }
        if let Some(again) = again.anonymous_bytes {
            figures.set("mib_ready", again / MIB);
        }
        let found = router.hooks()?;
        anyhow::ensure!(
            found == u64::from(self.hooks),
            "{found} of {} hooks were there after a kill",
            self.hooks
        );
        router.stop()?;
        Ok(figures)
    }
}
