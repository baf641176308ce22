//! What follows from an outcome: for the delivery, and for the endpoint.

use std::time::Duration;

use tracing::debug;

use crate::attempt::{Attempt, Outcome};
use crate::clock::Timestamp;
use crate::health::Health;
use crate::retry::Next;
use crate::store::{Follows, Lane, Retry, Settlement};
use crate::subscriber::hands::{Delivery, Hands, News};
use crate::subscriber::message::Report;
use crate::subscriber::policy::Policy;
use crate::subscription::DeliveryPolicy;

use super::{Dispatcher, Served, State};

impl<Endpoint, Task> Dispatcher<Endpoint, Task> {
    /// Settles an attempt, and says what its outcome means for the delivery and the endpoint.
    pub(super) fn settle(
        &mut self,
        delivery: Delivery,
        again: bool,
        attempt: Attempt,
        chance: f64,
        now: Timestamp,
        hands: &mut impl Hands,
    ) {
        let outcome = attempt.outcome;
        hands.figures().end(&attempt);
        let asked = outcome.retry_after().filter(|_| !outcome.is_success());
        let is_of_this_life = self.is_of_this_life(&delivery);
        let was_probed = self.health.is_probing();
        let health = match is_of_this_life {
            true => self.change_health(outcome, asked, now, hands.policy()),
            false => None,
        };
        let after_failure = |schedule: &[Duration]| match (outcome.is_gone(), again) {
            (true, _) => Next::GiveUp,
            (false, true) => Next::Retry { due: now },
            (false, false) => {
                let made = usize::from(delivery.retries);
                hands.policy().retry.after_failure(schedule, made, now, asked, chance)
            }
        };
        let retries = if again { 0 } else { delivery.retries + 1 };
        let own = self.delivery_policy();
        let schedule = own.and_then(|own| own.retries.as_ref()).unwrap_or(&hands.policy().retry.schedule);
        let failing = self.health.failing_since.map_or(Duration::ZERO, |since| since.until(now));
        let gives_up = || outcome.is_gone() || own.is_none_or(|own| own.gives_up(schedule, failing));
        let (follows, gives_up) = match outcome.is_success() {
            true => (Follows::Done, false),
            false => match after_failure(schedule) {
                Next::Retry { due } => (Follows::Retry { due, retries }, false),
                Next::GiveUp if gives_up() => (Follows::Retry { due: now, retries }, true),
                Next::GiveUp => (Follows::GivenUp, false),
            },
        };
        if !is_of_this_life {
            return self.settle_of_earlier_life(delivery, attempt, follows, hands);
        }
        let settlement = self.settlement(delivery, attempt, follows, health);
        if gives_up {
            return self.give_up(settlement, hands);
        }
        let mut news = None;
        match follows {
            Follows::Done if was_probed => {
                hands.figures().recovered.inc();
                news = Some(News::Recovered);
            }
            Follows::Done => {}
            Follows::GivenUp => {
                hands.figures().given_up.inc();
                news = Some(News::Exhausted);
            }
            Follows::Retry { due, retries } => {
                hands.figures().retries.inc();
                if self.state != State::Loading {
                    let Delivery { event, generation, .. } = delivery;
                    let attempts = settlement.attempt.n;
                    let lane = Lane::after(retries);
                    self.retries
                        .add(lane, Retry { due, event, generation, attempts, retries, given_up: false });
                }
            }
        }
        match (news, &self.served) {
            (Some(news), Some(served)) => hands.settle_and_tell(settlement, &served.subscription, news),
            _ => hands.settle(settlement),
        }
    }

    /// Whether what a delivery meets still matters to the endpoint, and not only to the delivery.
    pub(super) fn is_of_this_life(&self, delivery: &Delivery) -> bool {
        let of_generation = |served: &Served<Endpoint>| served.subscription.generation == delivery.generation;
        self.state != State::Deactivated && self.served.as_ref().is_some_and(of_generation)
    }

    /// Settles an attempt that began before the endpoint was given up. One that failed is a dead letter, unless the
    /// subscription came back with all it had: then it begins its schedule anew, as a restart would have it.
    fn settle_of_earlier_life(
        &mut self,
        delivery: Delivery,
        attempt: Attempt,
        follows: Follows,
        hands: &mut impl Hands,
    ) {
        let settlement = self.settlement(delivery, attempt, follows, None);
        if let Some(served) = &self.served
            && follows != Follows::Done
            && !matches!(self.state, State::Deactivated | State::Loading)
            && served.subscription.is_live(delivery.generation)
        {
            let (event, generation) = (delivery.event, served.subscription.generation);
            let attempts = settlement.attempt.n;
            let due = Timestamp(0);
            let retry = Retry { due, event, generation, attempts, retries: 0, given_up: false };
            hands.figures().retries.inc();
            self.retries.add(Lane::Replay, retry);
        }
        hands.settle(settlement);
    }

    /// The health after one more outcome; what of it is to be kept, if that changed.
    fn change_health(
        &mut self,
        outcome: Outcome,
        asked: Option<Duration>,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<Health> {
        let hold = asked.map(|asked| asked.min(policy.retry.retry_after_max));
        let own = self.delivery_policy();
        let limit = own.map_or(policy.max_in_flight, |own| own.in_flight_limit(policy.max_in_flight));
        let is_patient = own.is_some_and(DeliveryPolicy::is_patient);
        self.health = self.health.after(outcome, policy.probe_after, limit, hold, now);
        // Others need not have it written down.
        self.health.failing_since = self.health.failing_since.filter(|_| is_patient);
        let keep = self.health.to_keep();
        let changed = keep != self.kept;
        self.kept = keep;
        changed.then_some(keep)
    }

    fn settlement(
        &self,
        delivery: Delivery,
        attempt: Attempt,
        follows: Follows,
        health: Option<Health>,
    ) -> Settlement {
        debug!(
            subscription = self.at.subscription.0,
            event = delivery.event.0,
            n = attempt.n,
            outcome = %attempt.outcome,
            ms = attempt.duration_ms,
            "attempted"
        );
        let Delivery { event, generation, .. } = delivery;
        Settlement { at: self.at, event, generation, attempt, follows, health }
    }

    /// Gives the endpoint up; what waits is dead letters, and attempts in flight may still succeed.
    fn give_up(&mut self, settlement: Settlement, hands: &mut impl Hands) {
        let reason = settlement.attempt.reason_to_give_up();
        let Some(subscription) = self.served.as_ref().map(|served| Box::new(served.subscription.clone()))
        else {
            return;
        };
        self.ignore_answer();
        self.state = State::Deactivated;
        self.verdicts_due += 1;
        hands.report(Report::GiveUp { settlement, reason, subscription });
    }
}
