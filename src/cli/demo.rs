//! `hookyard demo`: a real server, and a receiver of its own, on this machine, shown at work.
//!
//! It starts both on a directory that it removes at the end. What is shown and checked is the [`story`]; what is
//! left to try is in [`paste`].

mod consumer;
mod narration;
mod paste;
mod receiver;
mod story;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::rt;
use anyhow::{Context, anyhow, bail};
use hookyard::Hookyard;
use hookyard::account::KeyText;
use hookyard::config::{Config, LogFormat, Retry, Shutdown};
use tempfile::TempDir;
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use self::consumer::Consumer;
use self::narration::Narration;
use self::paste::Paste;
use self::receiver::Receiver;
use self::story::Story;
use super::log::Log;
use super::{Failure, signals};

/// Show a server at work: signed requests arriving, a retry, a deactivation.
///
/// Starts a real server and a receiver on this machine, subscribes hooks, emits events, and prints each signed
/// request as it arrives. It takes some ten seconds. Then it goes on serving until Ctrl-C, so that the printed curl
/// lines can be pasted. Its data is removed at the end; no configuration is read but HOOKYARD_LOG.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Stop after the demonstration, with status 0 only if all went as shown
    #[arg(long)]
    exit: bool,
}

/// What must be there before the curtain rises.
struct Stage {
    config: Config,
    listener: TcpListener,
    exit: bool,
    deadline: Instant,
}

/// Where the API is looked for first.
const PORT: u16 = 8080;
/// How long all of the demonstration may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The waits before the retries; short, so that a deactivation can be waited for.
const SCHEDULE: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];
/// How long attempts in flight may take to finish at the end.
const GRACE: Duration = Duration::from_secs(1);

impl Demo {
    /// Runs the demonstration, and then serves until a signal comes unless it is to exit.
    ///
    /// # Errors
    /// When anything does not go as it is shown, or not within the deadline.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        let deadline = Instant::now() + DEADLINE;
        let log = env.into_iter().find(|(name, text)| name == "HOOKYARD_LOG" && !text.is_empty());
        Log::start(log.as_ref().map_or("error", |(_, text)| text), LogFormat::Text)?;
        let stop = signals::first().context("cannot listen for signals")?;
        let directory = tempfile::Builder::new().prefix("hookyard-demo-").tempdir();
        let directory = directory.context("cannot make a temporary directory")?;
        let listener = bind().context("cannot listen")?;
        let stage = Stage { config: config(&directory), listener, exit: self.exit, deadline };
        rt::System::new().block_on(stage.perform(stop))?;
        let path = directory.path().to_owned();
        directory.close().with_context(|| format!("cannot remove {}", path.display()))?;
        Ok(())
    }
}

impl Stage {
    /// Opens the router, shows it, and closes it whatever came of that.
    async fn perform(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let opening = Hookyard::open(self.config.clone());
        let opened = timeout_at(self.deadline, opening).await.context("the store does not open in time")?;
        let hookyard = opened.context("cannot open the store")?;
        let shown = self.serve(&hookyard, stop).await;
        hookyard.shutdown().await;
        shown
    }

    async fn serve(self, hookyard: &Hookyard, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let api = self.listener.local_addr()?;
        let (close, closed) = oneshot::channel::<()>();
        let closed = async {
            // Its being dropped says the same.
            let _ = closed.await;
        };
        let mut serving = rt::spawn(hookyard::api::run(self.listener, hookyard.clone(), closed));
        let (receiver, arrivals) = Receiver::start().context("cannot start the receiver")?;

        let narration = Narration::to_stdout();
        let key = self.config.admin_key.reveal();
        let consumer = Consumer::new(api, key);
        let paste = Paste { api, receiver: receiver.address(), key };
        let mut story = Story::new(narration, consumer, &receiver, arrivals, &self.config);
        story.introduce(api);
        let shown = select! {
            shown = show(story, &paste, self.exit, self.deadline) => shown,
            () = stop => match self.exit {
                true => Err(anyhow!("stopped before all was shown")),
                false => Ok(()),
            },
            served = &mut serving => {
                served?.context("the front door failed")?;
                bail!("the front door closed by itself");
            }
        };
        drop(close);
        serving.await?.context("the front door failed")?;
        shown
    }
}

/// Tells the story and, unless that was all, what can be tried; then it reports what arrives, without end.
async fn show(mut story: Story<'_>, paste: &Paste<'_>, exit: bool, deadline: Instant) -> anyhow::Result<()> {
    let told = timeout_at(deadline, story.tell()).await;
    told.map_err(|_| anyhow!("not all of it came within {} s", DEADLINE.as_secs()))??;
    if exit {
        return Ok(());
    }
    story.offer(paste);
    story.watch().await
}

/// The usual port, or a free one where that is taken.
fn bind() -> io::Result<TcpListener> {
    let at = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    at(PORT).or_else(|_| at(0))
}

/// The default configuration, but for a key of its own and for what makes the demonstration possible and short.
fn config(directory: &TempDir) -> Config {
    let config = Config::new(directory.path()).dev();
    Config {
        admin_key: KeyText::generate(&config.key_prefix).reveal().into(),
        retry: Retry { schedule: SCHEDULE.to_vec(), ..config.retry },
        shutdown: Shutdown { grace: GRACE },
        ..config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_valid_and_each_demonstration_has_a_key_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (config(&directory), config(&directory));
        assert!(one.validate().is_ok());
        assert_ne!(one.admin_key, other.admin_key);
    }

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let (first, second) = (bind().unwrap(), bind().unwrap());
        assert_ne!(first.local_addr().unwrap(), second.local_addr().unwrap());
    }
}
