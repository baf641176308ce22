//! A backlog: a hook that is dead while many events come, and then is back; what it is sent meanwhile,
//! whether it gets the backlog in order, and what that does to the delays of another.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::comparison::Comparison;
use super::course::Bench;
use super::destination::Place;
use super::figures::Figures;
use super::monotonic::now_ns;
use super::part::Role;
use super::part::arrivals::Expected;
use super::part::revenant::{Order, Seen};
use super::request::EVENT;
use super::router::Router;
use super::stream::Stream;
use super::template::{Template, Told, data};

/// How many times longer the p99 of another hook may be while the backlog drains.
const LIMIT: f64 = 2.0;
/// What the other hook is for.
const OTHER: &str = "new_message";
/// How many events are emitted at a time.
const BATCH: u32 = 1000;
/// How long each phase lasts: all of them together take less than the backlog.
const PHASE_SECONDS: u32 = 2;
/// How long the hook stays dead once all wait for it: enough for some probes, which come every second.
const DEAD: Duration = Duration::from_secs(2);
const MIB: f64 = 1024.0 * 1024.0;

impl Bench {
    /// A hook that is dead while its backlog gathers, and then is sent it, now and then.
    pub fn backlog(&self) -> anyhow::Result<()> {
        let mut stream = Stream::new(self, 1, self.rate, self.rate * PHASE_SECONDS)?;
        let mut revenant = self.workshop.hand(Role::Revenant)?;
        let url: String = revenant.ask(&Order::Listen)?;
        let router = Router::start(&self.workshop, &self.networks())?;
        router.subscribe(&stream.destination.url(0), OTHER, None)?;
        let dead = router.subscribe(&url, EVENT, None)?;
        stream.aim(router.address, self.emit_request(OTHER, false));

        let (empty, began) = (router.footprint(), Instant::now());
        self.gather(&router)?;
        thread::sleep(DEAD);
        let Seen { requests, .. } = revenant.ask(&Order::Rise)?;
        let (dead_seconds, full) = (began.elapsed().as_secs_f64(), router.footprint());

        let mut comparison = Comparison::new("backlog", LIMIT);
        for _ in 0..self.comparison_rounds() {
            router.post(&format!("/api/v1/hooks/{dead}/pause"), &json!({}))?;
            let without = stream.phase()?;
            router.post(&format!("/api/v1/hooks/{dead}/resume"), &json!({}))?;
            comparison.add(without, stream.phase()?);
        }
        router.drained(self.patience)?;
        router.stop()?;
        stream.destination.each_once(Duration::ZERO)?;
        let Seen { behind, .. } = revenant.ask(&Order::Taken(self.waiting))?;

        let mib = full.anonymous_bytes.zip(empty.anonymous_bytes).map(|(full, empty)| (full - empty) / MIB);
        let text = format!(
            "{}\n{:11}{} events waited in {:.1} MiB for a hook that was dead for {dead_seconds:.1} s and had {requests} requests; once it was back, none came more than {behind} behind a newer one",
            comparison.text(),
            "",
            self.waiting,
            mib.unwrap_or_default(),
        );
        let mut shown = comparison.json();
        shown["waiting"] =
            json!({"events": self.waiting, "requests": requests, "mib": mib, "behind": behind});
        self.tell(&shown, &text)?;
        comparison.verdict()
    }

    /// Events that wait for a paused hook, from when it is resumed.
    pub fn drain(&self) -> anyhow::Result<Figures> {
        let mut destination = self.destination(Place::Ports(1))?;
        let router = Router::start(&self.workshop, &self.networks())?;
        let hook = router.subscribe(&destination.url(0), EVENT, None)?;
        router.post(&format!("/api/v1/hooks/{hook}/pause"), &json!({}))?;
        self.gather(&router)?;
        destination.expect(Expected::events(0, self.waiting), self.receiver_fault)?;
        let (before, began_ns) = (router.footprint(), now_ns());
        router.post(&format!("/api/v1/hooks/{hook}/resume"), &json!({}))?;
        let arrived = destination.each_once(self.patience)?;
        router.drained(self.patience)?;
        let (after, drained_ns) = (router.footprint(), now_ns());
        router.stop()?;
        destination.each_once(Duration::ZERO)?;

        let (waiting, ended_ns) =
            (self.waiting.into(), arrived.map_or(drained_ns, |arrived| arrived.last_ns));
        let mut figures = Figures::of_rate(waiting, began_ns, ended_ns);
        figures.set_footprint(before, after, waiting);
        Ok(figures)
    }

    /// Emits what is to wait, in order.
    fn gather(&self, router: &Router) -> anyhow::Result<()> {
        let mut template = Template::new(&data(self.data_bytes), 1);
        for first in (0..self.waiting).step_by(BATCH as usize) {
            let numbers = first..(first + BATCH).min(self.waiting);
            let events: Result<Vec<String>, _> = numbers
                .map(|number| {
                    let data = std::str::from_utf8(template.fill(Told::now(number)))?;
                    anyhow::Ok(format!(r#"{{"event":"{EVENT}","data":{data}}}"#))
                })
                .collect();
            router.post_text("/api/v1/events", &format!("[{}]", events?.join(",")))?;
        }
        Ok(())
    }
}
