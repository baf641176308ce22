//! Deliveries: looking at them, and delivering again.

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::attempt::Attempt;
use crate::clock::{Now, Timestamp};
use crate::event_type::EventType;
use crate::id::{AccountNo, DeliveryId, EventId, EventNo, HookId, Seal, SubscriptionNo};
use crate::router;
use crate::shard;
use crate::store::history::{self, EventQuery, NEWEST, Period, Topics};
use crate::store::{Address, Answer, Replay as Again, Replayable, Verb};
use crate::subscription::{EndpointUrl, Status, Subscription};

use super::{Hookyard, LookupError, Page, PageRequest, Unavailable};

pub use crate::store::history::DeliveryStatus;

/// How many deliveries one commit makes due; while it is on its way, others get theirs.
const REPLAY_STEP: usize = 4_096;
/// How many subscriptions one commit replays an event to.
const REPLAY_HOOKS: usize = 256;

/// One event for one hook.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub hook_id: HookId,
    /// Where it goes.
    pub url: EndpointUrl,
    pub event: EventType,
    pub status: DeliveryStatus,
    /// Attempts made.
    pub attempts: u16,
    /// When the next attempt is due; none while the delivery waits for its turn, or for its hook.
    pub next_attempt_at: Option<Timestamp>,
    /// When the event was accepted.
    pub created_at: Timestamp,
    /// The newest attempts that are still known, in order: a hundred at most.
    pub log: Vec<Attempt>,
}

/// Narrows a list of deliveries.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    pub hook: Option<HookId>,
    pub event: Option<String>,
    /// Leaves out those of the router's own events, which tell of other accounts.
    pub hide_own: bool,
    pub status: Option<DeliveryStatus>,
    /// Only those whose event was accepted then or later.
    pub since: Option<Timestamp>,
    /// Only those whose event was accepted before.
    pub until: Option<Timestamp>,
}

/// Which events a hook is to get again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replay {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub what: Replayed,
}

/// What is delivered again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replayed {
    /// Dead letters.
    #[default]
    Dead,
    /// Every event that the hook wants and that is still there, delivered or not, matched or not.
    All,
    /// Of these what it has not got, and what is not on its way.
    Missing,
}

