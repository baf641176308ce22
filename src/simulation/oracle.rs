//! The oracle: what must hold, whatever happens. It has a model of its own of what each delivery and each endpoint may
//! be in for, made of what was settled and committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::attempt::Outcome;
use crate::clock::Timestamp;
use crate::health;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::memory::{Memory, Pending};
use crate::store::{Answer, Change, Follows, Replay, Settlement, Verb};
use crate::subscriber::Policy;
use crate::subscriber::hands::Delivery;
use crate::subscriber::slots::Usage;
use crate::subscription::{Deactivate, Generation, Status, Subscription};

/// What is known of all deliveries and hooks.
#[derive(Default)]
pub struct Oracle {
    deliveries: BTreeMap<(SubscriptionNo, EventNo), Known>,
    pub hooks: BTreeMap<SubscriptionNo, Hook>,
    /// What was matched and committed.
    expected: Vec<(EventNo, SubscriptionNo, Generation)>,
    /// What a receiver answered with 2xx.
    received: BTreeSet<(SubscriptionNo, EventNo)>,
    pub requests: u64,
}

/// What is known of a delivery.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    in_flight: bool,
    /// A success was settled.
    done: bool,
    /// It was asked for again while in flight.
    again: bool,
    /// Failures in its schedule, unless it was begun anew meanwhile.
    failures: Option<u16>,
    /// When it may be attempted again.
    due: Timestamp,
    /// It was given up, alone or with its hook, and nobody asked for it since.
    is_dead: bool,
}

/// What is known of a hook.
#[derive(Clone, Debug)]
pub struct Hook {
    in_flight: u32,
    stage: Stage,
    hold: Timestamp,
    /// To give it up was reported.
    given_up: bool,
    /// That it is given up was committed.
    dead: bool,
    /// Why nothing may be started: somebody was promised so.
    pub silent: Option<&'static str>,
    /// The commit that last made older deliveries due.
    reordered: u64,
    /// Since when something was due that nobody attempted, at rest.
    starving_since: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Free { failures: u32 },
    Probing,
    Opening { allowance: u32, failures: u32 },
}

impl Default for Hook {
    fn default() -> Self {
        Self {
            in_flight: 0,
            stage: Stage::Free { failures: 0 },
            hold: Timestamp(0),
            given_up: false,
            dead: false,
            silent: None,
            reordered: 0,
            starving_since: None,
        }
    }
}

impl Hook {
    fn allowance(&self, limit: u32) -> u32 {
        match self.stage {
            Stage::Free { .. } => limit,
            Stage::Probing => 1,
            Stage::Opening { allowance, .. } => allowance.min(limit),
        }
    }

    /// The rules of README, written once more: so many failures in a row, then one at a time, then one more with each
    /// success.
    fn learn(&mut self, outcome: Outcome, limit: u32, policy: &Policy, now: Timestamp) {
        self.stage = match (self.stage, outcome.is_success(), outcome.is_unhealthy()) {
            (Stage::Free { .. }, true, _) => Stage::Free { failures: 0 },
            (Stage::Probing, true, _) => Stage::Opening { allowance: 2, failures: 0 },
            (Stage::Opening { allowance, .. }, true, _) => {
                Stage::Opening { allowance: allowance + 1, failures: 0 }
            }
            (Stage::Probing, false, _) => Stage::Probing,
            (Stage::Free { failures } | Stage::Opening { failures, .. }, false, true)
                if failures + 1 >= policy.probe_after =>
            {
                Stage::Probing
            }
            (Stage::Free { failures }, false, true) => Stage::Free { failures: failures + 1 },
            (Stage::Opening { failures, .. }, false, true) => {
                Stage::Opening { allowance: 1, failures: failures + 1 }
            }
            (Stage::Free { .. }, false, false) => Stage::Free { failures: 0 },
            (Stage::Opening { allowance, .. }, false, false) => Stage::Opening { allowance, failures: 0 },
        };
        if let Stage::Opening { allowance, .. } = self.stage
            && allowance >= limit
            && outcome.is_success()
        {
            self.stage = Stage::Free { failures: 0 };
        }
        if let Some(asked) = outcome.retry_after().filter(|_| !outcome.is_success()) {
            self.hold = self.hold.max(now.after(asked.min(policy.retry.retry_after_max)));
        }
    }

