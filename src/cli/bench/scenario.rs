//! The scenarios of a bench.

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hookyard::account::AccountId;
use hookyard::hookyard::Subscribe;
use hookyard::id::HookId;
use hookyard::{Config, Event, Hookyard};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::comparison::at;
use super::door::Door;
use super::load::Load;
use super::pace::Stretch;
use super::receiver::{Receiver, data};

pub(super) const ADMIN_KEY: &str = "fp_bench_bench_bench_bench_bench_bench";
pub(super) const EVENT: &str = "new_lead";
/// How many hooks are subscribed at a time.
const SUBSCRIBERS: u32 = 64;

/// What to measure with.
pub struct Bench {
    pub events: u32,
    pub connections: u16,
    pub callers: u16,
    pub data_bytes: usize,
    pub rate: u32,
    pub hooks: u32,
    /// Events that wait for a dead hook.
    pub waiting: u32,
    /// Events in a request of the noisy account.
    pub batch: u16,
    pub rounds: u32,
    /// How long each of the two phases of a round lasts.
    pub phase: Duration,
    pub json: bool,
    pub directory: PathBuf,
}

impl Bench {
    /// The load generator straight into the receiver.
    pub async fn wire(&self) -> anyhow::Result<()> {
        let receiver = Receiver::start(self.events)?;
        let began = Instant::now();
        self.load(receiver.url().to_owned(), None).run().await?;
        let arrivals = receiver.all_once().await?;
        self.tell_rate("wire", &format!("{} connections", self.connections), began, arrivals.last()?)
    }

    /// One event per request, durable and delivered.
    pub async fn http(&self) -> anyhow::Result<()> {
        let receiver = Receiver::start(self.events)?;
        let (hookyard, directory) = self.open().await?;
        let door = Door::open(&hookyard)?;
        hookyard.subscribe(Subscribe::new(receiver.url(), EVENT)).await?;

        let began = Instant::now();
        self.load(door.events.clone(), Some(ADMIN_KEY.to_owned())).run().await?;
        let answered = began.elapsed();
        let arrivals = receiver.all_once().await?;
        self.tell_rate("http", &format!("{} connections", self.connections), began, arrivals.last()?)?;
        let text = format!("{:10} the last receipt came after {:.2} s", "", answered.as_secs_f64());
        self.tell(&json!({"scenario": "http", "last_receipt_s": answered.as_secs_f64()}), &text)?;

        door.close().await?;
        self.close(hookyard, directory).await;
        Ok(())
    }

