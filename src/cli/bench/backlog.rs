//! A backlog: a hook that is dead while many events come, and then is back; what it is sent meanwhile, whether it gets
//! the backlog in order, and what that does to the delays of another.

use std::time::{Duration, Instant};

use hookyard::account::AccountId;
use hookyard::hookyard::Subscribe;
use hookyard::{Config, Event, Hookyard};
use serde_json::json;

use super::comparison::Comparison;
use super::receiver::{Receiver, data};
use super::revenant::Revenant;
use super::scenario::{Bench, EVENT, drained, resident_kib};

/// How many times longer the p99 of another hook may be while the backlog drains.
const LIMIT: f64 = 2.0;
/// What the other hook is for.
const OTHER: &str = "new_message";
/// How long the dead hook is left alone between two probes.
const PROBED_EVERY: Duration = Duration::from_secs(1);
/// How many events are emitted at a time.
const BATCH: u32 = 1000;
/// How long each phase lasts: all of them together take less than the backlog.
const PHASE: Duration = Duration::from_secs(2);

impl Bench {
    /// A hook that is dead while its backlog gathers, and then is sent it, now and then.
    pub async fn backlog(&self) -> anyhow::Result<()> {
        let count = self.rate * PHASE.as_secs() as u32;
        let receiver = Receiver::start(2 * self.rounds * count)?;
        let revenant = Revenant::start()?;
        let (hookyard, directory) = self.open_with(probing_often).await?;
        hookyard.subscribe(Subscribe::new(receiver.url(), OTHER)).await?;
        let dead = hookyard.subscribe(Subscribe::new(&revenant.url, EVENT)).await?.hook.subscription.id;

        let (empty, began) = (resident_kib()?, Instant::now());
        self.gather(&hookyard).await?;
        actix_web::rt::time::sleep(2 * PROBED_EVERY).await;
        let (probes, dead_for, full) = (revenant.requests(), began.elapsed(), resident_kib()?);
        revenant.rise();

        let account = AccountId::default_account();
        let mut stretches = Vec::new();
        for round in 0..self.rounds {
            hookyard.pause(&account, dead).await?;
            let without = self.stretch(&hookyard, OTHER, 2 * round * count, (count, self.rate)).await?;
            hookyard.resume(&account, dead).await?;
            let with = self.stretch(&hookyard, OTHER, (2 * round + 1) * count, (count, self.rate)).await?;
            stretches.push((without, with));
        }
        drained(&hookyard, &account, dead).await?;
        let arrivals = receiver.all_once().await?;
        let mut comparison = Comparison::new("backlog", LIMIT);
        for (without, with) in stretches {
            comparison.add(arrivals.delays(without.events()), arrivals.delays(with.events()));
        }
        let behind = revenant.disorder(self.waiting)?;
        let mib = (full.saturating_sub(empty)) as f64 / 1024.0;
        let text = format!(
            "{}\n{:10} {} events waited in {mib:.1} MiB for a hook that was dead for {:.1} s and had {probes} requests; once it was back, none came more than {behind} behind a newer one",
            comparison.text(),
            "",
            self.waiting,
            dead_for.as_secs_f64(),
        );
        let mut shown = comparison.json();
        shown["waiting"] = json!({"events": self.waiting, "requests": probes, "mib": mib, "behind": behind});
        self.tell(&shown, &text)?;
        self.close(hookyard, directory).await;
        comparison.verdict()
    }

    /// Emits what is to wait.
    async fn gather(&self, hookyard: &Hookyard) -> anyhow::Result<()> {
        for first in (0..self.waiting).step_by(BATCH as usize) {
            let numbers = first..(first + BATCH).min(self.waiting);
            let events: Result<Vec<Event>, _> =
                numbers.map(|event| Event::raw(EVENT, data(event, self.data_bytes))).collect();
            hookyard.emit_batch(events?).await?;
        }
        Ok(())
    }
}

/// A configuration under which no hook is given up while the bench runs.
fn probing_often(mut config: Config) -> Config {
    config.retry.schedule = vec![PROBED_EVERY; 100];
    config
}
