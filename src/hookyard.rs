//! The face: what a program that links hookyard, and the front door, call.
//!
//! It validates, takes a credit and sends to the actors; their answers come over channels that need no particular
//! runtime, so it works from any tokio runtime, from an actix-web handler, and through [`Blocking`] from none.

mod accounts;
#[cfg(feature = "server")]
mod admitting;
mod attempts;
mod backing_up;
mod blocking;
mod catalogue;
mod deliveries;
mod emitting;
mod endpoints;
mod event_types;
mod events;
mod expunging;
mod headers;
mod hooks;
mod hours;
mod measuring;
mod paging;
mod reloading;
mod secrets;
mod standing;
#[cfg(test)]
mod tests;
mod trials;
mod walking;

use std::path::PathBuf;
use std::sync::Arc;

use actix::Addr;
use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Mutex, Semaphore, oneshot};

use crate::account::AccountNames;
use crate::clock::Timestamp;
use crate::config::{self, Config};
use crate::credit::{Credits, NoCredit};
use crate::delivery::client::Settings;
use crate::delivery::guard::Guard;
use crate::delivery::tls::{self, Outgoing};
use crate::forgetting::Ages;
use crate::id::Seal;
use crate::metrics::Metrics;
#[cfg(feature = "server")]
use crate::repeats::Repeats;
use crate::router::Router;
use crate::router::desk::Desk;
use crate::runtime::{self, Blueprint, Current, Planner, Serving, Started, Stop, Stopper};
use crate::shard::Plan;
use crate::store::census::Watch;
use crate::store::condition::State;
use crate::store::ledger::{self, Durability, Ledger, STORE_DIRECTORY};
use crate::store::writer::{Reopen, Store, Verbs};
use crate::store::{Answer, Backend, Deep, Error as StoreError};
use crate::subscriber::{AccountPaces, Policy, Slots};
use crate::traces::Traces;
use crate::{retry, store};

use self::accounts::Registry;
use self::event_types::Declarations;
use self::reloading::Live;

pub use accounts::{AccountError, Caller};
pub use attempts::{Destination, Made, Narrowed};
pub use backing_up::{Backup, BackupError};
pub use blocking::Blocking;
pub use deliveries::{Delivery, DeliveryQuery, DeliveryStatus, Replay, ReplayError, Replayed};
pub use emitting::EmitError;
pub use endpoints::{EndpointError, NewEndpoint};
pub use event_types::DeclareError;
pub use events::{DELIVERIES_SHOWN, Emitted, EventHistory, EventQuery, Sample};
pub use headers::HeadersError;
pub use hooks::{Change, Hook, HookQuery, Subscribe, SubscribeError, Subscribed, Which};
pub use paging::{Page, PageRequest, Stretch};
pub use reloading::Reloaded;
pub use secrets::{DEFAULT_OVERLAP, LONGEST_OVERLAP, Rotate, RotateError, Rotated};
pub use standing::Standing;

pub use crate::store::history::{Listed, Order, Period, Topics};
pub use crate::store::{Expired, Hour, Retained};

/// Test deliveries at a time: they have no share in the slots of those that are counted.
const TESTS_AT_A_TIME: usize = 64;

/// A running event router. Clones share it; when the last one is dropped, its threads stop.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hookyard::{Config, Event, Hookyard};
///
/// let hookyard = Hookyard::open(Config::new("data")).await?;
/// let receipt = hookyard.emit(Event::new("new_lead", &["Jane Doe"])?).await?; // durable when this returns
/// println!("{} matched {} hooks", receipt.id, receipt.matched);
/// hookyard.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Hookyard(Arc<Inner>);

struct Inner {
    live: ArcSwap<Live>,
    #[cfg(feature = "server")]
    throttles: ArcSwap<admitting::Throttles>,
    #[cfg(feature = "server")]
    repeats: Repeats,
    guard: Arc<Guard>,
    outgoing: Outgoing,
    credits: Credits,
    /// Test deliveries at a time; further ones wait.
    tests: Semaphore,
    registry: Registry,
    declarations: Declarations,
    /// Held by whoever changes an endpoint.
    editing: Mutex<()>,
    seal: Seal,
    serving: Current,
    store: Store,
    slots: Slots,
    metrics: Metrics,
    traces: Traces,
    stopper: Stopper,
}

/// Why the router did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The store in the data directory cannot be had; says why and what to do.
    #[error(transparent)]
    Store(#[from] ledger::OpenError),
    #[error("{path}: {why}")]
    Recovery { path: PathBuf, why: String },
    #[error("cannot start a thread: {0}")]
    Threads(std::io::Error),
}

/// Why nothing can be accepted now; trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("too much is in flight; try again in a moment")]
    Full,
    #[error("the store refuses writes")]
    Store,
    #[error("the disk is nearly full; events are accepted when there is room")]
    Disk,
    #[error("shutting down")]
    ShuttingDown,
}

