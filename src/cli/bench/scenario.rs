//! The scenarios of a bench, and what each is measured against.

use clap::ValueEnum;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Scenario {
    /// The load generator straight into the receiver, with requests that look like deliveries
    Wire,
    /// The load generator into an actix-web handler that reads the body and answers 202
    Handler,
    /// An HTTP client that others build on, awc, into the receiver
    Client,
    /// The same bytes, in batches, into a bare file with fdatasync
    File,
    /// The same bytes, in batches, into sled, synced as the store syncs it
    Sled,
    /// One event per request over HTTP, one hook, each event durable and delivered
    Http,
    /// The same with 100 hooks on 100 endpoints, one of which matches each event
    Hundred,
    /// The same as http, with an idempotency key on each event
    Keyed,
    /// One event per request over HTTP that no hook matches, over many connections
    Accept,
    /// In-process, by many callers at once, one hook
    Emit,
    /// The same that no hook matches
    Record,
    /// One event to many hooks on one receiver; counts deliveries
    Fanout,
    /// Events that wait for a paused hook, from when it is resumed
    Drain,
    /// From when an event should have been sent to its arrival, at a steady rate
    Latency,
    /// The same at half of the rate that http has just had
    Half,
    /// Many settled deliveries to 1,000 hooks: the memory of the router, also after a kill, and how long pages of a busy
    /// and of a quiet hook's deliveries take, and the oldest event
    History,
    /// Memory of registered, idle hooks, and how fast they are subscribed and are there again after a kill
    Hooks,
    /// Delays at a steady rate to 97 hooks, without and with one that hangs, one that resets connections and
    /// one that dribbles
    Neighbours,
    /// The same of one account, without and with another that emits as fast as it can
    Noisy,
    /// The same of one hook, without and with the backlog of another draining that was dead
    Backlog,
    /// Phase after phase at a steady rate, with little of it kept: delays, memory and disk, which must not grow
    Soak,
}

impl Scenario {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it compares delays of several phases: without and with a disturbance, or the last with the first.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Neighbours | Self::Noisy | Self::Backlog | Self::Soak)
    }

    /// Whether the load generator calls the receiver itself.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Wire | Self::Client)
    }

    /// Whether anything is sent to a receiver.
    pub fn goes_out(self) -> bool {
        !matches!(self, Self::Handler | Self::File | Self::Sled | Self::Accept | Self::Record | Self::Hooks)
    }

    /// What its rate is measured against, in the same round.
    pub fn baseline(self) -> Option<Self> {
        match self {
            Self::Handler | Self::Client | Self::Http | Self::Emit | Self::Fanout | Self::Drain => {
                Some(Self::Wire)
            }
            Self::Sled => Some(Self::File),
            Self::Hundred | Self::Keyed => Some(Self::Http),
            Self::Accept => Some(Self::Handler),
            Self::Record => Some(Self::Sled),
            Self::Wire | Self::File | Self::Latency | Self::Half | Self::History | Self::Hooks => None,
            Self::Neighbours | Self::Noisy | Self::Backlog | Self::Soak => None,
        }
    }

    /// What is to be measured before it in the same round.
    fn prerequisite(self) -> Option<Self> {
        match self {
            Self::Half => Some(Self::Http),
            _ => self.baseline(),
        }
    }

    /// Whose footprint is shown.
    pub fn process(self) -> &'static str {
        match self {
            Self::Wire => "receiver",
            Self::Handler => "handler",
            Self::Client => "generator",
            Self::File | Self::Sled => "disk",
            Self::Emit | Self::Record => "router and callers",
            _ => "router",
        }
    }

    /// All that is to be measured for these, in the order in which it is.
    pub fn plan(chosen: &[Self]) -> Vec<Self> {
        let all = || Self::value_variants().iter().copied();
        let mut wanted: Vec<Self> = match chosen {
            [] => all().filter(|scenario| !scenario.is_comparison()).collect(),
            chosen => chosen.to_vec(),
        };
        let mut at = 0;
        while let Some(scenario) = wanted.get(at) {
            wanted.extend(scenario.prerequisite());
            at += 1;
        }
        all().filter(|scenario| wanted.contains(scenario)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Scenario::{Accept, Backlog, Handler, Http, Hundred, Noisy, Wire};

    #[test]
    fn baselines_come_before_what_is_measured_against_them() {
        assert_eq!(Scenario::plan(&[Accept, Hundred]), [Wire, Handler, Http, Hundred, Accept]);
        assert_eq!(Scenario::plan(&[Backlog, Noisy]), [Noisy, Backlog]);
        let all = Scenario::plan(&[]);
        assert_eq!(all.len(), Scenario::value_variants().len() - 4);
        for (at, scenario) in all.iter().enumerate() {
            assert!(scenario.prerequisite().is_none_or(|other| all[..at].contains(&other)), "{scenario:?}");
        }
    }
}
