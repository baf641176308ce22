//! What a subscriber attempts next, and when. Pure.

use crate::clock::Timestamp;
use crate::health::Health;
use crate::id::EventNo;
use crate::store::{Lane, Lanes};
use crate::subscriber::backlog::Window;
use crate::subscriber::retries::Retries;

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Attempt this delivery again.
    Retry(EventNo),
    /// Attempt the oldest delivery of this window for the first time.
    First(Lane),
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Nothing, until something happens.
    Nothing,
}

/// What is to be picked from, and how many attempts may be made.
pub struct Standing<'a> {
    pub health: Health,
    /// Attempts in flight, by lane.
    pub in_flight: Lanes<usize>,
    /// So many a healthy endpoint may have.
    pub limit: u32,
    /// Whether all is to be delivered in the order of events.
    pub in_order: bool,
    /// How many were started of what is fresh since the last replay.
    pub fresh_in_row: u32,
    pub retries: &'a Retries,
    pub windows: &'a Lanes<Window>,
}

/// While both wait, one attempt in so many is of a replay, and one part in so many of what may be in flight.
const REPLAY_PART: u32 = 4;

impl Standing<'_> {
    /// What may be attempted now.
    ///
    /// Overdue retries come before first attempts, and what is fresh before replays, but for their share. While the endpoint
    /// is probed, or if all is to be delivered in order, the oldest delivery is attempted alone and when it is due; nothing
    /// else is.
    pub fn pick(&self, now: Timestamp) -> Pick {
        let allowance = self.health.allowance(self.limit);
        if self.in_flight.fresh + self.in_flight.replay >= allowance as usize {
            return Pick::Nothing;
        }
        let picked = match self.in_order || self.health.is_probing() {
            true => self.pick_oldest(now),
            false => self.pick_due(allowance, now),
        };
        match (self.health.hold_until, picked) {
            (_, Pick::Nothing) => Pick::Nothing,
            (Some(until), Pick::Wait(due)) => Pick::Wait(due.max(until)),
            (Some(until), _) if until > now => Pick::Wait(until),
            (_, picked) => picked,
        }
    }

    fn pick_due(&self, allowance: u32, now: Timestamp) -> Pick {
        let (fresh, replay) = (self.next_of(Lane::Fresh, now), self.next_of(Lane::Replay, now));
        let may_replay = self.in_flight.replay < (allowance / REPLAY_PART).max(1) as usize;
        match (fresh.is_due(), replay.is_due()) {
            (true, true) if may_replay && self.fresh_in_row >= REPLAY_PART - 1 => replay,
            (true, _) => fresh,
            (false, true) => replay,
            (false, false) => fresh.sooner(replay),
        }
    }

    /// What comes next in a lane.
    fn next_of(&self, lane: Lane, now: Timestamp) -> Pick {
        match self.retries.next_due(lane) {
            Some((due, event)) if due <= now => Pick::Retry(event),
            _ if self.windows[lane].oldest().is_some() => Pick::First(lane),
            Some((due, _)) => Pick::Wait(due),
            None => Pick::Nothing,
        }
    }

    fn pick_oldest(&self, now: Timestamp) -> Pick {
        let firsts = Lane::ALL.into_iter().filter_map(|lane| Some((self.windows[lane].oldest()?, lane)));
        let first = firsts.min_by_key(|(event, _)| *event);
        let oldest =
            self.retries.oldest().map(|retry| retry.event).into_iter().chain(first.map(|(event, _)| event));
        let Some(oldest) = oldest.min() else {
            return Pick::Nothing;
        };
        // A window of the other lane may know of nothing yet.
        if Lane::ALL.into_iter().any(|lane| self.windows[lane].may_hide_older_than(oldest)) {
            return Pick::Nothing;
        }
        match (self.retries.oldest().filter(|retry| retry.event == oldest), first) {
            (Some(retry), _) if retry.due <= now => Pick::Retry(oldest),
            (Some(retry), _) => Pick::Wait(retry.due),
            (None, Some((_, lane))) => Pick::First(lane),
            (None, None) => Pick::Nothing,
        }
    }
}

