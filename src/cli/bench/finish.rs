//! The finish of a scenario: what is known once its last event has arrived.

use super::figures::Figures;
use super::footprint::Footprint;
use super::part::arrivals::Arrived;
use super::part::generator::Sent;

/// What is known then.
pub struct Finish {
    pub sent: Sent,
    /// What arrived, if anything was to arrive and that is known.
    pub arrived: Option<Arrived>,
    /// When all was delivered, if it is not known when it arrived.
    pub drained_ns: Option<u64>,
    /// How many things the rate counts.
    pub things: u64,
    /// The process whose footprint is shown, before and after.
    pub footprints: (Footprint, Footprint),
}

impl Finish {
    pub fn figures(self) -> Figures {
        let Self { sent, arrived, drained_ns, things, footprints: (before, after) } = self;
        let last_ns = arrived.map(|arrived| arrived.last_ns);
        let ended_ns = last_ns.or(drained_ns).unwrap_or(sent.ended_ns);
        let mut figures = Figures::of_rate(things, sent.began_ns, ended_ns);
        if let Some(arrived) = arrived {
            figures.set_delays(arrived.delays);
        }
        figures.set_answers(sent.answers);
        figures.set_footprint(before, after, things);
        figures
    }
}