    /// As the store knows it, after a crash.
    fn remember(&mut self, health: health::Health) {
        self.hold = health.hold_until.unwrap_or_default();
        self.stage = match health.stage {
            health::Stage::Healthy { failures } => Stage::Free { failures },
            health::Stage::Probing => Stage::Probing,
            health::Stage::Opening { allowance, failures } => Stage::Opening { allowance, failures },
        };
    }
}

/// Says that a promise was broken.
pub fn broken(promise: &str, what: impl std::fmt::Debug) -> ! {
    panic!("broken promise: {promise}: {what:?}")
}

impl Oracle {
    fn hook(&mut self, no: SubscriptionNo) -> &mut Hook {
        self.hooks.entry(no).or_default()
    }

    /// An attempt starts. `loaded` is the commit as of which its subscriber last read what waits.
    pub fn starts(
        &mut self,
        no: SubscriptionNo,
        delivery: Delivery,
        loaded: u64,
        policy: &Policy,
        store: &Memory,
        now: Timestamp,
    ) {
        let here = (no, delivery);
        let served = store.record(no).map(|record| record.delivery).unwrap_or_default();
        let known = self.deliveries.entry((no, delivery.event)).or_default();
        let hook = self.hooks.entry(no).or_default();
        if !store.has_event(delivery.event) {
            broken("nothing is sent before it is committed", here);
        }
        if known.in_flight {
            broken("a delivery is never attempted twice at once", (here, *known));
        }
        if known.done {
            broken("what was delivered is not delivered again", (here, *known));
        }
        if known.is_dead {
            broken("a dead letter is attempted only where somebody asks for it", here);
        }
        if now < known.due {
            broken("nothing is attempted before it is due", (here, *known, now));
        }
        if now < hook.hold {
            broken("a receiver that asked to be left alone is", (here, hook.hold, now));
        }
        if let Some(why) = hook.silent {
            broken("nothing starts for a hook that was answered to be silent", (here, why));
        }
        if hook.dead {
            broken("nothing starts for a hook that was given up", here);
        }
        if hook.in_flight >= hook.allowance(served.in_flight_limit(policy.max_in_flight)) {
            broken("no more are in flight than the endpoint's health and its owner allow", (here, hook));
        }
        if (served.is_ordered() || hook.stage == Stage::Probing) && loaded >= hook.reordered {
            let deliveries = &self.deliveries;
            let is_over = |known: &Known| known.done || known.is_dead;
            let is_open = |event: &EventNo| !deliveries.get(&(no, *event)).is_some_and(is_over);
            let oldest = store.live_of(no).into_iter().map(|(event, _)| event).find(is_open);
            if oldest.is_some_and(|oldest| oldest < delivery.event) {
                broken(
                    "only the oldest is attempted in order, and while an endpoint is probed",
                    (here, oldest),
                );
            }
        }
        hook.in_flight += 1;
        self.requests += 1;
        self.deliveries.entry((no, delivery.event)).or_default().in_flight = true;
    }

    /// An attempt is over for its subscriber, or was broken off.
    pub fn ends(&mut self, no: SubscriptionNo, event: EventNo) {
        let known = self.deliveries.entry((no, event)).or_default();
        (known.in_flight, known.again) = (false, false);
        let hook = self.hook(no);
        hook.starving_since = None;
        hook.in_flight = hook.in_flight.saturating_sub(1);
    }

    /// Something went wrong: it takes a while until what is due is attempted.
    pub fn is_disturbed(&mut self, no: SubscriptionNo) {
        self.hook(no).starving_since = None;
    }

    /// A receiver answered.
    pub fn met(&mut self, no: SubscriptionNo, event: EventNo, outcome: Outcome) {
        if outcome.is_success() {
            self.received.insert((no, event));
        }
    }