impl Pick {
    fn is_due(self) -> bool {
        matches!(self, Self::Retry(_) | Self::First(_))
    }

    /// The sooner of two that wait.
    fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Wait(due), Self::Wait(others)) => Self::Wait(due.min(others)),
            (Self::Wait(due), _) | (_, Self::Wait(due)) => Self::Wait(due),
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::Recorded;
    use crate::health::Stage;
    use crate::store::Retry;
    use crate::subscription::Generation;

    const NOW: Timestamp = Timestamp(1_000);

    /// What is picked when nothing is replayed.
    fn pick(
        health: Health,
        fresh: usize,
        limit: u32,
        in_order: bool,
        retries: &Retries,
        window: Window,
        now: Timestamp,
    ) -> Pick {
        let windows = &Lanes { fresh: window, replay: waiting([]) };
        let in_flight = Lanes { fresh, replay: 0 };
        Standing { health, in_flight, limit, in_order, fresh_in_row: 0, retries, windows }.pick(now)
    }

    fn waiting(events: impl IntoIterator<Item = u64>) -> Window {
        let mut window = Window::beginning_with(EventNo(1), 100);
        events.into_iter().for_each(|no| window.offer(Recorded::numbered(no, Arc::default())));
        window
    }

    fn failed(retries: impl IntoIterator<Item = (u64, u64)>) -> Retries {
        let mut failed = Retries::default();
        for (event, due) in retries {
            let (due, event) = (Timestamp(due), EventNo(event));
            let generation = Generation(0);
            failed
                .add(Lane::Fresh, Retry { due, event, generation, attempts: 1, retries: 1, given_up: false });
        }
        failed
    }

    fn probing() -> Health {
        Health { stage: Stage::Probing, ..Health::default() }
    }

    #[test]
    fn a_healthy_endpoint_gets_overdue_retries_and_then_what_waits() {
        let health = Health::default();
        assert_eq!(
            pick(health, 0, 8, false, &failed([(1, 999)]), waiting([2]), NOW),
            Pick::Retry(EventNo(1))
        );
        assert_eq!(
            pick(health, 0, 8, false, &failed([(1, 1_001)]), waiting([2]), NOW),
            Pick::First(Lane::Fresh)
        );
        assert_eq!(
            pick(health, 0, 8, false, &failed([(1, 1_001)]), waiting([]), NOW),
            Pick::Wait(Timestamp(1_001))
        );
        assert_eq!(pick(health, 8, 8, false, &failed([(1, 999)]), waiting([2]), NOW), Pick::Nothing);
    }

    #[test]
    fn a_broken_one_is_probed_by_the_oldest_delivery_when_that_is_due() {
        let retries = failed([(1, 5_000), (2, 500)]);
        assert_eq!(pick(probing(), 0, 8, false, &retries, waiting([3]), NOW), Pick::Wait(Timestamp(5_000)));
        assert_eq!(
            pick(probing(), 0, 8, false, &retries, waiting([3]), Timestamp(5_000)),
            Pick::Retry(EventNo(1))
        );
        assert_eq!(pick(probing(), 1, 8, false, &retries, waiting([3]), Timestamp(5_000)), Pick::Nothing);
        assert_eq!(pick(probing(), 0, 8, false, &failed([]), waiting([3]), NOW), Pick::First(Lane::Fresh));
    }

    #[test]
    fn in_order_the_oldest_holds_up_the_rest_of_a_healthy_endpoint() {
        let health = Health::default();
        let waits = pick(health, 0, 1, true, &failed([(1, 5_000)]), waiting([2]), NOW);
        assert_eq!(waits, Pick::Wait(Timestamp(5_000)));
        let retries = pick(health, 0, 1, true, &failed([(1, 500)]), waiting([2]), NOW);
        assert_eq!(retries, Pick::Retry(EventNo(1)));
        // One that was delivered again goes in its place.
        assert_eq!(
            pick(health, 0, 1, true, &failed([(3, 500)]), waiting([2]), NOW),
            Pick::First(Lane::Fresh)
        );
        assert_eq!(pick(health, 1, 1, true, &failed([]), waiting([2]), NOW), Pick::Nothing);
    }

    #[test]
    fn in_order_nothing_goes_before_what_the_store_alone_may_know_of() {
        let behind = || {
            let mut behind = Window::beginning_with(EventNo(1), 1);
            [1, 2].into_iter().for_each(|no| behind.offer(Recorded::numbered(no, Arc::default())));
            assert_eq!(behind.take().map(|event| event.no), Some(EventNo(1)));
            behind
        };
        let pick = |event: u64| pick(Health::default(), 0, 1, true, &failed([(event, 500)]), behind(), NOW);
        assert_eq!(pick(3), Pick::Nothing);
        assert_eq!(pick(1), Pick::Retry(EventNo(1)));
    }

    #[test]
    fn a_receiver_that_asked_to_be_left_alone_is() {
        let held = Health { hold_until: Some(Timestamp(3_000)), ..Health::default() };
        assert_eq!(
            pick(held, 0, 8, false, &failed([(1, 500)]), waiting([2]), NOW),
            Pick::Wait(Timestamp(3_000))
        );
        assert_eq!(
            pick(held, 0, 8, false, &failed([]), waiting([2]), Timestamp(3_000)),
            Pick::First(Lane::Fresh)
        );
        assert_eq!(pick(held, 0, 8, false, &failed([]), waiting([]), NOW), Pick::Nothing);
    }

    /// Replays that are due, of these events, and fresh ones that wait; what is started of both, one after the other, when
    /// so many attempts may be in flight, of which `ends` says which is over before the next.
    fn started(limit: u32, fresh: u64, replays: u64, ends: impl Fn(usize) -> bool) -> Vec<Lane> {
        let mut retries = Retries::default();
        for event in 1..=replays {
            let (due, event, generation) = (NOW, EventNo(event), Generation(0));
            retries.add(
                Lane::Replay,
                Retry { due, event, generation, attempts: 1, retries: 0, given_up: false },
            );
        }
        let mut windows = Lanes { fresh: waiting(1_000..1_000 + fresh), replay: waiting([]) };
        let (mut in_flight, mut fresh_in_row, mut started) = (Vec::new(), 0, Vec::new());
        loop {
            let count = |lane| in_flight.iter().filter(|other| **other == lane).count();
            let standing = Standing {
                health: Health::default(),
                in_flight: Lanes::each(count),
                limit,
                in_order: false,
                fresh_in_row,
                retries: &retries,
                windows: &windows,
            };
            let lane = match standing.pick(NOW) {
                Pick::Retry(event) => retries.take(event).expect("it waits").0,
                Pick::First(lane) => {
                    windows[lane].take();
                    lane
                }
                _ if in_flight.is_empty() || !ends(started.len()) => return started,
                _ => {
                    in_flight.remove(0);
                    continue;
                }
            };
            fresh_in_row = if lane == Lane::Fresh { fresh_in_row + 1 } else { 0 };
            started.push(lane);
            in_flight.push(lane);
        }
    }

    #[test]
    fn what_is_fresh_has_most_of_the_turns_and_replays_some() {
        for limit in [1, 2, 8] {
            let lanes = started(limit, 90, 90, |_| true);
            let replays = |lanes: &[Lane]| lanes.iter().filter(|lane| **lane == Lane::Replay).count();
            assert_eq!(lanes.len(), 180);
            let while_both_wait = replays(&lanes[..120]);
            assert!((27..=30).contains(&while_both_wait), "{limit}: {while_both_wait} of 120");
        }
    }

    #[test]
    fn alone_replays_have_all_and_else_a_part() {
        assert_eq!(started(8, 0, 100, |_| false), [Lane::Replay; 8]);
        let both = started(8, 100, 100, |_| false);
        assert_eq!(both.iter().filter(|lane| **lane == Lane::Replay).count(), 2);
        assert_eq!(both.len(), 8);
    }
}
