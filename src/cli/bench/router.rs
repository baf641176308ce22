//! The router of a bench: a server in a process and a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::counted::{Counted, figure};
use super::footprint::Footprint;
use super::process::Process;
use super::workshop::Workshop;

/// The admin key of every router.
pub const ADMIN_KEY: &str = "fp_bench_bench_bench_bench_bench_bench";

/// A server that is ready.
pub struct Router {
    process: Process,
    /// Where its front door is.
    pub address: SocketAddr,
    config: PathBuf,
    agent: ureq::Agent,
}

/// How long it is waited for before each further retry, and how many there are: no hook is given up during a
/// bench.
const RETRIES: usize = 100;
const RETRIED_AFTER: &str = "1s";
/// What a line of a server begins with that says where it listens.
const LISTENING: &str = "listening on http://";
const DATA: &str = "data";
/// How often it looks whether a router is done.
const LOOK: Duration = Duration::from_millis(5);
/// A router that takes no more than so much of a processor for so long has nothing to do.
const REST: Duration = Duration::from_millis(500);
const RESTING_SHARE: f64 = 0.1;
/// How long an answer to a single request may take.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Router {
    /// Starts one with an empty store.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(workshop: &Workshop, networks: &[&str]) -> anyhow::Result<Self> {
        let config = configure(&workshop.directory()?, networks, None)?;
        Self::start_with(workshop, config)
    }

    /// Starts one with an empty store that keeps so many bytes of the past.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_keeping(workshop: &Workshop, networks: &[&str], bytes: u64) -> anyhow::Result<Self> {
        let config = configure(&workshop.directory()?, networks, Some(bytes))?;
        Self::start_with(workshop, config)
    }

    fn start_with(workshop: &Workshop, config: PathBuf) -> anyhow::Result<Self> {
        let mut process = workshop.server(&config)?;
        let (_, output) = process.pipes()?;
        let address = listening(BufReader::new(output))?;
        let agent = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Ok(Self { process, address, config, agent })
    }

    /// Kills it and starts it again with what it had; returns how long it took until it was ready.
    ///
    /// # Errors
    /// When it does not start.
    pub fn kill_and_start(self, workshop: &Workshop) -> anyhow::Result<(Self, Duration)> {
        let Self { process, config, .. } = self;
        drop(process);
        let began = Instant::now();
        let again = Self::start_with(workshop, config)?;
        Ok((again, began.elapsed()))
    }

    /// Has it finish what is under way and end; what it kept is removed.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub fn stop(self) -> anyhow::Result<()> {
        self.process.stop().context("the router")?;
        let directory = self.config.parent().context("the configuration is in a directory")?;
        std::fs::remove_dir_all(directory).context("cannot remove what the router kept")
    }

    pub fn footprint(&self) -> Footprint {
        Footprint::of(self.process.id())
    }

    /// Subscribes a hook of the default account, or of another; returns its id.
    ///
    /// # Errors
    /// When it is refused.
    pub fn subscribe(&self, url: &str, event: &str, account: Option<&str>) -> anyhow::Result<String> {
        let mut wish = json!({"url": url, "event": event});
        if let Some(account) = account {
            wish["account"] = account.into();
        }
        let hook = self.post("/api/v1/hooks/subscribe", &wish)?;
        hook["id"].as_str().map(str::to_owned).context("a hook without an id")
    }

    /// Calls the API.
    ///
    /// # Errors
    /// When the call is refused.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.post_text(path, &body.to_string())
    }

    /// The same with a body of JSON that stays as it is.
    ///
    /// # Errors
    /// When the call is refused.
    pub fn post_text(&self, path: &str, body: &str) -> anyhow::Result<Value> {
        let request = self.agent.post(self.url(path)).header("authorization", format!("Bearer {ADMIN_KEY}"));
        answered(request.content_type("application/json").send(body), path)
    }

    /// Looks something up.
    ///
    /// # Errors
    /// When the call is refused.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(self.url(path)).header("authorization", format!("Bearer {ADMIN_KEY}"));
        answered(request.call(), path)
    }

    /// Unsubscribes a hook.
    ///
    /// # Errors
    /// When the call is refused.
    pub fn unsubscribe(&self, hook: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/hooks/{hook}");
        let request =
            self.agent.delete(self.url(&path)).header("authorization", format!("Bearer {ADMIN_KEY}"));
        answered(request.call(), &path).map(drop)
    }

    /// What it has counted so far.
    ///
    /// # Errors
    /// When its metrics cannot be had.
    pub fn counted(&self) -> anyhow::Result<Counted> {
        Counted::read(&self.metrics()?)
    }

    /// How many hooks are active.
    ///
    /// # Errors
    /// When its metrics cannot be had.
    pub fn hooks(&self) -> anyhow::Result<u64> {
        figure(&self.metrics()?, r#"hookyard_hooks{status="active"}"#)
    }

    fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.agent.get(self.url("/metrics")).call()?.body_mut().read_to_string()?)
    }

    /// Waits until every delivery is made.
    ///
    /// # Errors
    /// When none was made for that long, and some are left.
    pub fn drained(&self, patience: Duration) -> anyhow::Result<Counted> {
        let (mut seen, mut since) = (Counted::default(), Instant::now());
        loop {
            let counted = self.counted()?;
            if counted.is_drained() {
                return Ok(counted);
            }
            if counted != seen {
                (seen, since) = (counted, Instant::now());
            }
            let Counted { matched, delivered, .. } = counted;
            ensure!(since.elapsed() < patience, "{delivered} of {matched} deliveries were made, then none");
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until it has nothing to do, and what it was given lies where it stays.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn rest(&self, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let before = self.footprint().cpu_us.context("its processor time cannot be known")?;
            std::thread::sleep(REST);
            let taken = self.footprint().cpu_us.unwrap_or_default() - before;
            if taken < REST.as_micros() as f64 * RESTING_SHARE {
                return Ok(());
            }
            ensure!(began.elapsed() < patience, "it does not come to rest");
        }
    }

    /// Where its data are.
    pub fn data_dir(&self) -> PathBuf {
        self.config.with_file_name(DATA)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Writes the configuration of a router that keeps everything in a directory, or so many bytes of the past.
///
/// # Errors
/// When it cannot be written.
pub fn configure(directory: &Path, networks: &[&str], kept_bytes: Option<u64>) -> anyhow::Result<PathBuf> {
    let mut config = json!({
        "listen": "127.0.0.1:0",
        "data_dir": directory.join(DATA),
        "admin_key": ADMIN_KEY,
        "log": "warn,actix_http=off",
        "egress": {"https_only": false, "allow_networks": networks},
        "events": {"unknown": "accept"},
        // What is measured is how fast it is, not how fast it may be.
        "rate_limits": {"key_requests_per_second": 0, "account_events_per_second": 0},
        "retry": {"schedule": vec![RETRIED_AFTER; RETRIES]},
        "shutdown": {"grace": "1s"},
    });
    if let Some(bytes) = kept_bytes {
        config["retention"] = json!({"size_bytes": bytes});
    }
    let path = directory.join("hookyard.toml");
    std::fs::write(&path, toml::to_string(&config)?).context("cannot write a configuration")?;
    Ok(path)
}

fn listening(output: impl BufRead) -> anyhow::Result<SocketAddr> {
    for line in output.lines() {
        if let Some((_, address)) = line?.split_once(LISTENING) {
            return address.parse().context("the router listens at no address");
        }
    }
    bail!("the router did not start")
}

fn answered(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    path: &str,
) -> anyhow::Result<Value> {
    let mut answer = answer.with_context(|| format!("{path} is not answered"))?;
    let (status, body) = (answer.status(), answer.body_mut().read_to_string()?);
    ensure!(status.is_success(), "{path} was answered with {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}