    /// A subscriber heard that these are asked for again.
    pub fn asked_again(&mut self, no: SubscriptionNo, events: &[EventNo]) {
        for event in events {
            let known = self.deliveries.entry((no, *event)).or_default();
            known.again = known.in_flight;
        }
    }

    /// A subscriber read its record.
    pub fn loaded(&mut self, subscription: &Subscription) {
        if subscription.status == Status::Active {
            self.hook(subscription.no).given_up = false;
        }
    }

    /// An attempt is settled, or reported so that the endpoint be given up.
    pub fn settles(
        &mut self,
        settlement: &Settlement,
        gives_up: bool,
        policy: &Policy,
        record: Option<&Subscription>,
        now: Timestamp,
    ) {
        let Settlement { event, ref attempt, follows, generation, .. } = *settlement;
        let no = settlement.at.subscription;
        let outcome = attempt.outcome;
        let known = self.deliveries.entry((no, event)).or_default();
        let hook = self.hooks.entry(no).or_default();
        let of_this_life =
            !hook.given_up && !hook.dead && record.is_some_and(|one| one.generation == generation);
        if !of_this_life {
            known.done |= outcome.is_success();
            (known.failures, known.due) = (None, Timestamp(0));
            return;
        }
        let served = record.map(|record| record.delivery.clone()).unwrap_or_default();
        hook.learn(outcome, served.in_flight_limit(policy.max_in_flight), policy, now);
        hook.given_up = gives_up;
        if outcome.is_success() {
            known.done = true;
            if follows != Follows::Done || gives_up {
                broken("a success ends a delivery", settlement);
            }
            return;
        }
        check_schedule(*known, settlement, gives_up, served.deactivate, policy, now);
        let Follows::Retry { due, retries } = follows else {
            (known.failures, known.is_dead) = (None, true);
            return;
        };
        (known.failures, known.due) = (Some(retries), due);
        if gives_up {
            known.due = Timestamp(0);
        }
    }

    /// A verb was committed.
    pub fn commits(&mut self, verb: &Verb, commit: u64) {
        match verb {
            Verb::Change(at, Change::Deactivate { .. }) => self.hook(at.subscription).dead = true,
            Verb::Change(at, Change::Reactivate { replay, .. }) if self.hook(at.subscription).dead => {
                let hook = self.hook(at.subscription);
                // With all that waited for it, it is sent to slowly at first.
                hook.stage = match replay {
                    true => Stage::Opening { allowance: 1, failures: 0 },
                    false => Stage::Free { failures: 0 },
                };
                (hook.dead, hook.given_up, hook.hold) = (false, false, Timestamp(0));
                match replay {
                    true => self.begin_anew(at.subscription, commit),
                    false => self.of_hook(at.subscription).for_each(|known| known.is_dead = !known.done),
                }
            }
            Verb::Change(at, Change::Replay) if !self.hook(at.subscription).dead => {
                self.begin_anew(at.subscription, commit);
            }
            Verb::Replay(Replay { at, events, .. }) => {
                for (event, _) in events {
                    let known = self.deliveries.entry((at.subscription, *event)).or_default();
                    *known = Known { in_flight: known.in_flight, again: known.again, ..Known::default() };
                }
                self.hook(at.subscription).reordered = commit;
            }
            _ => {}
        }
    }

    fn begin_anew(&mut self, no: SubscriptionNo, commit: u64) {
        for known in self.of_hook(no) {
            (known.failures, known.due, known.is_dead) = (None, Timestamp(0), false);
        }
        self.hook(no).reordered = commit;
    }

    fn of_hook(&mut self, no: SubscriptionNo) -> impl Iterator<Item = &mut Known> {
        let range = (no, EventNo(0))..=(no, EventNo(u64::MAX));
        self.deliveries.range_mut(range).map(|(_, known)| known)
    }

