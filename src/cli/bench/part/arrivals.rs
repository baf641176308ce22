//! Arrivals: which deliveries came, how often and how late.

use serde::{Deserialize, Serialize};

use super::super::delays::{Delays, Percentiles};
use super::super::template::Told;

/// Which deliveries are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The number of the first event.
    pub first: u32,
    pub events: u32,
    pub hooks: u32,
    pub fan: Fan,
}

/// Which hooks get an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fan {
    /// The one that its number says, among so many.
    One,
    All,
}

/// What came of those that were expected.
pub struct Arrivals {
    expected: Expected,
    /// How often each came.
    counts: Vec<u8>,
    arrived: u64,
    twice: u64,
    strays: u64,
    last_ns: u64,
    delays: Delays,
}

/// The same, told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    pub expected: u64,
    /// How many of them came.
    pub arrived: u64,
    /// How many came again.
    pub twice: u64,
    /// How many came that nobody expected.
    pub strays: u64,
    /// When the last came.
    pub last_ns: u64,
    pub delays: Percentiles,
}

impl Arrivals {
    pub fn of(expected: Expected) -> Self {
        let counts = vec![0; expected.deliveries() as usize];
        Self { expected, counts, arrived: 0, twice: 0, strays: 0, last_ns: 0, delays: Delays::new() }
    }

    /// Notes one that came to a hook.
    pub fn note(&mut self, hook: u32, event: Option<Told>, now_ns: u64) {
        let slot = event.and_then(|event| Some((self.expected.slot(hook, event.number)?, event.due_ns)));
        let Some((slot, due_ns)) = slot else {
            self.strays += 1;
            return;
        };
        let count = &mut self.counts[slot];
        *count = count.saturating_add(1);
        if *count > 1 {
            self.twice += 1;
            return;
        }
        self.arrived += 1;
        self.last_ns = now_ns;
        self.delays.note(due_ns, now_ns);
    }

    pub fn are_complete(&self) -> bool {
        self.arrived == self.counts.len() as u64
    }

    pub fn tell(&self) -> Arrived {
        Arrived {
            expected: self.counts.len() as u64,
            arrived: self.arrived,
            twice: self.twice,
            strays: self.strays,
            last_ns: self.last_ns,
            delays: self.delays.percentiles(),
        }
    }
}

impl Arrived {
    /// # Errors
    /// When anything did not arrive exactly once.
    pub fn each_once(self) -> anyhow::Result<Self> {
        let Self { expected, arrived, twice, strays, .. } = self;
        anyhow::ensure!(arrived == expected, "{arrived} of {expected} deliveries arrived, then none");
        anyhow::ensure!(twice == 0, "{twice} of {expected} deliveries arrived more than once");
        anyhow::ensure!(
            strays == 0,
            "{strays} deliveries arrived that were of no event, or at the wrong hook"
        );
        Ok(self)
    }
}

impl Expected {
    /// Events of which one hook gets each.
    pub fn events(first: u32, events: u32) -> Self {
        Self { first, events, hooks: 1, fan: Fan::All }
    }

    pub fn deliveries(&self) -> u64 {
        match self.fan {
            Fan::One => u64::from(self.events),
            Fan::All => u64::from(self.events) * u64::from(self.hooks),
        }
    }

    fn slot(&self, hook: u32, number: u32) -> Option<usize> {
        let event = number.checked_sub(self.first).filter(|event| *event < self.events)? as usize;
        match self.fan {
            Fan::One => (hook == number % self.hooks).then_some(event),
            Fan::All => (hook < self.hooks).then(|| hook as usize * self.events as usize + event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(expected: Expected, deliveries: &[(u32, u32)]) -> Arrivals {
        let mut arrivals = Arrivals::of(expected);
        for (hook, number) in deliveries {
            arrivals.note(*hook, Some(Told { number: *number, due_ns: 1 }), 2);
        }
        arrivals
    }

    #[test]
    fn what_is_missing_comes_again_or_goes_astray_is_found() {
        let expected = Expected { first: 10, events: 2, hooks: 2, fan: Fan::All };
        let once = [(0, 10), (1, 11), (1, 10), (0, 11)];
        assert!(came(expected, &once).tell().each_once().is_ok());
        assert!(came(expected, &once[1..]).tell().each_once().is_err());
        let twice = came(expected, &[&once[..], &[(0, 10)]].concat());
        assert!(twice.are_complete() && twice.tell().each_once().is_err());
        let astray = came(expected, &[&once[..], &[(0, 12)]].concat());
        assert!(astray.are_complete() && astray.tell().each_once().is_err());
    }

    #[test]
    fn an_event_for_one_hook_is_astray_at_another() {
        let expected = Expected { first: 0, events: 3, hooks: 2, fan: Fan::One };
        assert!(came(expected, &[(0, 0), (1, 1), (0, 2)]).tell().each_once().is_ok());
        assert_eq!(came(expected, &[(1, 0)]).tell().strays, 1);
    }
}