/// Why nothing is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A hook that was given up gets nothing before it is subscribed again.
    #[error(
        "the hook is deactivated; subscribe it again first, with \"replay\": true for what it has not got"
    )]
    Deactivated,
    #[error("hook: it does not subscribe to this event")]
    NotWanted,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Hookyard {
    /// An account's deliveries, newest event first.
    ///
    /// # Errors
    /// When there is no such account, or the cursor is none of this list.
    pub async fn deliveries(
        &self,
        account: &AccountId,
        query: DeliveryQuery,
        page: PageRequest,
    ) -> Result<Page<Delivery>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let subscription = match query.hook {
            None => None,
            Some(id) => match self.record(account, id).await? {
                Some(record) => Some(record.no),
                None => return Ok(Page::empty()),
            },
        };
        let event_type = match query.event.map(|name| name.parse()).transpose() {
            Ok(event_type) => event_type,
            Err(_) => return Ok(Page::empty()),
        };
        let below = match page.cursor {
            None => NEWEST,
            Some(cursor) => self.0.seal.open_delivery(&cursor.parse().map_err(|_| LookupError::Cursor)?),
        };
        let query = history::DeliveryQuery {
            account,
            subscription,
            event: None,
            topics: Topics::of_type(event_type),
            hide_own: query.hide_own,
            status: query.status,
            accepted: period(query.since, query.until),
            above: EventNo(0),
            below,
            limit: page.limit,
        };
        let listed = self.look_back(move |reader| reader.deliveries(&query)).await?;
        let now = self.0.store.now();
        let items = listed.items.into_iter().map(|one| Delivery::of(one, &self.0.seal, now)).collect();
        Ok(Page::part(items, listed.more, |delivery: &Delivery| delivery.id.to_string()))
    }

    /// A delivery by its id, with its attempts.
    ///
    /// # Errors
    /// When the account has none with this id.
    pub async fn delivery(&self, account: &AccountId, id: DeliveryId) -> Result<Delivery, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        self.delivery_of(account, id).await?.ok_or(LookupError::NotFound)
    }

    /// Attempts a delivery again, now and with a fresh schedule, whether it waits, was given up or was delivered.
    ///
    /// When it returns, the wish is durable; the delivery is as it was found.
    ///
    /// # Errors
    /// When the account has none with this id, its hook is deactivated, or nothing can be changed now.
    pub async fn retry(&self, account: &AccountId, id: DeliveryId) -> Result<Delivery, ReplayError> {
        let account = self.0.registry.account(account).ok_or(ReplayError::NotFound("delivery"))?;
        let read_at = self.commits().await?;
        let delivery = self.delivery_of(account, id).await?.ok_or(ReplayError::NotFound("delivery"))?;
        let (event, subscription) = self.0.seal.open_delivery(&id);
        let at = Address { account, subscription };
        self.living(account, delivery.hook_id).await?;
        self.replay_to(vec![Again { at, events: vec![(event, delivery.attempts)], read_at }]).await?;
        self.delivery_of(account, id).await?.ok_or(ReplayError::NotFound("delivery"))
    }

    /// Delivers to a hook again what is asked for; returns how many deliveries that are.
    ///
    /// Attempt numbers go on, schedules begin anew. When it returns, all of them are due, durably.
    ///
    /// # Errors
    /// When the account has no such hook, it is deactivated, or nothing can be changed now.
    pub async fn replay(
        &self,
        account: &AccountId,
        id: HookId,
        replay: Replay,
    ) -> Result<usize, ReplayError> {
        self.replay_or_count(account, id, replay, true).await
    }

    /// How many deliveries [`Self::replay`] would make due now; it changes nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn count_replay(
        &self,
        account: &AccountId,
        id: HookId,
        replay: Replay,
    ) -> Result<usize, ReplayError> {
        self.replay_or_count(account, id, replay, false).await
    }

    /// Makes them due if told to `act`; else it counts them.
    async fn replay_or_count(
        &self,
        account: &AccountId,
        id: HookId,
        replay: Replay,
        act: bool,
    ) -> Result<usize, ReplayError> {
        let account = self.0.registry.account(account).ok_or(ReplayError::NotFound("hook"))?;
        let hook = self.living(account, id).await?;
        match replay {
            Replay { what: Replayed::All | Replayed::Missing, .. } => {
                self.replay_all(hook, replay, act).await
            }
            Replay { since: None, until: None, .. } if act => self.replay_dead(hook).await,
            Replay { since: None, until: None, .. } => Ok(self.with_tally(hook).await?.dead as usize),
            _ => self.replay_dead_of(hook, replay, act).await,
        }
    }

    /// Delivers an event again, to all hooks that match it now or to one of them; returns how many these are.
    ///
    /// # Errors
    /// When the account has no such event or hook, the hook is deactivated or does not want such events, or nothing
    /// can be changed now.
    pub async fn replay_event(
        &self,
        account: &AccountId,
        id: EventId,
        hook: Option<HookId>,
    ) -> Result<usize, ReplayError> {
        let account = self.0.registry.account(account).ok_or(ReplayError::NotFound("event"))?;
        let event = self.recorded(account, id).await?.ok_or(ReplayError::NotFound("event"))?;
        let event_type = event.event_type.clone();
        let hooks: Vec<SubscriptionNo> = match hook {
            Some(id) => {
                let hook = self.living(account, id).await?;
                if !hook.wants(&event) {
                    return Err(ReplayError::NotWanted);
                }
                vec![hook.no]
            }
            None => {
                let (channels, body) = (event.channels().to_vec(), event.body.clone());
                let asked = router::Match { account, event_type, channels, body };
                let matching = self.router()?.send(asked).await;
                let matching = matching.map_err(|_| self.gone())?;
                matching.iter().map(|matched| matched.subscription).collect()
            }
        };
        self.replay_one(account, event.no, hooks).await
    }

    /// Delivers an event to a hook again, whether or not it wants such events.
    ///
    /// # Errors
    /// When the account has no such event or hook, the hook is deactivated, or nothing can be changed now.
    pub async fn resend(&self, account: &AccountId, id: EventId, hook: HookId) -> Result<usize, ReplayError> {
        let account = self.0.registry.account(account).ok_or(ReplayError::NotFound("event"))?;
        let event = self.recorded(account, id).await?.ok_or(ReplayError::NotFound("event"))?;
        let hook = self.living(account, hook).await?;
        self.replay_one(account, event.no, vec![hook.no]).await
    }

    async fn replay_one(
        &self,
        account: AccountNo,
        event: EventNo,
        hooks: Vec<SubscriptionNo>,
    ) -> Result<usize, ReplayError> {
        let read_at = self.commits().await?;
        let made = self.look_back(move |reader| reader.attempts(event)).await?;
        let wished = hooks.into_iter().map(|subscription| {
            let attempts = made.get(&subscription).copied().unwrap_or_default();
            Again { at: Address { account, subscription }, events: vec![(event, attempts)], read_at }
        });
        self.replay_to(wished.collect()).await
    }

    /// Everything that was given up with the hook becomes pending in one stroke, however much it is; then what was given up
    /// alone.
    async fn replay_dead(&self, hook: Subscription) -> Result<usize, ReplayError> {
        let at = Address { account: hook.account, subscription: hook.no };
        let dead = self.with_tally(hook).await?.dead;
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(router::Replay { at, reply });
        let hook = self.answer(answer).await?.ok_or(ReplayError::NotFound("hook"))?;
        let left = self.with_tally(*hook).await?;
        if left.dead > 0 {
            self.replay_dead_of(left.subscription, Replay::default(), true).await?;
        }
        Ok(dead as usize)
    }

    /// As [`Self::replay_or_count`].
    async fn replay_dead_of(
        &self,
        hook: Subscription,
        replay: Replay,
        act: bool,
    ) -> Result<usize, ReplayError> {
        let at = Address { account: hook.account, subscription: hook.no };
        let (mut count, mut below) = (0, NEWEST);
        loop {
            let query = history::DeliveryQuery {
                account: hook.account,
                subscription: Some(hook.no),
                event: None,
                topics: Topics::default(),
                hide_own: false,
                status: Some(DeliveryStatus::Dead),
                accepted: period(replay.since, replay.until),
                above: EventNo(0),
                below,
                limit: REPLAY_STEP,
            };
            let read_at = self.commits().await?;
            let dead = self.look_back(move |reader| reader.deliveries(&query)).await?;
            below = dead.items.last().map_or(below, |delivery| delivery.place());
            let named = dead.items.iter().map(|delivery| (delivery.event.no, delivery.attempts));
            let events: Vec<(EventNo, u16)> = named.collect();
            count += match act {
                true => self.replay_to(vec![Again { at, events, read_at }]).await?,
                false => events.len(),
            };
            if !dead.more {
                return Ok(count);
            }
        }
    }

    /// As [`Self::replay_or_count`].
    async fn replay_all(&self, hook: Subscription, replay: Replay, act: bool) -> Result<usize, ReplayError> {
        let at = Address { account: hook.account, subscription: hook.no };
        let (mut count, mut below) = (0, EventNo(u64::MAX));
        loop {
            let query = EventQuery {
                account: hook.account,
                topics: Topics::default(),
                hide_own: false,
                accepted: period(replay.since, replay.until),
                above: EventNo(0),
                below,
                limit: REPLAY_STEP,
            };
            let (wanted, missing) = (hook.clone(), replay.what == Replayed::Missing);
            let read_at = self.commits().await?;
            let found = self.look_back(move |reader| reader.replayable(&wanted, &query, missing)).await?;
            let Replayable { events, more_below } = found;
            count += match act {
                true => self.replay_to(vec![Again { at, events, read_at }]).await?,
                false => events.len(),
            };
            match more_below {
                Some(event) => below = event,
                None => return Ok(count),
            }
        }
    }

    /// Makes deliveries due, and tells their subscribers; returns how many there are.
    async fn replay_to(&self, wished: Vec<Again>) -> Result<usize, ReplayError> {
        let mut count = 0;
        for wished in wished.chunks(REPLAY_HOOKS) {
            self.mark_in_flight(wished).await?;
            let verbs = wished.iter().map(|again| Verb::Replay(again.clone()));
            let answers = self.commit_all(verbs.collect()).await?;
            count += answers.iter().map(replayed).sum::<usize>();
            let named = wished.iter().map(|again| again.at.subscription);
            self.router()?.do_send(router::Wake(named.collect()));
        }
        Ok(count)
    }

    /// Has attempts that are in flight made again at once, should they fail: they began before the wish.
    ///
    /// What ended before this returns was queued to the writer before the wish is.
    async fn mark_in_flight(&self, wished: &[Again]) -> Result<(), Unavailable> {
        let mut noted = Vec::with_capacity(wished.len());
        for Again { at, events, .. } in wished {
            let (done, answer) = oneshot::channel();
            let events = events.iter().map(|(event, _)| *event).collect();
            self.router()?.do_send(router::Again(shard::Again { at: *at, events, done }));
            noted.push(answer);
        }
        for answer in noted {
            // No answer: nothing is in flight.
            let _ = answer.await;
        }
        Ok(())
    }

    /// How many commits there are: what is read behind this knows of them all.
    pub(super) async fn commits(&self) -> Result<u64, Unavailable> {
        self.read(|reader| Ok(reader.commits())).await
    }

    async fn delivery_of(&self, account: AccountNo, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        let (event, subscription) = self.0.seal.open_delivery(&id);
        let at = Address { account, subscription };
        let found = self.look_back(move |reader| reader.delivery(at, event)).await?;
        let now = self.0.store.now();
        let found = found.map(|found| Delivery::of(found, &self.0.seal, now));
        // The numbers in an id are only a hint; the id that they make must be this one.
        Ok(found.filter(|found| found.id == id))
    }

    /// A hook that may be delivered to.
    async fn living(&self, account: AccountNo, id: HookId) -> Result<Subscription, ReplayError> {
        let hook = self.record(account, id).await?.ok_or(ReplayError::NotFound("hook"))?;
        if matches!(hook.status, Status::Deactivated { .. }) {
            return Err(ReplayError::Deactivated);
        }
        Ok(hook)
    }
}

impl Delivery {
    pub(super) fn of(delivery: history::Delivery, seal: &Seal, now: Now) -> Self {
        let history::Delivery { event, subscription, status, attempts, next_attempt_at, log } = delivery;
        // What came back with its hook has been due since before there were events.
        let shown = |due| now.on_the_wall(due).max(event.accepted_at);
        let next_attempt_at = next_attempt_at.map(shown);
        Self {
            id: seal.close_delivery(&event.id, subscription.no),
            event_id: event.id,
            hook_id: subscription.id,
            url: subscription.url,
            event: event.event_type,
            status,
            attempts,
            next_attempt_at,
            created_at: event.accepted_at,
            log,
        }
    }
}

/// The time between two moments, either of which may be left out.
pub(super) fn period(since: Option<Timestamp>, until: Option<Timestamp>) -> Period {
    Period { since: since.unwrap_or(Period::ALWAYS.since), until: until.unwrap_or(Period::ALWAYS.until) }
}

fn replayed(answer: &Answer) -> usize {
    match answer {
        Answer::Replayed(count) => *count,
        _ => 0,
    }
}
