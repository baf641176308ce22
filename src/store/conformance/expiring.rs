//! What retention may let go of, what it must, and what it must not.
//!
//! When it does so is the backend's affair: after each idle moment the model is told what is gone, provided that it may
//! be. After a thorough one, nothing may be left that must be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::memory::is_remembered;
use super::*;

/// Longer than anything is pending in memory alone once all is tidied.
const PARKED_AFTER: Duration = Duration::from_secs(13);
/// More than any subscription has waiting here.
const ALL: usize = 10_000;

/// What is known of the backend's retention.
pub struct Expiring {
    policy: Policy,
    /// Whether there was more than the policy allows since the last thorough pass, or ever.
    over: bool,
    ever_over: bool,
    expired: Expired,
}

/// What a seed's backend keeps: half of them everything.
pub fn policy(seed: u64) -> Policy {
    let random = &mut StdRng::seed_from_u64(!seed);
    let age = Duration::from_millis(random.random_range(0..40_000));
    let bytes = random.random_range(2_000..150_000);
    match seed % 6 {
        0 | 1 => Policy { age: Some(age), bytes: None },
        2 => Policy { age: None, bytes: Some(bytes) },
        3 => Policy { age: Some(age), bytes: Some(bytes) },
        _ => Policy::default(),
    }
}

impl Expiring {
    pub fn by(policy: Policy) -> Self {
        Self { policy, over: false, ever_over: false, expired: Expired::default() }
    }

    /// The backend was opened anew and counts from zero.
    pub fn restart(&mut self) {
        self.expired = Expired::default();
    }

    /// Looks whether there is more than the policy allows.
    pub fn look(&mut self, ledger: &Ledger) {
        let bytes = ledger.reader().retained().unwrap().bytes;
        self.over |= self.policy.bytes.is_some_and(|allowed| bytes > allowed);
        self.ever_over |= self.over;
    }

    fn is_old(&self, at: Timestamp, now: Timestamp) -> bool {
        self.policy.age.is_some_and(|age| at.after(age) < now)
    }
}

impl Conversation {
    /// Lets the model forget what is gone, which it must have been allowed to be.
    pub fn see_expired(&mut self, ledger: &Ledger, thorough: bool, here: &str) {
        if self.expiring.policy == Policy::default() {
            return;
        }
        let reader = ledger.reader();
        let events: BTreeMap<EventNo, Arc<Recorded>> =
            self.model.events().into_iter().map(|event| (event.no, event)).collect();
        self.see_expired_dead_letters(&*reader, &events, here);
        events.values().for_each(|event| self.see_expired_event(&*reader, event, here));
        let retained = reader.retained().unwrap();
        assert_eq!(retained.bytes, ledger.measure().unwrap(), "{here}: bytes");
        assert_eq!(retained.expired, self.expiring.expired, "{here}: what has expired");
        let oldest = self.model.retained().unwrap().oldest;
        assert_eq!(retained.oldest, oldest, "{here}: the oldest event");
        self.see_forgotten_attempts(ledger, here);
        self.see_forgotten_replays(ledger, here);
        if thorough {
            self.compare_with_policy(retained.bytes, here);
        }
        self.expiring.look(ledger);
    }

    fn see_expired_dead_letters(
        &mut self,
        reader: &dyn Reader,
        events: &BTreeMap<EventNo, Arc<Recorded>>,
        here: &str,
    ) {
        let pending = self.model.pending();
        for subscription in self.model.all_subscriptions() {
            let all_live = Subscription {
                floor: Generation(0),
                // What was given up alone came back with the next life.
                generation: subscription.generation.next(),
                status: crate::subscription::Status::Active,
                ..subscription.clone()
            };
            let waiting = reader.backlog(&all_live, Lane::Replay, EventNo(0), ALL).unwrap().waiting;
            let retries = reader.retries(&all_live, ALL).unwrap().replay.waiting;
            let found: BTreeSet<EventNo> = waiting
                .iter()
                .map(|(event, _)| event.no)
                .chain(retries.iter().map(|one| one.event))
                .collect();
            let of_it = pending.iter().filter(|((of, _), _)| *of == subscription.no);
            for (delivery, was) in of_it.filter(|((_, event), _)| !found.contains(event)) {
                let event = delivery.1.0;
                assert!(!was.is_live(&subscription), "{here}: {delivery:?} was to come");
                assert!(self.may_expire(&events[&delivery.1]), "{here}: dead letter {event} expired early");
                self.model.forget_delivery(*delivery);
                self.expiring.expired.dead_letters += 1;
            }
        }
    }

