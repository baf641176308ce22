//! The hands of a simulated subscriber: they note what is to be done, and the world does it afterwards.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::id::AccountNo;
use crate::metrics::Metrics;
use crate::metrics::attempts::Attempts;
use crate::store::Settlement;
use crate::subscriber::hands::{Delivery, Hands, News};
use crate::subscriber::question::Question;
use crate::subscriber::slots::{Slot, Slots, Taken};
use crate::subscriber::{Policy, Report};
use crate::subscription::Subscription;

use super::mail::{Dropped, InLine, Task, Turns};

/// The hands of one subscriber, while it handles a message.
pub struct Noting<'a> {
    pub subscriber: u64,
    pub account: AccountNo,
    pub policy: &'a Policy,
    pub is_crowded: bool,
    pub metrics: &'a Metrics,
    pub store_has_failed: bool,
    pub slots: &'a Slots<InLine>,
    pub turns: &'a Turns,
    pub dropped: &'a Dropped,
    pub next_task: &'a mut u64,
    pub deeds: &'a mut Vec<Deed>,
}

/// Something to be done.
pub enum Deed {
    Attempt {
        task: u64,
        receiver: usize,
        delivery: Delivery,
        event: Option<Arc<Recorded>>,
        slot: Slot<InLine>,
    },
    Settle(Settlement),
    Ask(u64, Question),
    Report(Report),
    SetTimer(Duration),
    Die,
}

