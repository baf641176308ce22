//! Attempts that this machine could not make: they count for nothing and are made a little later.

use std::time::Duration;

use tracing::warn;

use crate::clock::Timestamp;
use crate::health::Health;
use crate::id::EventNo;
use crate::store::{Lane, Retry};
use crate::subscriber::hands::{Delivery, Hands};

use super::{Dispatcher, InFlight, State};

/// How long nothing is tried after an attempt could not be made.
const WAIT: Duration = Duration::from_secs(1);

impl<Endpoint, Task> Dispatcher<Endpoint, Task> {
    /// An attempt could not be made, for want of open files, ports or memory. The store knows the delivery as it was.
    pub fn unable(
        &mut self,
        event: EventNo,
        now: Timestamp,
        hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>,
    ) {
        let Some(InFlight { delivery, again, .. }) = self.land(event) else {
            return;
        };
        hands.figures().unable.inc();
        if self.unable_until.is_none() {
            warn!(
                subscription = self.at.subscription.0,
                "cannot connect for want of open files, ports or memory"
            );
        }
        self.unable_until = Some(now.after(WAIT));
        match self.state {
            // It is read again with everything else when there is something to serve.
            State::Paused | State::Deactivated => {}
            // The answer that is on its way may not know of it: the next one does.
            State::Loading => return self.load(hands),
            _ if !self.is_of_this_life(&delivery) => return self.reload(hands),
            _ => self.put_back(delivery, again, now),
        }
        self.pump(now, hands);
    }

    fn put_back(&mut self, delivery: Delivery, again: bool, now: Timestamp) {
        let Delivery { event, generation, attempts, retries, lane } = delivery;
        let (retries, lane) = if again { (0, Lane::Replay) } else { (retries, lane) };
        let due = now.after(WAIT);
        self.retries.add(lane, Retry { due, event, generation, attempts, retries, given_up: false });
    }

    /// The health, which also waits until another attempt may be tried, or begin. A clock that was set back does not prolong
    /// that.
    pub(super) fn health_if_able(&self, now: Timestamp) -> Health {
        let unable_until = self.unable_until.filter(|until| *until <= now.after(WAIT));
        let hold_until = self.health.hold_until.max(unable_until).max(self.throttled_until);
        Health { hold_until, ..self.health }
    }
}
