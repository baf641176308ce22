//! The runtime: the threads that the actors live on, and the one path by which they begin, at a start as after a panic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter, AsyncContext, Recipient, System};
use arc_swap::ArcSwapOption;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::account::{AccountNames, Retention};
use crate::clock::{Clock, Timestamp};
use crate::forgetting::{Ages, forget};
use crate::id::{Seal, SubscriptionNo};
use crate::metrics::Metrics;
use crate::router::board::{Board, Recovered};
use crate::router::desk::Desk;
use crate::router::index::Index;
use crate::router::{Committed, End, Ended, Ping, Router};
use crate::shard::{Abandon, Drain, GiveUp, Plan, Shard};
use crate::store::readers::gone;
use crate::store::writer::{Listener, Store};
use crate::store::{Backend, Error};
use crate::subscriber::AccountPaces;

/// What serves at this moment; nothing while a router is being started, or after the stop.
pub type Current = Arc<ArcSwapOption<Serving>>;

/// A router that serves, and where events are emitted meanwhile.
pub struct Serving {
    pub router: Addr<Router>,
    pub desk: Arc<Desk>,
}

/// What the actors are made of.
pub struct Blueprint {
    pub store: Store,
    pub workers: usize,
    pub plan: Planner,
    pub current: Current,
    pub names: AccountNames,
    pub paces: AccountPaces,
    pub ages: Ages,
    pub metrics: Metrics,
}

/// Makes the plan of a shard, given the desk, whom to tell of endpoints that are given up, and of its own end.
pub type Planner = Box<dyn Fn(Arc<Desk>, Recipient<GiveUp>, mpsc::UnboundedSender<()>) -> Plan + Send>;

/// Asks the runtime to stop.
pub struct Stop {
    /// How long attempts in flight may take to finish.
    pub grace: Duration,
    /// Told when everything is committed and the store is closed.
    pub stopped: oneshot::Sender<()>,
}

/// A runtime that serves.
pub struct Started {
    pub stopper: Stopper,
    /// What public ids are masked with.
    pub seal: Seal,
}

/// The way to a runtime's thread. When it is dropped, the runtime stops at once.
pub type Stopper = mpsc::UnboundedSender<Stop>;

/// Starts the threads; returns once the router serves.
///
/// # Errors
/// When the store cannot be recovered, or a thread cannot be had.
pub async fn start(blueprint: Blueprint) -> Result<Started, Error> {
    let (stopper, stops) = mpsc::unbounded_channel();
    let (reply, started) = oneshot::channel();
    let unavailable = |error: std::io::Error| Error::Failed(error.to_string().into());
    std::thread::Builder::new()
        .name("hookyard-router".to_owned())
        .spawn(move || System::new().block_on(run(blueprint, stops, reply)))
        .map_err(unavailable)?;
    let seal = started.await.unwrap_or_else(|_| Err(gone()))?;
    Ok(Started { stopper, seal })
}

async fn run(
    blueprint: Blueprint,
    mut stops: mpsc::UnboundedReceiver<Stop>,
    reply: oneshot::Sender<Result<Seal, Error>>,
) {
    let arbiters: Vec<Arbiter> = (0..blueprint.workers.max(1)).map(|_| Arbiter::new()).collect();
    let Blueprint { store, current, ages, .. } = &blueprint;
    let forgetting = actix_rt::spawn(forget(store.clone(), current.clone(), ages.clone()));
    let mut reply = Some(reply);
    let mut patience = Patience::default();
    loop {
        let (ended, mut end) = mpsc::unbounded_channel();
        match begin(&blueprint, &arbiters, ended).await {
            Ok((serving, shards, seal)) => {
                let router = serving.router.clone();
                blueprint.current.store(Some(Arc::new(serving)));
                if let Some(reply) = reply.take() {
                    // Whoever opened it may have gone.
                    let _ = reply.send(Ok(seal));
                }
                let began = Instant::now();
                let stop = tokio::select! {
                    stop = stops.recv() => Some(stop),
                    _ = end.recv() => None,
                    () = blueprint.store.failure() => None,
                };
                blueprint.current.store(None);
                if let Some(stop) = stop {
                    forgetting.abort();
                    finish(stop, &blueprint, &shards, Some(router)).await;
                    break;
                }
                error!("the router, a shard or the store failed; all start again from the store");
                // It decides nothing more, once it has decided what was sent to it before: what it knows is not what the
                // next one will know.
                let _ = router.send(End).await;
                shards.iter().for_each(|shard| shard.do_send(Abandon));
                patience.after(began.elapsed());
            }
            Err(failure) => {
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Err(failure));
                    break;
                }
                warn!(%failure, again_in = ?patience.wait, "the store is not back yet");
            }
        }
        if blueprint.store.has_failed() {
            // Nothing is accepted meanwhile.
            if let Ok(stop) = timeout(patience.next(), stops.recv()).await {
                forgetting.abort();
                finish(stop, &blueprint, &[], None).await;
                break;
            }
        }
    }
    for arbiter in arbiters {
        arbiter.stop();
        // A thread that panicked has ended as well.
        let _ = arbiter.join();
    }
}