impl Hands for Noting<'_> {
    /// The number of the receiver.
    type Endpoint = usize;
    type Slot = Slot<InLine>;
    type Task = Task;

    fn policy(&self) -> &Policy {
        self.policy
    }

    fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    fn figures(&self) -> &Attempts {
        &self.metrics.attempts
    }

    fn store_has_failed(&self) -> bool {
        self.store_has_failed
    }

    fn prepare(&mut self, subscription: &Subscription) -> Option<usize> {
        let host = subscription.url.url().host_str()?;
        host.strip_prefix("receiver-")?.strip_suffix(".example")?.parse().ok()
    }

    fn admit(&mut self, _: Timestamp) -> Result<(), Timestamp> {
        Ok(())
    }

    fn take_slot_or_wait(&mut self, held: usize) -> Taken<Self::Slot> {
        let turns = self.turns.clone();
        self.slots.take_or_wait(self.account, held, || InLine { subscriber: self.subscriber, turns })
    }

    fn attempt(
        &mut self,
        receiver: &usize,
        delivery: Delivery,
        event: Option<Arc<Recorded>>,
        slot: Self::Slot,
    ) -> Task {
        *self.next_task += 1;
        let task = *self.next_task;
        self.deeds.push(Deed::Attempt { task, receiver: *receiver, delivery, event, slot });
        Task { number: task, dropped: self.dropped.clone() }
    }

    fn settle(&mut self, settlement: Settlement) {
        self.deeds.push(Deed::Settle(settlement));
    }

    fn settle_and_tell(&mut self, settlement: Settlement, _: &Subscription, _: News) {
        self.settle(settlement);
    }

    fn ask(&mut self, number: u64, question: Question) {
        self.deeds.push(Deed::Ask(number, question));
    }

    fn report(&mut self, report: Report) {
        self.deeds.push(Deed::Report(report));
    }

    fn set_timer(&mut self, wait: Duration) {
        self.deeds.push(Deed::SetTimer(wait));
    }

    fn die(&mut self) {
        self.deeds.push(Deed::Die);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rules;
    use super::*;
    use crate::attempt::{Attempt, Outcome};
    use crate::filter::Filter;
    use crate::health::Health;
    use crate::id::{EventNo, HookId, SubscriptionNo};
    use crate::store::{Address, Backlog, Lane, Lanes};
    use crate::subscriber::Start;
    use crate::subscriber::dispatcher::Dispatcher;
    use crate::subscriber::question::{Answer, Loaded};
    use crate::subscription::{DeliveryPolicy, Envelope, Generation, Profile, Secret, Status};

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const NOW: Timestamp = Timestamp(1_000_000);

    /// A dispatcher with a window of one delivery, and what it did.
    struct Alone {
        dispatcher: Dispatcher<usize, Task>,
        policy: Policy,
        metrics: Metrics,
        slots: Slots<InLine>,
        question: u64,
        started: Vec<u64>,
        next_task: u64,
    }

    impl Alone {
        fn begun() -> Self {
            let mut policy = Rules::draw(&mut StdRng::seed_from_u64(0)).policy;
            (policy.window, policy.max_in_flight, policy.probe_after) = (1, 8, 8);
            let at = Address { account: AccountNo(1), subscription: SubscriptionNo(1) };
            let mut alone = Self {
                dispatcher: Dispatcher::new(at, 1, Start::FromStore, policy.window, NOW),
                policy,
                metrics: Metrics::new(),
                slots: Slots::new(64),
                question: 0,
                started: Vec::new(),
                next_task: 0,
            };
            alone.tell(|dispatcher, hands| dispatcher.load(hands));
            alone
        }

        fn tell(&mut self, what: impl FnOnce(&mut Dispatcher<usize, Task>, &mut Noting<'_>)) {
            let mut deeds = Vec::new();
            let mut hands = Noting {
                subscriber: 1,
                account: AccountNo(1),
                policy: &self.policy,
                is_crowded: false,
                metrics: &self.metrics,
                store_has_failed: false,
                slots: &self.slots,
                turns: &Turns::default(),
                dropped: &Dropped::default(),
                next_task: &mut self.next_task,
                deeds: &mut deeds,
            };
            what(&mut self.dispatcher, &mut hands);
            for deed in deeds {
                match deed {
                    Deed::Ask(number, _) => self.question = number,
                    Deed::Attempt { delivery, .. } => self.started.push(delivery.event.0),
                    _ => {}
                }
            }
        }

        fn answer(&mut self, answer: Answer) {
            let number = self.question;
            self.tell(|dispatcher, hands| dispatcher.answered(number, Ok(answer), NOW, hands));
        }

        fn succeed(&mut self, event: u64) {
            let outcome = Outcome::Answered { status: 200, retry_after: None };
            let (at, response) = (NOW, bytes::Bytes::new());
            let attempt = Attempt { n: 1, at, asked: false, outcome, duration_ms: 1, response };
            self.tell(|dispatcher, hands| {
                dispatcher.over(EventNo(event), Some(attempt), 0.0, NOW, hands);
            });
        }
    }

    fn backlog(event: u64, more: bool) -> Backlog {
        let waiting = vec![(Recorded::numbered(event, Arc::default()), Generation(0))];
        Backlog { waiting, through: EventNo(event), more }
    }

    fn loaded(backlog: Backlog) -> Answer {
        let nothing = Backlog { waiting: Vec::new(), through: backlog.through, more: false };
        let subscription = Subscription {
            no: SubscriptionNo(1),
            id: HookId::from_bytes([0; 20]),
            account: AccountNo(1),
            url: "https://receiver-0.example/".parse().unwrap(),
            filter: Filter::one("new_lead".parse().unwrap()),
            condition: None,
            secret: Secret::generate(),
            envelope: Envelope::Documented,
            previous_secrets: Vec::new(),
            headers: Default::default(),
            client_certificate: None,
            status: Status::Active,
            generation: Generation(0),
            floor: Generation(0),
            profile: Profile::default(),
            delivery: DeliveryPolicy::default(),
            created_at: NOW,
            updated_at: NOW,
        };
        Answer::Start(Box::new(Loaded {
            subscription: Some(subscription),
            health: Health::default(),
            retries: Lanes::default(),
            backlog: Lanes { fresh: Some(backlog), replay: Some(nothing) },
        }))
    }

    /// Two deliveries are in flight, all is read afresh, and only the first of them is in the window.
    fn reading_on() -> Alone {
        let mut alone = Alone::begun();
        alone.answer(loaded(backlog(1, true)));
        alone.answer(Answer::More(Lane::Fresh, backlog(2, false)));
        assert_eq!(alone.started, [1, 2]);
        alone.tell(|dispatcher, hands| dispatcher.changed(false, hands));
        alone.answer(loaded(backlog(1, true)));
        alone
    }

    #[test]
    fn what_is_read_on_while_it_is_in_flight_is_not_attempted_again() {
        let mut alone = reading_on();
        alone.answer(Answer::More(Lane::Fresh, backlog(2, false)));
        alone.succeed(1);
        alone.succeed(2);
        assert_eq!(alone.started, [1, 2]);
    }

    #[test]
    fn what_ended_while_it_was_read_on_is_not_attempted_again() {
        let mut alone = reading_on();
        alone.succeed(2);
        alone.answer(Answer::More(Lane::Fresh, backlog(2, false)));
        assert_eq!(alone.started, [1, 2]);
    }
}
