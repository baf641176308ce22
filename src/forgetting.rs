//! Forgetting: what the events of an account say goes once the account's own time is over.
//!
//! An account may have the data of its events kept for a shorter time than `[retention]` keeps events. One task looks for
//! what is older, again and again, and has it expunged as if somebody had asked for it: the events stay as long as all
//! others, without their data. What is still to be delivered is left alone until it has been. The task rests for much
//! longer than it works.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock::Timestamp;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::router;
use crate::runtime::Current;
use crate::store::history::{DeliveryQuery, DeliveryStatus, EventQuery, NEWEST, Period, Topics};
use crate::store::readers::gone;
use crate::store::writer::{Store, Verbs};
use crate::store::{Answer, Error, Expunge, Reader, Verb};

/// How many events are looked at in one go.
const STEP: usize = 256;
/// How many are forgotten in one commit: each may have its block written anew, and others wait for it.
const COMMIT: usize = 32;
/// How long it rests at least, and how many times as long as it worked.
const REST: Duration = Duration::from_secs(1);
const REST_FACTOR: u32 = 20;
/// After how long it begins with the oldest again: times may have been set, and what is replayed in the very moment is
/// passed over.
const THOROUGH: Duration = Duration::from_secs(86_400);
/// By how much accepted times may be out of the order of events.
const DISORDER: Duration = Duration::from_secs(60);

/// How long the data of some accounts' events is kept; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Ages(Arc<Mutex<HashMap<AccountNo, Duration>>>);

/// A stretch of an account's events that are too old: numbers above the first and below the second.
type Stretch = (EventNo, EventNo);

/// What is to be forgotten of some events.
#[derive(Default)]
struct Old {
    expunges: Vec<Expunge>,
    /// The oldest of those that were looked at, if there may be more below.
    more_below: Option<EventNo>,
    /// The newest that need not be looked at again, nor anything below.
    through: Option<EventNo>,
    /// The oldest with something still to be delivered.
    awaited: Option<EventNo>,
}

impl Ages {
    /// Keeps the data of an account's events for so long from now on, or as long as events are kept.
    pub fn set(&self, account: AccountNo, age: Option<Duration>) {
        let mut ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match age {
            Some(age) => ages.insert(account, age),
            None => ages.remove(&account),
        };
    }

    fn all(&self) -> Vec<(AccountNo, Duration)> {
        let ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ages.iter().map(|(account, age)| (*account, *age)).collect()
    }
}

/// Has forgotten what is too old, for as long as it is polled.
pub async fn forget(store: Store, current: Current, ages: Ages) {
    let (mut through, mut began): (HashMap<AccountNo, EventNo>, _) = (HashMap::new(), Instant::now());
    loop {
        if began.elapsed() >= THOROUGH {
            (through, began) = (HashMap::new(), Instant::now());
        }
        let mut worked = Duration::ZERO;
        for (account, age) in ages.all() {
            let until = Timestamp(store.now().wall.0.saturating_sub(age.as_millis() as u64));
            let above = through.get(&account).copied().unwrap_or_default();
            // A store that cannot be asked says so elsewhere, and is asked again.
            if let Ok(Some(reached)) = forget_of(&store, &current, account, until, above, &mut worked).await {
                through.insert(account, reached);
            }
        }
        actix_rt::time::sleep(REST.max(worked * REST_FACTOR)).await;
    }
}

/// Forgets what an account's events say that were accepted before a moment; returns up to which event nothing is left.
async fn forget_of(
    store: &Store,
    current: &Current,
    account: AccountNo,
    until: Timestamp,
    above: EventNo,
    worked: &mut Duration,
) -> Result<Option<EventNo>, Error> {
    let (mut stretch, mut through, mut awaited) = ((above, EventNo(u64::MAX)), None, None);
    loop {
        let began = Instant::now();
        let old = store.look_back(move |reader| Old::read(reader, account, until, stretch)).await?;
        for events in old.expunges.chunks(COMMIT) {
            expunge(store, current, events.iter().cloned().map(Verb::Expunge).collect()).await?;
        }
        through = through.or(old.through);
        awaited = old.awaited.or(awaited);
        let took = began.elapsed();
        *worked += took;
        match old.more_below {
            Some(below) => stretch.1 = below,
            None => break,
        }
        // Whoever asks about what was gets a turn.
        actix_rt::time::sleep(took).await;
    }
    // Nothing goes by what is still awaited.
    Ok(match awaited {
        Some(EventNo(awaited)) => through.map(|through: EventNo| through.min(EventNo(awaited - 1))),
        None => through,
    })
}

async fn expunge(store: &Store, current: &Current, verbs: Verbs) -> Result<(), Error> {
    let (reply, answers) = oneshot::channel();
    store.write(verbs, None, reply);
    let answers = answers.await.unwrap_or_else(|_| Err(gone()))?;
    let waited = answers.into_iter().flat_map(|answer| match answer {
        Answer::Expunged(waited) => waited,
        _ => Vec::new(),
    });
    let waited: Vec<SubscriptionNo> = waited.collect();
    if let Some(serving) = current.load_full().filter(|_| !waited.is_empty()) {
        // They may hold it in memory.
        serving.router.do_send(router::Wake(waited));
    }
    Ok(())
}

impl Old {
    fn read(
        reader: &dyn Reader,
        account: AccountNo,
        until: Timestamp,
        (above, below): Stretch,
    ) -> Result<Self, Error> {
        let accepted = Period { since: Timestamp(0), until };
        let topics = Topics::default;
        let query =
            EventQuery { account, topics: topics(), hide_own: false, accepted, above, below, limit: STEP };
        let read_at = reader.commits();
        let listed = reader.events(&query)?;
        let surely = |at: Timestamp| at.after(DISORDER) < until;
        let through = listed.items.iter().find(|event| surely(event.accepted_at)).map(|event| event.no);
        let oldest = listed.items.last().map(|event| event.no);
        let mut old = Self { more_below: oldest.filter(|_| listed.more), through, ..Self::default() };
        let told: Vec<EventNo> =
            listed.items.iter().filter(|event| !event.body.is_expunged()).map(|event| event.no).collect();
        let (Some(newest), Some(oldest)) = (told.first(), told.last()) else {
            return Ok(old);
        };
        let pending = DeliveryQuery {
            account,
            subscription: None,
            event: None,
            topics: topics(),
            hide_own: false,
            status: Some(DeliveryStatus::Pending),
            accepted,
            above: EventNo(oldest.0 - 1),
            below: (newest.next(), NEWEST.1),
            limit: STEP,
        };
        let pending = reader.deliveries(&pending)?;
        let awaited: BTreeSet<EventNo> = pending.items.iter().map(|delivery| delivery.event.no).collect();
        // Below the last of so many there may be more that are awaited: that is found out with the next.
        let known_from = awaited.first().copied().filter(|_| pending.more);
        old.more_below = known_from.or(old.more_below);
        for event in told.into_iter().filter(|event| Some(*event) >= known_from) {
            if awaited.contains(&event) {
                old.awaited = Some(event);
                continue;
            }
            let replayed = reader.replays(event)?;
            old.expunges.push(Expunge { event, replayed, read_at, unless_awaited: true });
        }
        Ok(old)
    }
}