    /// A verb was answered.
    pub fn answers(&mut self, answer: &Answer, store: &Memory) {
        let Answer::Appended(events) = answer else {
            return;
        };
        for (event, _) in events.iter().filter(|(_, is_duplicate)| !is_duplicate) {
            for matched in event.matches.iter() {
                if store.record(matched.subscription).is_some() {
                    self.expected.push((event.no, matched.subscription, matched.generation));
                    let known = self.deliveries.entry((matched.subscription, event.no)).or_default();
                    known.failures = Some(0);
                }
            }
        }
    }

    /// All that was in memory alone is gone; what counts is what the store has.
    pub fn forgets(&mut self, store: &Memory) {
        let waiting = store.pending();
        for (delivery, known) in &mut self.deliveries {
            let (done, is_dead) = (!waiting.contains_key(delivery), known.is_dead);
            *known = Known { done, is_dead, ..Known::default() };
        }
        for subscription in store.all_subscriptions() {
            let hook = self.hooks.entry(subscription.no).or_default();
            let silent = hook.silent;
            *hook = Hook { silent, reordered: hook.reordered, ..Hook::default() };
            hook.remember(store.health_of(subscription.no));
            hook.dead = matches!(subscription.status, Status::Deactivated { .. });
        }
        for ((no, event), pending) in waiting {
            let known = self.deliveries.entry((no, event)).or_default();
            let generation = store.record(no).map(|one| one.generation);
            known.done = false;
            if Some(pending.generation()) == generation {
                known.is_dead = matches!(pending, Pending::Retry(retry) if retry.given_up);
            }
            match pending {
                Pending::First { .. } => known.failures = Some(0),
                Pending::Retry(retry) if Some(retry.generation) == generation => {
                    (known.failures, known.due) = (Some(retry.retries), retry.due);
                }
                Pending::Retry(_) => {}
            }
        }
    }

    /// After a stop, all that was settled is in the store.
    pub fn has_settled_all(&self, store: &Memory) {
        let waits = |((no, event), known): &(&(SubscriptionNo, EventNo), &Known)| {
            known.done && store.waits(*no, *event)
        };
        if let Some(lost) = self.deliveries.iter().find(waits) {
            broken("a stop loses no settlement", lost);
        }
    }

    /// What is queued when all else is forgotten still counts.
    pub fn remembers(&mut self, settlement: &Settlement, store: &Memory) {
        let Settlement { event, follows, generation, health, .. } = *settlement;
        let no = settlement.at.subscription;
        let of_this_life = store.record(no).is_some_and(|one| one.generation == generation);
        let known = self.deliveries.entry((no, event)).or_default();
        match follows {
            Follows::Done => known.done = true,
            Follows::Retry { due, retries } if of_this_life => {
                (known.failures, known.due) = (Some(retries), due);
            }
            Follows::Retry { .. } => (known.failures, known.due) = (None, Timestamp(0)),
            Follows::GivenUp => (known.failures, known.is_dead) = (None, of_this_life),
        }
        if let Some(health) = health.filter(|_| of_this_life) {
            self.hook(no).remember(health);
        }
    }

    /// Nothing happens before `next`: is there somebody who ought to be at work?
    pub fn rests(
        &mut self,
        store: &Memory,
        slots: Usage,
        finds_a_place: impl Fn(SubscriptionNo) -> bool,
        now: Timestamp,
        elapsed: u64,
        next: u64,
    ) {
        let records = store.all_subscriptions();
        let mut in_flight: BTreeMap<AccountNo, u32> = BTreeMap::new();
        for record in &records {
            let hook = self.hooks.entry(record.no).or_default();
            *in_flight.entry(record.account).or_default() += hook.in_flight;
        }
        for subscription in records {
            let hook = self.hooks.entry(subscription.no).or_default();
            // One whose account has requests in flight may have to wait for its share.
            let finds_a_slot = match in_flight[&subscription.account] {
                0 => slots.in_use < slots.count,
                _ => slots.in_use * 2 < slots.count,
            };
            let is_idle = subscription.status == Status::Active
                && hook.in_flight == 0
                && hook.hold <= now
                && finds_a_slot
                && finds_a_place(subscription.no);
            let waiting = if is_idle { store.live_of(subscription.no) } else { Vec::new() };
            let deliveries = &self.deliveries;
            let due = |(event, pending): &(EventNo, Pending)| {
                let known = deliveries.get(&(subscription.no, *event)).copied().unwrap_or_default();
                let is_due = match pending {
                    Pending::Retry(retry) if retry.generation == subscription.generation => retry.due <= now,
                    _ => true,
                };
                is_due && !known.in_flight && !known.done && !known.is_dead
            };
            let one_by_one = hook.stage == Stage::Probing || subscription.delivery.is_ordered();
            let considered = if one_by_one { 1 } else { usize::MAX };
            let starving = waiting.iter().take(considered).find(|one| due(one));
            match starving {
                None => hook.starving_since = None,
                Some(starving) => {
                    let since = *hook.starving_since.get_or_insert(elapsed);
                    if next.saturating_sub(since) > STARVED_MS {
                        let what = (subscription.no, starving, &hook, now, next - since);
                        broken("what is due is attempted without anybody's help", what);
                    }
                }
            }
        }
    }

