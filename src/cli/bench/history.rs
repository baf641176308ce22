//! History: what many settled deliveries cost, and how long it takes to look at some.

use std::time::{Instant, SystemTime};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::course::Bench;
use super::destination::Place;
use super::figures::{Figures, median};
use super::monotonic::now_ns;
use super::part::arrivals::Fan;
use super::request;
use super::router::Router;
use super::throughput::Shape;

/// How many hooks share the deliveries, if there are as many of these.
const HOOKS: u32 = 1_000;
/// Of how many hooks pages are looked at.
const LOOKED_AT: u32 = 20;
/// How many deliveries a page has.
const PAGE: usize = 50;
/// An event that is delivered once, before all others.
const RARE: &str = "bench_rare";
const MIB: f64 = 1024.0 * 1024.0;

impl Bench {
    /// Deliveries to many hooks, each event to one of them, and a hook that has had one before all of these.
    pub fn history(&self) -> anyhow::Result<Figures> {
        let (hooks, fan, place) = (self.history_hooks(), Fan::One, Place::Paths);
        let shape = Shape { hooks, fan, place, ..Shape::plain(self.events, self.connections) };
        let mut destination = self.destination(place)?;
        let router = Router::start(&self.workshop, &self.networks())?;
        let quiet = router.subscribe(&destination.url(hooks), RARE, None)?;
        let oldest = router.post("/api/v1/events", &json!({"event": RARE, "data": {}}))?;
        let oldest = oldest["id"].as_str().context("an event without an id")?.to_owned();
        router.drained(self.patience)?;
        let ids: anyhow::Result<Vec<String>> = (0..hooks)
            .map(|hook| router.subscribe(&destination.url(hook), &request::event_of(hook), None))
            .collect();
        destination.expect(shape.expected(), self.receiver_fault)?;

        let (before, began, began_ns) = (router.footprint(), SystemTime::now(), now_ns());
        self.send(&router, &shape)?;
        let arrived = destination.each_once(self.patience)?;
        router.drained(self.patience)?.are(u64::from(self.events) + 1, u64::from(self.events) + 1)?;
        let (after, ended_ns) = (router.footprint(), arrived.map_or_else(now_ns, |arrived| arrived.last_ns));
        let middle = humantime::format_rfc3339_millis(began + began.elapsed().unwrap_or_default() / 2);

        let mut figures = Figures::of_rate(self.events.into(), began_ns, ended_ns);
        figures.set_footprint(before, after, self.events.into());
        let (router, ready) = router.kill_and_start(&self.workshop)?;
        figures.set("ready_ms", ready.as_secs_f64() * 1e3);
        let looked_at = ids?.into_iter().step_by((hooks / LOOKED_AT).max(1) as usize);
        let (mut newest, mut amid) = (Vec::new(), Vec::new());
        for hook in looked_at {
            let page = format!("/api/v1/hooks/{hook}/deliveries?limit={PAGE}");
            newest.push(look(&router, &page, |page| deliveries(page) > 0)?);
            let page = format!("{page}&until={middle}");
            amid.push(look(&router, &page, Value::is_array)?);
        }
        figures.set("newest_page_ms", median(newest.iter().copied()));
        figures.set("newest_page_max_ms", newest.into_iter().fold(0.0, f64::max));
        figures.set("middle_page_ms", median(amid.iter().copied()));
        figures.set("middle_page_max_ms", amid.into_iter().fold(0.0, f64::max));
        let page = format!("/api/v1/hooks/{quiet}/deliveries");
        let quiet = look(&router, &page, |page| deliveries(page) == 1)?;
        figures.set("quiet_page_ms", quiet);
        let is_whole = |event: &Value| event["deliveries"][0]["attempts"] == 1;
        let oldest = look(&router, &format!("/api/v1/events/{oldest}"), is_whole)?;
        figures.set("oldest_event_ms", oldest);
        if let Some(again) = router.footprint().anonymous_bytes {
            figures.set("mib_ready", again / MIB);
        }
        router.stop()?;
        Ok(figures)
    }

    /// How many hooks share the deliveries.
    pub fn history_hooks(&self) -> u32 {
        HOOKS.min(self.events)
    }
}

fn deliveries(page: &Value) -> usize {
    page.as_array().map_or(0, Vec::len)
}

/// How many milliseconds it takes to look something up.
fn look(router: &Router, path: &str, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<f64> {
    let began = Instant::now();
    let found = router.get(path)?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    ensure!(is_it(&found), "{path} was answered with something else");
    Ok(took)
}