    /// Many callers in-process.
    pub async fn emit(&self) -> anyhow::Result<()> {
        let receiver = Receiver::start(self.events)?;
        let (hookyard, directory) = self.open().await?;
        hookyard.subscribe(Subscribe::new(receiver.url(), EVENT)).await?;
        let (next, bytes, events) = (Rc::new(Cell::new(0)), self.data_bytes, self.events);
        let began = Instant::now();
        let callers: Vec<_> = (0..self.callers)
            .map(|_| {
                let (hookyard, next) = (hookyard.clone(), next.clone());
                actix_web::rt::spawn(async move {
                    while next.get() < events {
                        let event = next.replace(next.get() + 1);
                        hookyard.emit(Event::raw(EVENT, data(event, bytes))?).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        let arrivals = receiver.all_once().await?;
        self.tell_rate("emit", &format!("{} callers", self.callers), began, arrivals.last()?)?;
        self.close(hookyard, directory).await;
        Ok(())
    }

    /// A steady rate; each delay counts from when the event should have been emitted, whatever held it up.
    pub async fn latency(&self) -> anyhow::Result<()> {
        let events = self.events.min(self.rate * 10);
        let receiver = Receiver::start(events)?;
        let (hookyard, directory) = self.open().await?;
        hookyard.subscribe(Subscribe::new(receiver.url(), EVENT)).await?;
        let stretch = self.stretch(&hookyard, EVENT, 0, (events, self.rate)).await?;
        let mut delays = receiver.all_once().await?.delays(stretch.events());
        delays.sort();
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| at(&delays, share));
        let text = format!(
            "{:10} {} events/s: p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, max {max:.2} ms from emit to arrival",
            "latency", self.rate
        );
        let shown = json!({
            "scenario": "latency", "rate": self.rate, "p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "max_ms": max,
        });
        self.tell(&shown, &text)?;
        self.close(hookyard, directory).await;
        Ok(())
    }

    /// Registered, idle hooks.
    pub async fn hooks(&self) -> anyhow::Result<()> {
        let (hookyard, directory) = self.open().await?;
        let empty = resident_kib()?;
        let (next, hooks) = (Rc::new(Cell::new(0)), self.hooks);
        let began = Instant::now();
        let subscribers: Vec<_> = (0..SUBSCRIBERS)
            .map(|_| {
                let (hookyard, next) = (hookyard.clone(), next.clone());
                actix_web::rt::spawn(async move {
                    while next.get() < hooks {
                        let hook = next.replace(next.get() + 1);
                        let url = format!("http://127.0.0.1:9/customers/{hook}/webhook");
                        hookyard.subscribe(Subscribe::new(url, EVENT)).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for subscriber in subscribers {
            subscriber.await??;
        }
        let rate = f64::from(hooks) / began.elapsed().as_secs_f64();
        let full = resident_kib()?;
        let (full, empty) = (full as f64 / 1024.0, empty as f64 / 1024.0);
        let text = format!(
            "{:10} {hooks} registered: {full:.1} MiB resident, {empty:.1} MiB without them; {rate:.0} subscribes/s",
            "hooks"
        );
        let shown = json!({
            "scenario": "hooks", "hooks": hooks, "mib": full, "mib_without": empty, "subscribes_per_second": rate,
        });
        self.tell(&shown, &text)?;
        hookyard.shutdown().await;
        drop(hookyard);
        let began = Instant::now();
        let again = Hookyard::open(config(&directory)).await?;
        let (ms, mib) = (began.elapsed().as_secs_f64() * 1e3, resident_kib()? as f64 / 1024.0);
        let text = format!("{:10} opened with them in {ms:.0} ms, then {mib:.1} MiB resident", "");
        self.tell(&json!({"scenario": "hooks", "opened_ms": ms, "mib_opened": mib}), &text)?;
        self.close(again, directory).await;
        Ok(())
    }

    /// Emits at a steady rate in-process; what it emits is numbered from `first` on.
    pub(super) async fn stretch(
        &self,
        hookyard: &Hookyard,
        event_type: &'static str,
        first: u32,
        (count, rate): (u32, u32),
    ) -> anyhow::Result<Stretch> {
        let (hookyard, bytes) = (hookyard.clone(), self.data_bytes);
        let emit = move |event| {
            let hookyard = hookyard.clone();
            async move {
                hookyard.emit(Event::raw(event_type, data(event, bytes))?).await?;
                Ok(())
            }
        };
        Stretch::emit(first, count, rate, emit).await
    }

    fn load(&self, url: String, key: Option<String>) -> Load {
        let bytes = self.data_bytes;
        let body = move |event| format!(r#"{{"event":"{EVENT}","data":{}}}"#, data(event, bytes));
        Load { url, key, connections: self.connections, events: self.events, body: Rc::new(body) }
    }

    /// How many events a phase at the steady rate has.
    pub(super) fn events_of_a_phase(&self) -> u32 {
        self.rate * self.phase.as_secs() as u32
    }

    pub(super) async fn open(&self) -> anyhow::Result<(Hookyard, TempDir)> {
        self.open_with(|config| config).await
    }

    /// Opens a store with a configuration that is a little different.
    pub(super) async fn open_with(
        &self,
        change: impl FnOnce(Config) -> Config,
    ) -> anyhow::Result<(Hookyard, TempDir)> {
        let directory = TempDir::with_prefix_in("hookyard-bench-", &self.directory)
            .with_context(|| format!("cannot make a directory in {}", self.directory.display()))?;
        let hookyard = Hookyard::open(change(config(&directory))).await?;
        Ok((hookyard, directory))
    }

    pub(super) async fn close(&self, hookyard: Hookyard, directory: TempDir) {
        hookyard.shutdown().await;
        drop(hookyard);
        drop(directory);
    }

    /// Shows what was measured, in the manner that was asked for.
    pub(super) fn tell(&self, figures: &Value, text: &str) -> anyhow::Result<()> {
        let mut output = std::io::stdout().lock();
        match self.json {
            true => writeln!(output, "{figures}"),
            false => writeln!(output, "{text}"),
        }
        .context("cannot write the output")
    }

    fn tell_rate(&self, name: &str, with: &str, began: Instant, ended: Instant) -> anyhow::Result<()> {
        let seconds = ended.saturating_duration_since(began).as_secs_f64();
        let (events, bytes) = (self.events, self.data_bytes);
        let rate = f64::from(events) / seconds;
        let text =
            format!("{name:10} {rate:.0} events/s: {events} of {bytes} bytes in {seconds:.2} s over {with}");
        let shown = json!({"scenario": name, "events_per_second": rate, "events": events, "over": with});
        self.tell(&shown, &text)
    }
}

/// Waits until a hook has nothing left.
pub(super) async fn drained(hookyard: &Hookyard, account: &AccountId, hook: HookId) -> anyhow::Result<()> {
    while hookyard.hook(account, hook).await?.pending > 0 {
        actix_web::rt::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn config(directory: &TempDir) -> Config {
    let mut config = Config::new(directory.path()).dev();
    config.admin_key = ADMIN_KEY.into();
    // What is measured is how fast it is, not how fast it may be.
    config.rate_limits.key_requests_per_second = 0;
    config.rate_limits.account_events_per_second = 0;
    config
}

/// The memory of this process, as the kernel counts it.
pub(super) fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read the memory in use")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).map(str::trim);
    kib.and_then(|kib| kib.parse().ok()).context("the kernel does not tell the memory in use")
}
