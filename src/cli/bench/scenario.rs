//! The scenarios of a bench.

use std::cell::Cell;
use std::net::TcpListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hookyard::hookyard::Subscribe;
use hookyard::{Config, Durability, Event, Hookyard};
use tempfile::TempDir;

use super::load::Load;
use super::receiver::{Receiver, data};

const ADMIN_KEY: &str = "fp_bench_bench_bench_bench_bench_bench";
const EVENT: &str = "new_lead";
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
    pub directory: PathBuf,
}

impl Bench {
    /// The load generator straight into the receiver.
    pub async fn wire(&self) -> anyhow::Result<()> {
        let receiver = Receiver::start(self.events)?;
        let began = Instant::now();
        self.load(receiver.url.clone(), None).run().await?;
        let arrivals = receiver.all_once().await?;
        self.print_rate("wire", &format!("{} connections", self.connections), began, arrivals.last()?);
        Ok(())
    }

    /// One event per request, durable and delivered.
    pub async fn http(&self) -> anyhow::Result<()> {
        let receiver = Receiver::start(self.events)?;
        let (hookyard, directory) = self.open().await?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/api/v1/events", listener.local_addr()?);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let door = hookyard::api::run(listener, hookyard.clone(), async { drop(stopped.await) });
        let door = actix_web::rt::spawn(door);
        hookyard.subscribe(Subscribe::new(&receiver.url, EVENT)).await?;

        let began = Instant::now();
        self.load(url, Some(ADMIN_KEY.to_owned())).run().await?;
        let answered = began.elapsed();
        let arrivals = receiver.all_once().await?;
        self.print_rate("http", &format!("{} connections", self.connections), began, arrivals.last()?);
        println!("{:10} the last receipt came after {:.2} s", "", answered.as_secs_f64());

        drop(stop);
        door.await??;
        self.close(hookyard, directory).await;
        Ok(())
    }

    /// Many callers in-process.
    pub async fn emit(&self) -> anyhow::Result<()> {
        let receiver = Receiver::start(self.events)?;
        let (hookyard, directory) = self.open().await?;
        hookyard.subscribe(Subscribe::new(&receiver.url, EVENT)).await?;
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
        self.print_rate("emit", &format!("{} callers", self.callers), began, arrivals.last()?);
        self.close(hookyard, directory).await;
        Ok(())
    }

    /// A steady rate; each delay counts from when the event should have been emitted, whatever held it up.
    pub async fn latency(&self) -> anyhow::Result<()> {
        let events = self.events.min(self.rate * 10);
        let receiver = Receiver::start(events)?;
        let (hookyard, directory) = self.open().await?;
        hookyard.subscribe(Subscribe::new(&receiver.url, EVENT)).await?;
        let began = Instant::now() + Duration::from_millis(50);
        let due = |event: u32| began + Duration::from_secs_f64(f64::from(event) / f64::from(self.rate));
        let mut emits = Vec::with_capacity(events as usize);
        for event in 0..events {
            let wait = due(event).saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                actix_web::rt::time::sleep(wait).await;
            }
            let (hookyard, bytes) = (hookyard.clone(), self.data_bytes);
            emits.push(actix_web::rt::spawn(async move {
                hookyard.emit(Event::raw(EVENT, data(event, bytes))?).await?;
                anyhow::Ok(())
            }));
        }
        for emitted in emits {
            emitted.await??;
        }
        let mut delays = receiver.all_once().await?.delays(due);
        delays.sort();
        let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!(
            "{:10} {} events/s: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms from emit to arrival",
            "latency",
            self.rate,
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
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
        println!(
            "{:10} {hooks} registered: {:.1} MiB resident, {:.1} MiB without them; {rate:.0} subscribes/s",
            "hooks",
            full as f64 / 1024.0,
            empty as f64 / 1024.0
        );
        hookyard.shutdown().await;
        drop(hookyard);
        let began = Instant::now();
        let again = Hookyard::open_with(config(&directory), Durability::FlushSyncs).await?;
        println!(
            "{:10} opened with them in {:.0} ms, then {:.1} MiB resident",
            "",
            began.elapsed().as_secs_f64() * 1e3,
            resident_kib()? as f64 / 1024.0
        );
        self.close(again, directory).await;
        Ok(())
    }

    fn load(&self, url: String, key: Option<String>) -> Load {
        let bytes = self.data_bytes;
        let body = move |event| format!(r#"{{"event":"{EVENT}","data":{}}}"#, data(event, bytes));
        Load { url, key, connections: self.connections, events: self.events, body: Rc::new(body) }
    }

    async fn open(&self) -> anyhow::Result<(Hookyard, TempDir)> {
        let directory = TempDir::with_prefix_in("hookyard-bench-", &self.directory)
            .with_context(|| format!("cannot make a directory in {}", self.directory.display()))?;
        let hookyard = Hookyard::open_with(config(&directory), Durability::FlushSyncs).await?;
        Ok((hookyard, directory))
    }

    async fn close(&self, hookyard: Hookyard, directory: TempDir) {
        hookyard.shutdown().await;
        drop(hookyard);
        drop(directory);
    }

    fn print_rate(&self, name: &str, with: &str, began: Instant, ended: Instant) {
        let seconds = ended.saturating_duration_since(began).as_secs_f64();
        let (events, bytes) = (self.events, self.data_bytes);
        let rate = f64::from(events) / seconds;
        println!("{name:10} {rate:.0} events/s: {events} of {bytes} bytes in {seconds:.2} s over {with}");
    }
}

fn config(directory: &TempDir) -> Config {
    let mut config = Config::new(directory.path()).dev();
    config.admin_key = ADMIN_KEY.into();
    config
}

/// The memory of this process, as the kernel counts it.
fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read the memory in use")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).map(str::trim);
    kib.and_then(|kib| kib.parse().ok()).context("the kernel does not tell the memory in use")
}
