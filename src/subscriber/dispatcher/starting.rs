//! What a dispatcher starts: all that may be attempted now, and reading on where there is room.

use crate::clock::Timestamp;
use crate::store::Retry;
use crate::subscriber::hands::{Delivery, Hands};
use crate::subscriber::pace::Pace;
use crate::subscriber::picking::{Pick, pick};
use crate::subscriber::question::Question;
use crate::subscriber::slots::Taken;
use crate::subscription::DeliveryPolicy;

use super::{Dispatcher, InFlight, State};

impl<Endpoint, Task> Dispatcher<Endpoint, Task> {
    /// Starts what may be attempted now, and arranges to be woken for the rest.
    pub(super) fn pump<H: Hands<Endpoint = Endpoint, Task = Task>>(&mut self, now: Timestamp, hands: &mut H) {
        self.pump_with(None, now, hands);
    }

    /// It is its turn to have a slot; one that is not needed goes to the next in line.
    pub fn turn<H: Hands<Endpoint = Endpoint, Task = Task>>(
        &mut self,
        slot: H::Slot,
        now: Timestamp,
        hands: &mut H,
    ) {
        self.in_line = false;
        self.pump_with(Some(slot), now, hands);
    }

    fn pump_with<H: Hands<Endpoint = Endpoint, Task = Task>>(
        &mut self,
        mut turn: Option<H::Slot>,
        now: Timestamp,
        hands: &mut H,
    ) {
        let mut wake = None;
        self.throttled_until = self.throttled_until.filter(|until| *until > now);
        self.paced_until = self.paced_until.filter(|until| *until > now);
        while self.may_start(hands) {
            let busy = self.in_flight.len();
            match self.pick(now, hands) {
                Pick::Nothing => break,
                Pick::Wait(until) => {
                    wake = Some(until);
                    break;
                }
                picked => match turn.take().or_else(|| self.get_slot(hands)) {
                    Some(slot) => match self.admit(now) {
                        Ok(()) => self.start_attempt(picked, slot, now, hands),
                        Err(until) => {
                            wake = Some(until);
                            break;
                        }
                    },
                    None => break,
                },
            }
            if self.in_flight.len() == busy {
                break;
            }
        }
        self.read_on(hands);
        self.change_state(wake);
        self.set_timer(wake, now, hands);
    }

    fn may_start(&self, hands: &impl Hands) -> bool {
        let serving = matches!(self.state, State::Idle | State::Sending | State::Probing);
        serving && !self.resting && !hands.store_has_failed()
    }

    fn pick(&self, now: Timestamp, hands: &impl Hands) -> Pick {
        let (configured, own) = (hands.policy().max_in_flight, self.delivery_policy());
        let limit = own.map_or(configured, |own| own.in_flight_limit(configured));
        let in_order = own.is_some_and(DeliveryPolicy::is_ordered);
        let (health, in_flight) = (self.health_if_able(now), self.in_flight.len());
        pick(health, in_flight, limit, in_order, &self.retries, &self.window, now)
    }

    /// Lets an attempt begin, if its pace does.
    fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let Some(pace) = self.served.as_ref().and_then(|served| served.pace.as_ref()) else {
            return Ok(());
        };
        let admitted = pace.admit(now);
        self.throttled_until = admitted.err();
        // Whoever retires before would begin with a full bucket again.
        self.paced_until = Some(now.after(Pace::MEMORY));
        admitted
    }

    /// A slot, or else a place in the line for one.
    fn get_slot<H: Hands>(&mut self, hands: &mut H) -> Option<H::Slot> {
        if self.in_line {
            return None;
        }
        match hands.take_slot_or_wait(self.in_flight.len()) {
            Taken::Slot(slot) => return Some(slot),
            Taken::InLine => self.in_line = true,
            // The end of an attempt in flight wakes it.
            Taken::Later => {}
        }
        None
    }

    /// Reads more of the backlog when there is room for it, or the next retries when the last are done.
    fn read_on<H: Hands<Endpoint = Endpoint, Task = Task>>(&mut self, hands: &mut H) {
        if self.asking || !self.may_start(hands) {
            return;
        }
        if self.retries.want_more() {
            self.reload(hands);
        } else if let (Some(wanted), Some(served)) = (self.window.wants(), &self.served) {
            let subscription = Box::new(served.subscription.clone());
            self.ask(Question::More { subscription, wanted }, hands);
        }
    }

    fn start_attempt<H: Hands<Endpoint = Endpoint, Task = Task>>(
        &mut self,
        picked: Pick,
        slot: H::Slot,
        now: Timestamp,
        hands: &mut H,
    ) {
        let Some(served) = &self.served else {
            return;
        };
        let generation = served.subscription.generation;
        let (delivery, event) = match picked {
            Pick::Retry(event) => match self.retries.take(event) {
                Some(Retry { attempts, retries, due, .. }) => {
                    // One that came back with its hook is due at once, and says no more than that.
                    if due > Timestamp(0) {
                        hands.figures().begin(true, due.until(now));
                    }
                    (Delivery { event, generation, attempts, retries }, None)
                }
                None => return,
            },
            _ => match self.window.take() {
                Some(event) => {
                    hands.figures().begin(false, hands.since(event.accepted_at, now));
                    (Delivery { event: event.no, generation, attempts: 0, retries: 0 }, Some(event))
                }
                None => return,
            },
        };
        let task = hands.attempt(&served.endpoint, delivery, event, slot);
        self.in_flight.insert(delivery.event, InFlight { delivery, again: false, outdated: false, task });
    }
}