    fn see_expired_event(&mut self, reader: &dyn Reader, event: &Recorded, here: &str) {
        let here = format!("{here}: event {}", event.no.0);
        let found = reader.event(event.no).unwrap();
        if found.as_ref().is_some_and(|found| summary(found) == summary(event)) {
            return;
        }
        assert!(self.may_expire(event), "{here} expired early");
        let pending = self.model.pending();
        let is_pending = |subscription| pending.contains_key(&(subscription, event.no));
        let Some(found) = found else {
            let waits = pending.keys().any(|(_, waiting)| *waiting == event.no);
            assert!(!waits, "{here} is gone and waited for");
            self.expiring.expired.events += 1;
            return self.model.forget_event(event.no);
        };
        assert_eq!(found.body, event.body, "{here}");
        let attempted = self.model.attempts(event.no).unwrap();
        let is_gone = |no: SubscriptionNo| self.model.subscription(self.address(no.0)).unwrap().is_none();
        // A replay made deliveries that the event had not matched; some have been attempted since they were noted.
        let was_there = |matched: &Match| {
            let no = matched.subscription;
            event.matches.contains(matched) || is_pending(no) || attempted.contains_key(&no) || is_gone(no)
        };
        assert!(found.matches.iter().all(was_there), "{here} matches more than it did");
        let is_kept = |no| found.matches.iter().any(|kept| kept.subscription == no);
        let mut pending = event.matches.iter().filter(|matched| is_pending(matched.subscription));
        assert!(pending.all(|matched| is_kept(matched.subscription)), "{here} lost a delivery");
        self.model.keep_event_for(event.no, found.matches.clone());
    }

    /// Nothing is left that must be gone by now.
    fn compare_with_policy(&mut self, bytes: u64, here: &str) {
        let excess = self.expiring.policy.bytes.is_some_and(|allowed| bytes > allowed);
        let pending = self.model.pending();
        for event in self.model.events() {
            let is_parked = event.accepted_at.after(PARKED_AFTER) < self.now;
            let expires = excess || self.expiring.is_old(event.accepted_at, self.now);
            if !is_parked || !expires || is_remembered(&event, self.now) {
                continue;
            }
            let mut deliveries = pending.iter().filter(|((_, waiting), _)| *waiting == event.no).peekable();
            assert!(deliveries.peek().is_some(), "{here}: event {} has not expired", event.no.0);
            for ((of, _), was) in deliveries {
                let owner = self.model.subscription(self.address(of.0)).unwrap();
                let is_live = owner.is_some_and(|owner| was.is_live(&owner));
                assert!(is_live, "{here}: dead letter {} of hook {} has not expired", event.no.0, of.0);
            }
        }
        self.expiring.over = false;
    }

    /// Attempts are forgotten oldest first. Last attempts are known as far back as attempts are kept; until a crash, some
    /// of earlier ones are, too.
    pub fn see_forgotten_attempts(&mut self, ledger: &Ledger, here: &str) {
        let reader = ledger.reader();
        // Of a hook that is gone, an attempt that ended then may or may not be kept.
        let exists = |no: &SubscriptionNo| self.model.subscription(self.address(no.0)).unwrap().is_some();
        let kept = ledger.attempts_kept().unwrap().into_iter().filter(exists).count();
        let known = self.model.attempts_known();
        let surplus = known.iter().filter(|no| exists(no)).count() - kept;
        let is_gone = known.iter().scan(0, |gone, no| {
            let goes = *gone < surplus;
            *gone += usize::from(exists(no));
            goes.then_some(())
        });
        for () in is_gone {
            let Attempt { at, .. } = self.model.forget_attempt();
            let may_be = self.expiring.ever_over || self.expiring.is_old(at, self.now);
            assert!(may_be, "{here}: an attempt was forgotten early");
        }
        let all = self.model.all_subscriptions();
        let (found, expected) = (reader.tallies(&all).unwrap(), self.model.tallies(&all).unwrap());
        for (subscription, (found, expected)) in all.iter().zip(found.iter().zip(&expected)) {
            if let (None, Some(at)) = (found.last_attempt_at, expected.last_attempt_at) {
                let may_be = self.expiring.ever_over || self.expiring.is_old(at, self.now);
                assert!(may_be, "{here}: an attempt for hook {} was forgotten early", subscription.no.0);
                self.model.forget_last_attempt(subscription.no);
            }
        }
    }

    /// While a delivery waits that came about by a replay alone, it is known to.
    pub fn see_forgotten_replays(&mut self, ledger: &Ledger, here: &str) {
        let (kept, pending) = (ledger.replays_kept().unwrap(), self.model.pending());
        for (event, subscription) in self.model.replays_known().difference(&kept) {
            let is_of_it = |one: &Match| one.subscription == *subscription;
            let matched =
                self.model.event(*event).unwrap().is_none_or(|one| one.matches.iter().any(is_of_it));
            let waits = pending.contains_key(&(*subscription, *event));
            let gone = self.model.record(*subscription).is_none();
            assert!(matched || !waits || gone, "{here}: the replay of {} was forgotten early", event.0);
            self.model.forget_replay((*event, *subscription));
        }
    }

    fn may_expire(&self, event: &Recorded) -> bool {
        let expires = self.expiring.over || self.expiring.is_old(event.accepted_at, self.now);
        expires && !is_remembered(event, self.now)
    }
}
