//! `hookyard serve`: the router with its front door, until a signal stops it.
//!
//! It binds the port and decides when to stop; the front door and the router do the rest.

use std::future::Future;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use actix_web::rt;
use anyhow::Context;
use hookyard::Hookyard;
use hookyard::api::{self, Certificate};
use hookyard::config::{Config, Loaded};
use hookyard::hookyard::OpenError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::greeting::{self, Greeting};
use super::log::Log;
use super::source::Source;
use super::{Failure, admin_key, descriptors, dumps, panics, service, signals};

/// Serve the HTTP API and deliver events until stopped.
///
/// The configuration is the defaults, then the file, then the environment: HOOKYARD_LISTEN is the key `listen`,
/// HOOKYARD_RETRY__SCHEDULE is `retry.schedule`. Without --config no file is read, not even a hookyard.toml in the
/// current directory.
///
/// The first start makes an admin key and writes it to <data_dir>/admin-key, unless the configuration gives one.
///
/// SIGHUP reads the file again: event types, limits, log level, admin key, certificates and a few more change at once;
/// the log names what needs a restart.
///
/// SIGTERM or Ctrl-C stops: no new events are accepted and attempts in flight may finish. A second one exits at once;
/// what was acknowledged is kept in either case.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// The TOML file to read
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Allow http:// and loopback and private addresses as targets, for trying things out
    ///
    /// Whoever may subscribe can then reach services of this machine and its network.
    #[arg(long)]
    dev: bool,
}

/// Where it listens.
struct Doors {
    front: TcpListener,
    /// What the front door shows, if it speaks TLS.
    certificate: Option<Certificate>,
    /// For the metrics, if they have an address of their own.
    metrics: Option<TcpListener>,
}

/// What is there before the store is opened.
struct Serving {
    config: Config,
    source: Source,
    log: Log,
    doors: Doors,
}

const EXAMPLES: &str = "\
Examples:
  hookyard serve --dev
  hookyard serve --config /etc/hookyard/hookyard.toml
  HOOKYARD_LISTEN=0.0.0.0:8080 HOOKYARD_DATA_DIR=/var/lib/hookyard hookyard serve
  HOOKYARD_RETRY__SCHEDULE=1s,2s,3s HOOKYARD_LOG=debug hookyard serve --dev";

/// A file that whoever puts it in the current directory may think is read.
const USUAL_FILE: &str = "hookyard.toml";
/// Connections that wait to be accepted; the system may lower it. Enough for a burst while the store opens.
const BACKLOG: i32 = 4096;

impl Serve {
    /// Serves until a signal comes.
    ///
    /// # Errors
    /// When the configuration is refused, the port or the store cannot be had, or the front door fails.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        let source = Source { file: self.config, env: env.collect(), dev: self.dev };
        let Loaded { config, warnings } = source.load()?;
        if self.dev {
            eprintln!("hookyard: DEV MODE: hooks may have http:// URLs and loopback or private addresses.");
            eprintln!("hookyard: DEV MODE: whoever may subscribe can reach this machine and its network.");
        }
        let log = Log::start(&config.log, config.log_format)?;
        panics::log();
        if config.encryption.is_on() {
            dumps::forbid().context("cannot keep the system from dumping the memory")?;
        }
        for warning in warnings {
            warn!("{warning}");
        }
        if source.file.is_none() && Path::new(USUAL_FILE).exists() {
            warn!("{USUAL_FILE} in this directory is not read: --config {USUAL_FILE} reads it");
        }
        descriptors::raise(config.delivery.max_connections);

        signals::survive_file_size_limit();
        let stop = signals::first().context("cannot listen for signals")?;
        let certificate = Certificate::read(&config.tls)?;
        let doors = Doors::bind(&config, certificate)?;
        let serving = Serving { config, source, log, doors };
        rt::System::new().block_on(serving.run(stop))
    }
}

impl Serving {
    async fn run(self, stop: impl Future<Output = ()> + 'static) -> Result<(), Failure> {
        // From here on one that comes too early waits.
        let hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        let directory = self.config.data_dir.display();
        let hookyard = match Hookyard::open(self.config.clone()).await {
            Err(OpenError::Config(error)) => return Err(error.into()),
            opened => opened.with_context(|| format!("cannot open the store in {directory}"))?,
        };
        let served = self.face(&hookyard, hangup, stop).await;
        hookyard.shutdown().await;
        info!("stopped");
        Ok(served?)
    }

    /// Greets, then follows the configuration and keeps the doors open until `stop`.
    async fn face(
        self,
        hookyard: &Hookyard,
        hangup: Signal,
        stop: impl Future<Output = ()> + 'static,
    ) -> anyhow::Result<()> {
        self.greet(hookyard).await?;
        service::ready();
        let certificate = self.doors.certificate.clone();
        let following = rt::spawn(self.source.follow(hangup, hookyard.clone(), certificate, self.log));
        let served = self.doors.serve(hookyard, stop).await;
        following.abort();
        served
    }

    async fn greet(&self, hookyard: &Hookyard) -> anyhow::Result<()> {
        let admin_key = admin_key::bootstrap(hookyard, &self.config).await;
        let admin_key = admin_key.context("cannot make an admin key")?;
        let event = self.config.event_types.first().map_or("new_lead", |spec| spec.name.as_str());
        let (address, dev) = (self.doors.front.local_addr()?, self.source.dev);
        let scheme = greeting::scheme(&self.config);
        let greeting = Greeting { scheme, address, admin_key, event, dev };
        // Serving goes on when nobody reads what is printed.
        let _ = write!(io::stdout(), "{greeting}").and_then(|()| io::stdout().flush());
        Ok(())
    }
}

impl Doors {
    /// Takes the ports that the configuration names.
    ///
    /// # Errors
    /// When one of them cannot be had.
    fn bind(config: &Config, certificate: Option<Certificate>) -> anyhow::Result<Self> {
        let own = Some(&config.metrics.listen).filter(|address| !address.is_empty());
        let metrics = own.map(|address| bind(address)).transpose()?;
        Ok(Self { front: bind(&config.listen)?, certificate, metrics })
    }

    /// Runs the front door, and that of the metrics, until `stop`.
    async fn serve(self, hookyard: &Hookyard, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (close, closed) = oneshot::channel();
        let stop = async {
            stop.await;
            service::stopping();
            info!("stopping: attempts in flight may finish; a second signal exits at once");
            // The metrics may have no door of their own.
            let _ = close.send(());
        };
        let front = async {
            let served = match self.certificate {
                None => api::run(self.front, hookyard.clone(), stop).await,
                Some(certificate) => api::run_tls(self.front, hookyard.clone(), certificate, stop).await,
            };
            served.context("the front door failed")
        };
        let metrics = async {
            let Some(listener) = self.metrics else {
                return Ok(());
            };
            info!(address = %listener.local_addr()?, "the metrics have an address of their own");
            let closed = async { drop(closed.await) };
            let served = api::run_metrics(listener, hookyard.clone(), closed).await;
            served.context("the door of the metrics failed")
        };
        tokio::try_join!(front, metrics).map(drop)
    }
}

fn bind(address: &str) -> anyhow::Result<TcpListener> {
    let listening = TcpListener::bind(address).and_then(|listener| {
        socket2::SockRef::from(&listener).listen(BACKLOG)?;
        Ok(listener)
    });
    listening.with_context(|| format!("cannot listen on {address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_listened_on() {
        assert!(bind("localhost:0").unwrap().local_addr().unwrap().ip().is_loopback());
    }
}
