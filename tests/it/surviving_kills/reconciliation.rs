//! The reconciliation: every event with a receipt against every hook that it certainly matched, by the receivers' logs
//! and by the API.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use crate::support::api::{Api, Hook};
use crate::support::deliveries::Delivery;

use super::answers::{Call, Clocks, Emission, Kill};
use super::emitters::EVENT_TYPES;
use super::far_side::Arrival;
use super::keepers::Keeper;
use super::repeats::{Ending, Repeats};
use super::standing::Course;
use super::{attempts, secrets};

/// All that is known in the end.
pub struct Books<'a> {
    pub api: &'a Api,
    pub keepers: &'a [Keeper],
    pub emissions: &'a [Emission],
    pub kills: &'a [Kill],
    pub clocks: Clocks,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Count {
    /// Events and hooks that they certainly matched, of hooks that are still there.
    pub owed: usize,
    pub delivered: usize,
    pub pending: usize,
    pub dead: usize,
}

impl Books<'_> {
    /// Every delivery that is owed is there: taken by its receiver, pending for a hook that waits, or a dead letter.
    pub fn reconcile(&self) -> Count {
        let mut count = Count::default();
        for keeper in self.keepers {
            let arrivals = keeper.far_side.arrivals();
            for (place, id) in keeper.ids.iter().enumerate() {
                let id = id.as_ref().expect("in the end all are subscribed");
                let hook = self.api.hook(id);
                let deliveries = self.deliveries(id);
                let taken: HashSet<&str> =
                    arrivals.iter().filter(|one| one.is_taken()).map(|one| one.event.as_str()).collect();
                for emission in self.owed(keeper, place) {
                    count.owed += 1;
                    let event = &emission.receipt.id;
                    let delivery = deliveries.get(event);
                    let delivery = delivery.unwrap_or_else(|| panic!("{event} is lost for {hook:?}"));
                    match delivery.status.as_str() {
                        "delivered" => count.delivered += 1,
                        "pending" => count.pending += 1,
                        "dead" => count.dead += 1,
                        other => panic!("{other}: {delivery:?}"),
                    }
                    let is_taken = taken.contains(event.as_str());
                    assert!(is_taken || delivery.status != "delivered", "never arrived: {delivery:?}");
                }
                assert_tallies(&hook, deliveries.values());
            }
        }
        count
    }

    /// Every request carries what was emitted under its id, was signed as it must be, came when it might, and came
    /// again only by a cause. Returns what came again, hook by hook.
    pub fn account_for_requests(&self) -> Vec<(String, Repeats)> {
        let numbers: HashMap<u64, &Emission> =
            self.emissions.iter().map(|emission| (emission.number, emission)).collect();
        let endings = Ending::all(self.kills, self.emissions);
        let mut repeats = Vec::new();
        for keeper in self.keepers {
            let arrivals = keeper.far_side.arrivals();
            for arrival in &arrivals {
                let emission = numbers.get(&arrival.number).expect("each emission has a receipt in the end");
                assert_eq!(arrival.event, emission.receipt.id, "two events of one idempotency key");
                assert_eq!(arrival.event_type, emission.event_type);
            }
            secrets::verify(&keeper.calls, &arrivals, self.clocks);
            for (place, event_type) in EVENT_TYPES.iter().enumerate().take(keeper.ids.len()) {
                let own: Vec<&Arrival> =
                    arrivals.iter().filter(|one| one.event_type == *event_type).collect();
                let calls: Vec<&Call> = keeper.calls.iter().filter(|call| call.place == place).collect();
                self.assert_silence(&course(keeper, place), &own);
                assert_given_up_for_a_reason(&calls, &own);
                let name = format!("{:?} {event_type}", keeper.far_side.temper);
                repeats.push((name, Repeats::of(&own, &calls, &endings)));
            }
        }
        repeats
    }

    /// The attempts of deliveries that were attempted more than once, of at most so many; returns how many these are.
    ///
    /// Events that are older than their hook are left out: a request that was cut off with an earlier hook of the same
    /// place may arrive when this one is there.
    pub fn verify_attempts(&self, limit: usize, random: &mut StdRng) -> usize {
        let mut repeated = Vec::new();
        let emitted: HashMap<&str, Instant> =
            self.emissions.iter().map(|one| (one.receipt.id.as_str(), one.began)).collect();
        let arrivals: Vec<Vec<Arrival>> =
            self.keepers.iter().map(|keeper| keeper.far_side.arrivals()).collect();
        for (keeper, arrivals) in self.keepers.iter().zip(&arrivals) {
            for (place, id) in keeper.ids.iter().enumerate() {
                let id = id.as_ref().expect("in the end all are subscribed");
                let born = course(keeper, place).births[id];
                let mut by_event: HashMap<&str, Vec<&Arrival>> = HashMap::new();
                let own = |one: &&Arrival| one.event_type == EVENT_TYPES[place] && one.arrived() > born;
                for arrival in arrivals.iter().filter(own) {
                    by_event.entry(&arrival.event).or_default().push(arrival);
                }
                for delivery in self.deliveries(id).into_values() {
                    let arrived = by_event.remove(delivery.event_id.as_str()).unwrap_or_default();
                    let is_younger = emitted[delivery.event_id.as_str()] > born;
                    if is_younger && (delivery.attempts > 1 || arrived.len() > 1) {
                        repeated.push((delivery, arrived));
                    }
                }
            }
        }
        let chosen = repeated.iter().sample(random, limit);
        for (delivery, arrived) in &chosen {
            attempts::verify(&self.api.delivery(&delivery.id), arrived, self.kills);
        }
        chosen.len()
    }

    /// Receipts count at least the hooks that were certainly there, and at most those that ever are.
    pub fn check_receipts(&self) {
        let courses: Vec<(usize, Course)> = self.courses().collect();
        for emission in self.emissions {
            let of_type = || courses.iter().filter(|(place, _)| EVENT_TYPES[*place] == emission.event_type);
            let sure =
                of_type().filter(|(_, course)| course.matched(emission.began, emission.ended).is_some());
            let matched = emission.receipt.matched as usize;
            assert!((sure.count()..=of_type().count()).contains(&matched), "{emission:?}");
        }
    }

    /// There are no hooks but those that were answered.
    pub fn check_hooks(&self) {
        let known: HashSet<&String> =
            self.keepers.iter().flat_map(|keeper| keeper.ids.iter().flatten()).collect();
        let hooks = self.api.hooks();
        assert_eq!(hooks.iter().map(|hook| &hook.id).collect::<HashSet<_>>(), known);
    }

    /// The events that the hook of this place, which is still there, certainly matched.
    fn owed(&self, keeper: &Keeper, place: usize) -> impl Iterator<Item = &Emission> {
        let course = course(keeper, place);
        let id = keeper.ids[place].clone();
        let of_type = self.emissions.iter().filter(move |one| one.event_type == EVENT_TYPES[place]);
        of_type.filter(move |one| course.matched(one.began, one.ended) == id.as_deref())
    }

    fn courses(&self) -> impl Iterator<Item = (usize, Course)> {
        let places = |keeper: &Keeper| 0..keeper.ids.len();
        self.keepers.iter().flat_map(move |keeper| places(keeper).map(|place| (place, course(keeper, place))))
    }

    /// All deliveries of a hook, by event.
    fn deliveries(&self, id: &str) -> HashMap<String, Delivery> {
        let mut deliveries = HashMap::new();
        let mut next = Some(format!("/api/v1/hooks/{id}/deliveries?limit=1000"));
        while let Some(path) = next {
            let reply = self.api.get(&path);
            next = reply.next_page();
            let page: Vec<Delivery> = reply.expect(200);
            for delivery in page {
                let twice = deliveries.insert(delivery.event_id.clone(), delivery);
                assert!(twice.is_none(), "listed twice: {twice:?}");
            }
        }
        deliveries
    }

    /// Nothing starts for a hook that is paused, given up or gone; what was in flight may still arrive.
    fn assert_silence(&self, course: &Course, arrivals: &[&Arrival]) {
        for silence in &course.silences {
            let (from, to) = (self.clocks.seconds(silence.from), silence.to);
            let started = arrivals.iter().find(|one| one.signed_at as f64 > from && one.arrived() < to);
            assert!(
                started.is_none(),
                "started though the hook was silent: {:?}",
                started.map(|one| &one.request)
            );
        }
    }
}

