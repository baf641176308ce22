//! What a dispatcher starts: all that may be attempted now, and reading on where there is room.

use crate::clock::Timestamp;
use crate::store::{Lane, Retry};
use crate::subscriber::hands::{Delivery, Hands};
use crate::subscriber::pace::Pace;
use crate::subscriber::picking::{Pick, Standing};
use crate::subscriber::question::{Question, Stretch};
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
                    Some(slot) => match self.admit(now, hands) {
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
        let standing = Standing {
            health: self.health_if_able(now),
            in_flight: self.by_lane,
            limit,
            in_order,
            fresh_in_row: self.fresh_in_row,
            retries: &self.retries,
            windows: &self.windows,
        };
        standing.pick(now)
    }

    /// Lets an attempt begin, if its pace does, and that of its account.
    fn admit(&mut self, now: Timestamp, hands: &mut impl Hands) -> Result<(), Timestamp> {
        let pace = self.served.as_ref().and_then(|served| served.pace.as_ref());
        if pace.is_some() {
            // Whoever retires before would begin with a full bucket again.
            self.paced_until = Some(now.after(Pace::MEMORY));
        }
        let pace = pace.filter(|_| !self.has_leave);
        let of_hook = pace.map_or(Ok(()), |pace| pace.admit(now));
        let admitted = of_hook.and_then(|()| hands.admit(now));
        self.has_leave = of_hook.is_ok() && admitted.is_err();
        if admitted.is_err() {
            let figures = hands.figures();
            let figure =
                if of_hook.is_err() { &figures.throttled_by_hook } else { &figures.throttled_by_account };
            figure.inc();
        }
        self.throttled_until = admitted.err();
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
        } else if let Some(served) = &self.served
            && let Some((lane, wanted)) = self.wanted()
        {
            let subscription = Box::new(served.subscription.clone());
            self.ask(Question::More { subscription, lane, wanted }, hands);
        }
    }

    /// What is to be read next of the backlog.
    fn wanted(&self) -> Option<(Lane, Stretch)> {
        Lane::ALL.into_iter().find_map(|lane| Some((lane, self.windows[lane].wants()?)))
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
                Some((lane, Retry { attempts, retries, due, .. })) => {
                    // One that came back with its hook is due at once, and says no more than that.
                    if due > Timestamp(0) {
                        hands.figures().begin(true, due.until(now));
                    }
                    (Delivery { event, generation, attempts, retries, lane }, None)
                }
                None => return,
            },
            Pick::First(lane) => match self.windows[lane].take() {
                Some(event) => {
                    hands.figures().begin(false, hands.since(event.accepted_at, now));
                    (Delivery { event: event.no, generation, attempts: 0, retries: 0, lane }, Some(event))
                }
                None => return,
            },
            Pick::Wait(_) | Pick::Nothing => return,
        };
        self.fresh_in_row = match delivery.lane {
            Lane::Fresh => self.fresh_in_row.saturating_add(1),
            Lane::Replay => {
                hands.figures().replays.inc();
                0
            }
        };
        self.by_lane[delivery.lane] += 1;
        let task = hands.attempt(&served.endpoint, delivery, event, slot);
        self.in_flight.insert(delivery.event, InFlight { delivery, again: false, outdated: false, task });
    }
}
