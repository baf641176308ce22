//! The census: a thread that counts, again and again, what waits in the store and what it takes of the disk.
//!
//! It keeps no running count that could drift: what it finds is what is there, after a restart as well. It rests
//! between two counts for much longer than one takes, so it costs little however much waits; how old its figures are
//! is one of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tracing::warn;

use crate::clock::{Clock, Now, Timestamp};
use crate::metrics::{self, Metrics};
use crate::store::readers::Then;
use crate::store::{Census, Deep, Error, Reader, Retained};

/// How long it rests at least.
const REST: Duration = Duration::from_secs(2);
/// How many times as long as a count took it rests: about 5 % of one core at most.
const REST_FACTOR: u32 = 20;
/// How long it rests after it failed.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What the thread is told.
pub enum Call {
    /// The store was recovered: what there is can be counted from now on.
    Begin(Arc<dyn Reader>),
    /// Let go of the store, then do this.
    LetGo(Then),
}

/// Told of what a census found, and by whom more can be asked.
pub type Told = Box<dyn Fn(&[Deep], &dyn Reader) + Send>;

/// Who is told for which subscriptions very much waits.
pub struct Watch {
    /// So many deliveries make a backlog deep.
    pub deep: u64,
    /// Told after each count of the subscriptions with a deep backlog.
    pub tell: Told,
}

/// Starts the thread; it ends when the sender is dropped.
pub fn start(metrics: Metrics, clock: Clock, watch: Watch) -> std::io::Result<Sender<Call>> {
    let (sender, calls) = unbounded();
    let work = move || run(&metrics, &clock, &watch, &calls);
    thread::Builder::new().name("hookyard-census".to_owned()).spawn(work)?;
    Ok(sender)
}

fn run(metrics: &Metrics, clock: &Clock, watch: &Watch, calls: &Receiver<Call>) {
    let mut store: Option<Arc<dyn Reader>> = None;
    let mut rest = REST;
    loop {
        let called = match store {
            None => calls.recv().map_err(RecvTimeoutError::from),
            Some(_) => calls.recv_timeout(rest),
        };
        match called {
            Ok(Call::Begin(reader)) => store = Some(reader),
            Ok(Call::LetGo(then)) => {
                store = None;
                then();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(reader) = &store {
            rest = count(&**reader, metrics, clock.now(), watch, calls);
        }
    }
}

/// Counts, unless it is called away; says how long to rest.
fn count(
    reader: &dyn Reader,
    metrics: &Metrics,
    now: Now,
    watch: &Watch,
    calls: &Receiver<Call>,
) -> Duration {
    let began = Instant::now();
    // sled panics over some kinds of damage.
    let counted = catch_unwind(AssertUnwindSafe(|| {
        let census = reader.census(now.steady, watch.deep, &|| calls.is_empty())?;
        let retained = reader.retained()?;
        census.iter().for_each(|census| (watch.tell)(&census.deep, reader));
        Ok::<_, Error>(census.map(|census| (census, retained)))
    }));
    match counted {
        Ok(Ok(Some((census, retained)))) => {
            show(&census, now, &metrics.store);
            show_retained(&retained, now.wall, &metrics.store);
        }
        Ok(Ok(None)) => {}
        Ok(Err(error)) => {
            warn!(%error, "what waits in the store cannot be counted");
            return REST_AFTER_FAILURE;
        }
        Err(_) => return REST_AFTER_FAILURE,
    }
    if let Some(disk) = reader.disk() {
        metrics.store.size.set(disk.used as i64);
        metrics.store.free.set(disk.free as i64);
    }
    REST.max(began.elapsed() * REST_FACTOR)
}

fn show(census: &Census, now: Now, figures: &metrics::store::Store) {
    figures.pending.set(census.pending as i64);
    figures.retrying.set(census.retrying as i64);
    figures.replaying.set(census.replaying as i64);
    figures.dead.set(census.dead as i64);
    figures.due_lag.set(census.due_since.map_or(0.0, |since| since.until(now.steady).as_secs_f64()));
    figures.counted_time.set(now.wall.unix_seconds() as i64);
}

fn show_retained(retained: &Retained, now: Timestamp, figures: &metrics::store::Store) {
    figures.retained.set(retained.bytes as i64);
    figures.oldest_age.set(retained.oldest.map_or(0.0, |oldest| oldest.until(now).as_secs_f64()));
    for (counter, total) in [
        (&figures.events_expired, retained.expired.events),
        (&figures.dead_letters_expired, retained.expired.dead_letters),
    ] {
        counter.inc_by(total.saturating_sub(counter.get()));
    }
}