    /// All has calmed down: everything that was committed must have come to an end.
    pub fn reckon(&self, store: &Memory) {
        for (event, no, generation) in &self.expected {
            let Some(record) = store.record(*no) else {
                continue;
            };
            let waits = store.waits(*no, *event);
            let is_live = || store.live_of(*no).iter().any(|(live, _)| live == event);
            let kept = record.status != Status::Active || !record.is_live(*generation) || !is_live();
            let has_come = self.received.contains(&(*no, *event));
            if !(has_come || (waits && kept)) {
                broken("what was committed is delivered or kept", (no, event, waits, record.status));
            }
        }
        for record in store.all_subscriptions().iter().filter(|one| one.status == Status::Active) {
            if let Some(waiting) = store.live_of(record.no).first() {
                broken("nothing waits for a hook that is well", (record.no, waiting));
            }
        }
        for (delivery, known) in &self.deliveries {
            if known.in_flight {
                broken("nothing is in flight in the end", delivery);
            }
        }
    }
}

/// How long something that is due may wait for nobody: longer than a subscriber that ended by itself stays down.
const STARVED_MS: u64 = 1_500;

fn check_schedule(
    known: Known,
    settlement: &Settlement,
    gives_up: bool,
    deactivate: Deactivate,
    policy: &Policy,
    now: Timestamp,
) {
    let outcome = settlement.attempt.outcome;
    if outcome.is_gone() {
        if !gives_up {
            broken("410 ends it", settlement);
        }
        return;
    }
    let (due, retries) = match settlement.follows {
        Follows::Retry { due, retries } => (due, retries),
        Follows::Done => broken("a failure does not end a delivery", settlement),
        Follows::GivenUp => {
            let is_last = usize::from(known.failures.unwrap_or(u16::MAX)) >= policy.retry.schedule.len();
            if known.again || gives_up || !is_last || deactivate != Deactivate::Never {
                broken("one is given up alone as its owner says", (known, settlement));
            }
            return;
        }
    };
    if known.again {
        if gives_up || retries != 0 || due != now {
            broken("what was asked for again is attempted again at once", (settlement, gives_up));
        }
        return;
    }
    let Some(failures) = known.failures else {
        return;
    };
    match policy.retry.schedule.get(usize::from(failures)) {
        None if !gives_up || deactivate == Deactivate::Never => {
            broken("the last failure gives the endpoint up", (known, settlement))
        }
        Some(_) if gives_up => broken("an endpoint has its whole schedule", (known, settlement)),
        None => {}
        Some(wait) => {
            let asked = outcome.retry_after().unwrap_or_default().min(policy.retry.retry_after_max);
            let jitter = wait.mul_f64(f64::from(policy.retry.jitter_percent) / 100.0);
            let earliest = now.after((*wait).max(asked));
            let latest = now.after((*wait + jitter).max(asked) + Duration::from_millis(1));
            if !(earliest..=latest).contains(&due) || retries != failures + 1 {
                broken("a retry is due as scheduled", (known, settlement, now));
            }
        }
    }
}