/// How long a store that failed is left alone before it is opened again: longer each time, up to a limit.
///
/// Each time it opens, what waits is attempted again, and some of it for nothing if it fails again.
struct Patience {
    wait: Duration,
}

/// The first wait, the longest, and how long a store must have held for the next to be a first one again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
const HELD: Duration = Duration::from_secs(60);

impl Default for Patience {
    fn default() -> Self {
        Self { wait: FIRST_WAIT }
    }
}

impl Patience {
    /// Notes how long the store held.
    fn after(&mut self, held: Duration) {
        if held >= HELD {
            *self = Self::default();
        }
    }

    /// How long to wait now.
    fn next(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(LONGEST_WAIT);
        wait
    }
}

/// Recovers the store, and starts the shards and the router on what it found.
async fn begin(
    blueprint: &Blueprint,
    arbiters: &[Arbiter],
    ended: mpsc::UnboundedSender<()>,
) -> Result<(Serving, Vec<Addr<Shard>>, Seal), Error> {
    let (hand_over, beginning) = oneshot::channel();
    let (router_made, router_known) = std::sync::mpsc::channel::<Addr<Router>>();
    let accounts = (blueprint.names.clone(), blueprint.paces.clone(), blueprint.ages.clone());
    let (by_status, clock) = (blueprint.metrics.hooks.by_status.clone(), blueprint.store.clock().clone());
    blueprint.store.recover(move |backend| {
        let found =
            backend.and_then(|backend| recover(backend, Index::counting_in(by_status), accounts, &clock));
        let recovered = found.as_ref().map(|_| ()).map_err(Error::clone);
        // If the runtime is gone, nobody listens either.
        let _ = hand_over.send(found);
        recovered.map(|()| listener(router_known))
    });
    let (recovered, waiting) = beginning.await.unwrap_or_else(|_| Err(gone()))?;
    let seal = recovered.seal.clone();
    let board = Board::new(recovered, arbiters.len(), blueprint.metrics.clone());
    let desk = Arc::new(Desk::new(board, blueprint.store.clone()));
    // The shards tell the router, and the router the shards: its address comes first.
    let router = actix::Context::<Router>::new();
    let address = router.address();
    let mut shards = Vec::with_capacity(arbiters.len());
    for arbiter in arbiters {
        let plan = (blueprint.plan)(desk.clone(), address.clone().recipient(), ended.clone());
        let shard = Shard::start_in_arbiter(&arbiter.handle(), move |_| Shard::new(plan));
        shards.push(shard);
    }
    let actor = Router::new(desk.clone(), waiting, shards.clone(), Ended(ended));
    // The writer may have gone; then nothing is committed either.
    let _ = router_made.send(router.run(actor));
    Ok((Serving { router: address, desk }, shards, seal))
}

/// Rebuilds the store, fills the index and lets the steady clock go on from where the store saw it; says also for which
/// subscriptions something waits, and when it is due.
fn recover(
    backend: &mut dyn Backend,
    mut index: Index,
    (names, paces, ages): (AccountNames, AccountPaces, Ages),
    clock: &Clock,
) -> Result<(Recovered, Vec<(SubscriptionNo, Timestamp)>), Error> {
    let mut count = 0u64;
    let recovery = backend.recover(&mut |subscription| {
        index.insert(&subscription);
        count += 1;
    })?;
    clock.go_on_from(recovery.seen);
    for account in backend.reader().accounts()? {
        paces.set(account.no, account.profile.rate_limit, clock.now().steady);
        ages.set(account.no, account.profile.retention.map(Retention::length));
        names.add(account.no, account.id);
    }
    info!(subscriptions = count, waiting = recovery.waiting.len(), "recovered");
    let seal = Seal::new(&recovery.seal);
    let recovered = Recovered { index, next_subscription: recovery.next_subscription, seal, names };
    Ok((recovered, recovery.waiting))
}

/// Tells the router of each commit; nothing is committed for it before it is there.
fn listener(router: std::sync::mpsc::Receiver<Addr<Router>>) -> Listener {
    let mut known = None;
    Box::new(move |events, credits| {
        if known.is_none() {
            known = router.recv().ok();
        }
        if let Some(router) = &known {
            router.do_send(Committed { events, credits });
        }
    })
}

/// Lets attempts in flight finish, commits what they came to, and closes the store.
async fn finish(
    stop: Option<Stop>,
    blueprint: &Blueprint,
    shards: &[Addr<Shard>],
    router: Option<Addr<Router>>,
) {
    let (grace, stopped) = stop.map_or((Duration::ZERO, None), |stop| (stop.grace, Some(stop.stopped)));
    // Attempts end in the first round, are settled or reported in the second, and reports are handed on in the third.
    for grace in [grace, Duration::ZERO, Duration::ZERO] {
        let drains: Vec<_> = shards.iter().map(|shard| shard.send(Drain { grace })).collect();
        for drained in drains {
            // A shard that has ended has nothing in flight.
            let _ = drained.await;
        }
    }
    if let Some(router) = router {
        // What was reported to it is queued to the writer when it answers.
        let _ = router.send(Ping).await;
    }
    blueprint.store.close().await;
    if let Some(stopped) = stopped {
        // Whoever stopped it may not have waited.
        let _ = stopped.send(());
    }
}
