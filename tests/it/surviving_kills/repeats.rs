//! Repeated requests: an event that a receiver took comes again only by a cause: a replay, a retry by hand, or a kill
//! before it was on disk that it was taken.
//!
//! What attempts met goes to disk in the order in which the server learns of it, and before anything that is asked for
//! afterwards is answered. So of what was answered well before an event was emitted that has a receipt from before the
//! kill, only as many may come again as one hook has in flight: those of which the server had not learned yet.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::answers::{Call, Emission, Kill};
use super::far_side::Arrival;

/// How long a server may take to learn of an answer, but for those that it has in flight.
const LEARNING: Duration = Duration::from_millis(100);

/// A kill, and what was on disk before.
pub struct Ending {
    pub kill: Kill,
    /// What the server had learned by then was on disk.
    durable: Option<Instant>,
}

/// What repeated requests of one hook come to.
#[derive(Debug, Default)]
pub struct Repeats {
    pub by_wish: usize,
    /// By the number of the kill.
    pub by_kill: BTreeMap<usize, Lost>,
}

/// How many answers were lost with a kill.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    pub all: usize,
    /// Those that had been given long enough before for the server to learn of them.
    pub early: usize,
}

impl Ending {
    /// The kills, and by the receipts that there were before, what was on disk.
    pub fn all(kills: &[Kill], emissions: &[Emission]) -> Vec<Self> {
        let durable = |kill: &Kill| {
            let receipts = emissions.iter().filter(|emission| emission.ended < kill.began);
            receipts.map(|emission| emission.began).max()
        };
        kills.iter().map(|kill| Self { kill: *kill, durable: durable(kill) }).collect()
    }
}

impl Repeats {
    /// Finds the cause of every repeated request of one hook; fails where there is none.
    pub fn of(arrivals: &[&Arrival], calls: &[&Call], endings: &[Ending]) -> Self {
        let mut repeats = Self::default();
        let mut by_event: HashMap<&str, Vec<&Arrival>> = HashMap::new();
        arrivals.iter().for_each(|arrival| by_event.entry(&arrival.event).or_default().push(arrival));
        for (event, arrivals) in by_event {
            let mut wishes: Vec<Instant> =
                calls.iter().filter(|call| call.repeats(event)).map(|call| call.began).collect();
            let mut taken: Option<&Arrival> = None;
            for arrival in arrivals {
                if let Some(taken) = taken {
                    repeats.explain(taken, arrival, &mut wishes, endings);
                }
                taken = arrival.is_taken().then_some(arrival);
            }
        }
        repeats
    }

    /// Notes why an event that was taken came again; each wish has it come again once.
    fn explain(&mut self, taken: &Arrival, again: &Arrival, wishes: &mut Vec<Instant>, endings: &[Ending]) {
        if let Some(wish) = wishes.iter().position(|began| *began < again.arrived()) {
            wishes.remove(wish);
            self.by_wish += 1;
            return;
        }
        let between =
            |Ending { kill, .. }: &Ending| kill.is_between(taken.request.connected, again.arrived());
        let number = endings.iter().position(between);
        let number =
            number.unwrap_or_else(|| panic!("{} was taken and came again without a cause", taken.event));
        let answered = taken.answered.map_or(taken.arrived(), |answered| answered.at);
        let lost = self.by_kill.entry(number).or_default();
        lost.all += 1;
        lost.early +=
            usize::from(endings[number].durable.is_some_and(|durable| answered + LEARNING < durable));
    }
}