/// Why something that names a hook, an account or a key was not done.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is none, or it is another account's.
    #[error("not found")]
    NotFound,
    /// The cursor is none that a list of this kind gave.
    #[error("cursor is not one that this list gave")]
    Cursor,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Hookyard {
    /// Opens the data directory, which is made if it is missing, and starts the router's threads.
    ///
    /// When it returns, everything that was acknowledged before is there, and what is due is being delivered.
    ///
    /// # Errors
    /// When the configuration is refused, another process has the directory open, a newer version wrote it, a master key
    /// is missing, it is damaged, or the disk refuses.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        Self::open_with(config, Durability::SyncAfterFlush).await
    }

    /// The same with another [`Durability`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(config: Config, durability: Durability) -> Result<Self, OpenError> {
        config.validate()?;
        let path = config.data_dir.join(STORE_DIRECTORY);
        let directory = path.clone();
        let (keeping, keyring) = (keeping(&config.retention), config.encryption.keyring()?);
        let ledger =
            in_a_thread(move || Ledger::open_under(&directory, durability, keeping, keyring)).await??;
        let ledger = ledger.with_reserve(config.limits.disk_reserve_bytes);
        let reopening = ledger.reopening();
        Self::open_on(ledger, Box::new(move || reopening.reopen()), config, path).await
    }

    /// Starts the threads of a router on a store; `path` names it in errors.
    async fn open_on<B: Backend>(
        backend: B,
        reopen: Reopen<B>,
        config: Config,
        path: PathBuf,
    ) -> Result<Self, OpenError> {
        let metrics = Metrics::new();
        let traces = Traces::start(&config.traces, &metrics)?;
        let serving = Current::new(ArcSwapOption::empty());
        let watch = watch(config.health.backlog_notice, serving.clone(), metrics.clone());
        let store = Store::start(backend, reopen, watch, metrics.clone()).map_err(OpenError::Threads)?;
        let unrecoverable = |error: StoreError| match error {
            StoreError::Damaged(_) => ledger::OpenError::of(&path, error).into(),
            StoreError::Failed(why) => OpenError::Recovery { path, why: why.to_string() },
        };

        let guard = Arc::new(
            Guard::new(config.egress.https_only, config.egress.allow_networks.clone())
                .denying(config.egress.deny_networks.clone()),
        );
        let outgoing = Outgoing::from(tls::configured(&config.delivery)?);
        let names = AccountNames::default();
        let (slots, paces) = (Slots::new(config.delivery.max_connections), AccountPaces::default());
        let ages = Ages::default();
        let blueprint = Blueprint {
            workers: workers(&config),
            plan: plan(
                &config,
                store.clone(),
                (slots.clone(), paces.clone()),
                (guard.clone(), outgoing.clone()),
                (metrics.clone(), traces.clone()),
            )?,
            store: store.clone(),
            current: serving.clone(),
            names: names.clone(),
            paces: paces.clone(),
            ages: ages.clone(),
            metrics: metrics.clone(),
        };
        let begun = async {
            let Started { stopper, seal } = runtime::start(blueprint).await?;
            let registry = Registry::read(&store, names, paces, ages).await?;
            Ok((stopper, seal, registry, Declarations::read(&store).await?))
        };
        let (stopper, seal, registry, declarations) = begun.await.map_err(unrecoverable)?;
        let credits = Credits::new(config.limits.in_flight_events, config.limits.in_flight_bytes as usize);
        #[cfg(feature = "server")]
        let throttles = ArcSwap::from_pointee(admitting::Throttles::new(&config.rate_limits));
        let live = ArcSwap::from_pointee(Live::new(config, &seal));
        let tests = Semaphore::new(TESTS_AT_A_TIME);
        Ok(Self(Arc::new(Inner {
            live,
            #[cfg(feature = "server")]
            throttles,
            #[cfg(feature = "server")]
            repeats: Repeats::default(),
            guard,
            outgoing,
            credits,
            tests,
            registry,
            declarations,
            editing: Mutex::default(),
            seal,
            serving,
            store,
            slots,
            metrics,
            traces,
            stopper,
        })))
    }

    /// Refuses new events, lets attempts in flight finish within the grace period (`shutdown.grace`), commits what they
    /// came to, and closes the store. What was acknowledged is kept in any case.
    pub async fn shutdown(&self) {
        self.0.credits.close();
        let (stopped, done) = oneshot::channel();
        let stop = Stop { grace: self.config().shutdown.grace, stopped };
        if self.0.stopper.send(stop).is_ok() {
            // An error says that another call stopped it.
            let _ = done.await;
        }
        self.0.traces.stop().await;
    }

    /// The same calls for programs without a runtime.
    pub fn blocking(&self) -> Blocking {
        Blocking(self.clone())
    }

    /// The catalogue, in the order of the configuration.
    pub fn event_types(&self) -> config::Catalogue {
        self.config().event_types.clone()
    }

    /// How much of the past is kept, and what retention has let go of; see `[retention]` in the configuration.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn retained(&self) -> Result<Retained, Unavailable> {
        self.read(|reader| reader.retained()).await
    }

    /// Whether events and changes are accepted now.
    ///
    /// # Errors
    /// With the reason, when not.
    pub fn ready(&self) -> Result<(), Unavailable> {
        self.desk().map(drop)
    }

    /// Where events are emitted, if they may be.
    fn desk(&self) -> Result<Arc<Desk>, Unavailable> {
        if self.0.store.state() == State::Full {
            return Err(Unavailable::Disk);
        }
        self.serving().map(|serving| serving.desk.clone())
    }

    fn router(&self) -> Result<Addr<Router>, Unavailable> {
        self.serving().map(|serving| serving.router.clone())
    }

    fn serving(&self) -> Result<Arc<Serving>, Unavailable> {
        if self.0.store.has_failed() {
            return Err(Unavailable::Store);
        }
        self.0.serving.load_full().ok_or_else(|| self.gone())
    }

    /// What it means that an answer never came.
    fn gone(&self) -> Unavailable {
        if self.0.credits.is_closed() { Unavailable::ShuttingDown } else { Unavailable::Store }
    }

    /// The answer that comes over `answer`.
    async fn answer<T>(&self, answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, Unavailable> {
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(self.gone()),
        }
    }

    /// Asks the store.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn store::Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.0.store.look_up(question).await.map_err(|_| self.gone())
    }

    /// Asks the store about what was, which may take long.
    async fn look_back<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn store::Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.0.store.look_back(question).await.map_err(|_| self.gone())
    }

    /// Makes a change that the router need not know of.
    async fn commit(&self, verb: store::Verb) -> Result<Answer, Unavailable> {
        self.router()?;
        self.0.store.commit(verb).await.map_err(|_| self.gone())
    }

    /// Makes several such changes together.
    async fn commit_all(&self, verbs: Verbs) -> Result<Vec<Answer>, Unavailable> {
        self.router()?;
        let (reply, answer) = oneshot::channel();
        self.0.store.write(verbs, None, reply);
        self.answer(answer).await
    }
}