fn course(keeper: &Keeper, place: usize) -> Course {
    let calls = keeper.calls.iter().filter(|call| call.place == place);
    Course::of(calls, keeper.far_side.temper)
}

/// What a hook says of its deliveries is what their list says.
fn assert_tallies<'a>(hook: &Hook, deliveries: impl Iterator<Item = &'a Delivery>) {
    let (mut pending, mut dead) = (0, 0);
    for delivery in deliveries {
        pending += u64::from(delivery.status == "pending");
        dead += u64::from(delivery.status == "dead");
    }
    assert_eq!((hook.pending, hook.dead), (Some(pending), Some(dead)), "{hook:?}");
}

/// A hook that is given up had an event refused on the whole schedule, or was told 410.
fn assert_given_up_for_a_reason(calls: &[&Call], arrivals: &[&Arrival]) {
    for call in calls.iter().filter(|call| call.hook().is_some_and(|hook| hook.status == "deactivated")) {
        let mut refusals: HashMap<&str, usize> = HashMap::new();
        let mut gone = false;
        for refused in arrivals.iter().filter(|one| one.arrived() < call.ended && !one.is_taken()) {
            *refusals.entry(&refused.event).or_default() += 1;
            gone |= refused.status() == Some(410);
        }
        let exhausted = refusals.values().any(|count| *count >= super::ATTEMPTS);
        assert!(gone || exhausted, "given up without a reason: {call:?}");
    }
}
