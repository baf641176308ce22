//! The hands of a simulated subscriber: they note what is to be done, and the world does it afterwards.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Recorded;
use crate::id::AccountNo;
use crate::metrics::Metrics;
use crate::metrics::attempts::Attempts;
use crate::store::Settlement;
use crate::subscriber::hands::{Delivery, Hands};
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
