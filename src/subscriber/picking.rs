//! What a subscriber attempts next, and when. Pure.

use crate::clock::Timestamp;
use crate::health::Health;
use crate::id::EventNo;
use crate::subscriber::backlog::Window;
use crate::subscriber::retries::Retries;

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Attempt this delivery again.
    Retry(EventNo),
    /// Attempt the oldest delivery of the window for the first time.
    First,
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Nothing, until something happens.
    Nothing,
}

/// What may be attempted now, when so many attempts are in flight and a healthy endpoint may have `limit`.
///
/// Overdue retries come before first attempts. While the endpoint is probed, or if all is to be delivered `in_order`, the
/// oldest delivery is attempted alone and when it is due; nothing else is.
pub fn pick(
    health: Health,
    in_flight: usize,
    limit: u32,
    in_order: bool,
    retries: &Retries,
    window: &Window,
    now: Timestamp,
) -> Pick {
    if in_flight >= health.allowance(limit) as usize {
        return Pick::Nothing;
    }
    let picked = match in_order || health.is_probing() {
        true => pick_oldest(retries, window, now),
        false => pick_due(retries, window, now),
    };
    match (health.hold_until, picked) {
        (_, Pick::Nothing) => Pick::Nothing,
        (Some(until), Pick::Wait(due)) => Pick::Wait(due.max(until)),
        (Some(until), _) if until > now => Pick::Wait(until),
        (_, picked) => picked,
    }
}

fn pick_due(retries: &Retries, window: &Window, now: Timestamp) -> Pick {
    match retries.next_due() {
        Some((due, event)) if due <= now => Pick::Retry(event),
        _ if window.oldest().is_some() => Pick::First,
        Some((due, _)) => Pick::Wait(due),
        None => Pick::Nothing,
    }
}

fn pick_oldest(retries: &Retries, window: &Window, now: Timestamp) -> Pick {
    match (retries.oldest(), window.oldest()) {
        (Some(retry), None) if window.may_hide_older_than(retry.event) => Pick::Nothing,
        (Some(retry), first) if first.is_none_or(|first| retry.event < first) => match retry.due <= now {
            true => Pick::Retry(retry.event),
            false => Pick::Wait(retry.due),
        },
        (_, Some(_)) => Pick::First,
        (_, None) => Pick::Nothing,
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
            failed.add(Retry { due, event, generation, attempts: 1, retries: 1, given_up: false });
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
            pick(health, 0, 8, false, &failed([(1, 999)]), &waiting([2]), NOW),
            Pick::Retry(EventNo(1))
        );
        assert_eq!(pick(health, 0, 8, false, &failed([(1, 1_001)]), &waiting([2]), NOW), Pick::First);
        assert_eq!(
            pick(health, 0, 8, false, &failed([(1, 1_001)]), &waiting([]), NOW),
            Pick::Wait(Timestamp(1_001))
        );
        assert_eq!(pick(health, 8, 8, false, &failed([(1, 999)]), &waiting([2]), NOW), Pick::Nothing);
    }

    #[test]
    fn a_broken_one_is_probed_by_the_oldest_delivery_when_that_is_due() {
        let retries = failed([(1, 5_000), (2, 500)]);
        assert_eq!(pick(probing(), 0, 8, false, &retries, &waiting([3]), NOW), Pick::Wait(Timestamp(5_000)));
        assert_eq!(
            pick(probing(), 0, 8, false, &retries, &waiting([3]), Timestamp(5_000)),
            Pick::Retry(EventNo(1))
        );
        assert_eq!(pick(probing(), 1, 8, false, &retries, &waiting([3]), Timestamp(5_000)), Pick::Nothing);
        assert_eq!(pick(probing(), 0, 8, false, &failed([]), &waiting([3]), NOW), Pick::First);
    }

    #[test]
    fn in_order_the_oldest_holds_up_the_rest_of_a_healthy_endpoint() {
        let health = Health::default();
        let waits = pick(health, 0, 1, true, &failed([(1, 5_000)]), &waiting([2]), NOW);
        assert_eq!(waits, Pick::Wait(Timestamp(5_000)));
        let retries = pick(health, 0, 1, true, &failed([(1, 500)]), &waiting([2]), NOW);
        assert_eq!(retries, Pick::Retry(EventNo(1)));
        // One that was delivered again goes in its place.
        assert_eq!(pick(health, 0, 1, true, &failed([(3, 500)]), &waiting([2]), NOW), Pick::First);
        assert_eq!(pick(health, 1, 1, true, &failed([]), &waiting([2]), NOW), Pick::Nothing);
    }

    #[test]
    fn in_order_nothing_goes_before_what_the_store_alone_may_know_of() {
        let mut behind = Window::beginning_with(EventNo(1), 1);
        [1, 2].into_iter().for_each(|no| behind.offer(Recorded::numbered(no, Arc::default())));
        assert_eq!(behind.take().map(|event| event.no), Some(EventNo(1)));
        let pick = |event: u64| pick(Health::default(), 0, 1, true, &failed([(event, 500)]), &behind, NOW);
        assert_eq!(pick(3), Pick::Nothing);
        assert_eq!(pick(1), Pick::Retry(EventNo(1)));
    }

    #[test]
    fn a_receiver_that_asked_to_be_left_alone_is() {
        let held = Health { hold_until: Some(Timestamp(3_000)), ..Health::default() };
        assert_eq!(
            pick(held, 0, 8, false, &failed([(1, 500)]), &waiting([2]), NOW),
            Pick::Wait(Timestamp(3_000))
        );
        assert_eq!(pick(held, 0, 8, false, &failed([]), &waiting([2]), Timestamp(3_000)), Pick::First);
        assert_eq!(pick(held, 0, 8, false, &failed([]), &waiting([]), NOW), Pick::Nothing);
    }
}