impl From<NoCredit> for Unavailable {
    fn from(error: NoCredit) -> Self {
        match error {
            NoCredit::Spent => Self::Full,
            NoCredit::Closed => Self::ShuttingDown,
        }
    }
}

fn workers(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

fn keeping(retention: &config::Retention) -> ledger::Policy {
    ledger::Policy {
        age: Some(retention.age).filter(|age| !age.is_zero()),
        bytes: Some(retention.size_bytes).filter(|bytes| *bytes != 0),
    }
}

/// Has the router that serves tell of hooks for which more than so many deliveries wait; of none for zero.
fn watch(threshold: u64, serving: Current, figures: Metrics) -> Watch {
    let tell = move |deep: &[Deep], reader: &dyn store::Reader| {
        figures.hooks.backlogged.set(deep.iter().filter(|one| one.pending > threshold).count() as i64);
        if let Some(serving) = serving.load_full() {
            serving.desk.tell_of_backlogs(deep, threshold, reader, Timestamp::now());
        }
    };
    Watch { deep: if threshold == 0 { u64::MAX } else { threshold.div_ceil(2) }, tell: Box::new(tell) }
}

fn plan(
    config: &Config,
    store: Store,
    (slots, account_paces): (Slots, AccountPaces),
    (guard, outgoing): (Arc<Guard>, Outgoing),
    (metrics, traces): (Metrics, Traces),
) -> Result<Planner, config::Error> {
    let header = &config.delivery.signature_header;
    let settings = Settings::new(config.delivery.timeout, header, guard, outgoing);
    let refused = |error: crate::delivery::client::NotASignatureHeader| {
        config::Error::value("delivery.signature_header", format!("{header:?}"), error.to_string())
    };
    let settings = settings.map_err(refused)?.with_svix_headers(config.delivery.svix_headers);
    let delivery = Arc::new(settings);
    let policy = Policy {
        retry: retry::Policy {
            schedule: config.retry.schedule.clone(),
            jitter_percent: config.retry.jitter_percent,
            retry_after_max: config.retry.retry_after_max,
        },
        probe_after: config.health.probe_after,
        max_in_flight: config.delivery.max_in_flight as u32,
        window: config.subscriber.window,
        idle: config.subscriber.idle,
    };
    Ok(Box::new(move |desk, given_up, ended| Plan {
        store: store.clone(),
        desk,
        policy: policy.clone(),
        delivery: delivery.clone(),
        slots: slots.clone(),
        account_paces: account_paces.clone(),
        metrics: metrics.clone(),
        traces: traces.clone(),
        given_up,
        ended,
    }))
}

/// Runs what blocks where it keeps no runtime waiting.
async fn in_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, OpenError> {
    let (reply, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("hookyard-open".to_owned());
    thread
        .spawn(move || {
            // Whoever opened it may have gone.
            let _ = reply.send(work());
        })
        .map_err(OpenError::Threads)?;
    done.await.map_err(|_| OpenError::Threads(std::io::Error::other("the opening thread ended")))
}
