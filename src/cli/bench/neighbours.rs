//! Bad neighbours: of a hundred hooks one hangs, one resets connections and one dribbles, and the delays of
//! the others are compared with those that they have without the three.

use std::time::Duration;

use super::comparison::Comparison;
use super::course::Bench;
use super::part::Role;
use super::part::misbehaving::Order;
use super::request::EVENT;
use super::router::Router;
use super::stream::Stream;

/// How many times longer the p99 of the well-behaved may be.
const LIMIT: f64 = 1.2;
const WELL_BEHAVED: u32 = 97;

impl Bench {
    /// Three bad neighbours of ninety-seven hooks; all of them get every event.
    pub fn neighbours(&self) -> anyhow::Result<()> {
        let rate = self.rate.div_ceil(WELL_BEHAVED);
        let mut stream = Stream::new(self, WELL_BEHAVED, rate, rate * self.phase_seconds)?;
        let mut bad = self.workshop.hand(Role::Misbehaving)?;
        let urls: Vec<String> = bad.ask(&Order::Listen)?;
        let router = Router::start(&self.workshop, &self.networks())?;
        for hook in 0..WELL_BEHAVED {
            router.subscribe(&stream.destination.url(hook), EVENT, None)?;
        }
        stream.aim(router.address, self.emit_request(EVENT, false));

        let mut comparison = Comparison::new("neighbours", LIMIT);
        for _ in 0..self.comparison_rounds() {
            let without = stream.phase()?;
            let hooks: Vec<String> =
                urls.iter().map(|url| router.subscribe(url, EVENT, None)).collect::<anyhow::Result<_>>()?;
            let with = stream.phase()?;
            for hook in &hooks {
                router.unsubscribe(hook)?;
            }
            comparison.add(without, with);
        }
        router.stop()?;
        stream.destination.each_once(Duration::ZERO)?;
        let met: Vec<String> = bad.ask(&Order::Met)?;
        let text = format!(
            "{}\n{:11}{rate} events/s to each of {WELL_BEHAVED} hooks; {}",
            comparison.text(),
            "",
            met.join(", ")
        );
        self.tell(&comparison.json(), &text)?;
        comparison.verdict()
    }
}
