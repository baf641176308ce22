//! The log of attempts against what arrived: numbered without holes, and nothing is missing before what is there.

use std::time::SystemTime;

use crate::support::deliveries::{Attempt, Delivery, instant};

use super::answers::Kill;
use super::far_side::Arrival;

/// How many attempts a delivery shows.
const SHOWN: u64 = 100;

/// Checks the log of a delivery against all requests of it that arrived.
///
/// Attempts of one delivery are made one after the other, so requests and log have one order. A request that no entry
/// tells of was lost with a kill: what came after it in the same life of the server was lost as well.
pub fn verify(delivery: &Delivery, arrivals: &[&Arrival], kills: &[Kill]) {
    let log = delivery.log();
    let first = delivery.attempts.saturating_sub(SHOWN) + 1;
    let numbers: Vec<u64> = log.iter().map(|attempt| attempt.n.expect("its number")).collect();
    let expected: Vec<u64> = (first..=delivery.attempts).collect();
    assert_eq!(numbers, expected, "{delivery:?}");

    let mut missing: Option<&Arrival> = None;
    let mut arrivals = arrivals.iter().peekable();
    for (index, attempt) in log.iter().enumerate() {
        let begins: SystemTime = instant(&attempt.at).into();
        let next: Option<SystemTime> = log.get(index + 1).map(|next| instant(&next.at).into());
        assert!(
            next.is_none_or(|next| begins <= next),
            "their order is not that of their times: {delivery:?}"
        );
        while let Some(lost) = arrivals.next_if(|arrival| arrival.request.arrived_at < begins) {
            // Before what is shown there may have been more.
            missing = (first == 1 || index > 0).then_some(*lost);
        }
        let found = arrivals.next_if(|arrival| next.is_none_or(|next| arrival.request.arrived_at < next));
        let Some(found) = found else {
            assert_eq!(attempt.status, None, "answered, and nothing had arrived: {delivery:?}");
            continue;
        };
        assert_same_answer(attempt, found, delivery);
        if let Some(lost) = missing {
            let killed = |kill: &Kill| kill.is_between(lost.request.connected, found.arrived());
            assert!(
                kills.iter().any(killed),
                "an attempt before one that is there is missing: {:?} before {:?}; the last kill before it {:?}: \
                 {delivery:?}",
                lost.request,
                found.request,
                kills.iter().rfind(|kill| kill.began < found.arrived()),
            );
        }
        missing = None;
    }
}

#[track_caller]
fn assert_same_answer(attempt: &Attempt, arrival: &Arrival, delivery: &Delivery) {
    assert!(
        attempt.status.is_none() || attempt.status == arrival.status(),
        "{:?} was answered to {attempt:?} of {delivery:?}",
        arrival.status()
    );
}
