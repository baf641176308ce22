//! When a dispatcher is woken, and when it has been quiet for long enough to retire.

use tracing::debug;

use crate::clock::Timestamp;
use crate::subscriber::hands::Hands;
use crate::subscriber::message::Report;

use super::{Dispatcher, State};

impl<Endpoint, Task> Dispatcher<Endpoint, Task> {
    /// The timer ran down.
    pub fn woken(&mut self, now: Timestamp, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        self.timer = None;
        self.pump(now, hands);
    }

    /// Somebody waits for its place.
    pub fn crowded(&mut self, now: Timestamp, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        self.pump(now, hands);
    }

    pub(super) fn change_state(&mut self, wake: Option<Timestamp>) {
        let next = match self.state {
            State::Loading | State::Paused | State::Deactivated => return,
            _ if self.health.is_probing() => State::Probing,
            _ if !self.in_flight.is_empty() || self.in_line => State::Sending,
            _ => State::Idle,
        };
        if next != self.state {
            debug!(subscription = self.at.subscription.0, from = ?self.state, to = ?next, ?wake, "changed");
            self.state = next;
        }
    }

    /// Whether nothing happens until the next is due, or until something is forwarded.
    pub fn is_quiet(&self) -> bool {
        let waits = self.asking || self.in_line || self.verdicts_due > 0 || self.paced_until.is_some();
        self.in_flight.is_empty() && !waits && self.state != State::Loading
    }

    /// Sets the one timer: for what is due next, or else for retiring.
    pub(super) fn set_timer(&mut self, wake: Option<Timestamp>, now: Timestamp, hands: &mut impl Hands) {
        // A clock that was set back must not keep it from retiring.
        if !self.is_quiet() || self.quiet_since > now {
            self.quiet_since = now;
        }
        let (idle, idle_for) = (hands.policy().idle, self.quiet_since.until(now));
        if self.is_quiet() && (idle_for >= idle || hands.is_crowded()) {
            self.resting = true;
            let (at, incarnation, heard) = (self.at, self.incarnation, self.heard);
            hands.report(Report::Idle { at, incarnation, heard, next_due: wake });
        }
        let retire = now.after(idle.saturating_sub(idle_for));
        let retire = if retire > now { retire } else { now.after(idle) };
        let at = wake.map_or(retire, |wake| wake.min(retire));
        if self.timer.is_some_and(|set| set > now && set <= at) {
            return;
        }
        self.timer = Some(at);
        hands.set_timer(now.until(at));
    }
}
