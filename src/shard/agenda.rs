//! The agenda: when each subscription that nobody serves is due. Pure.

use std::collections::{BTreeSet, HashMap};

use crate::clock::Timestamp;
use crate::id::SubscriptionNo;
use crate::store::Address;

/// Subscriptions by the time at which their next delivery is due.
#[derive(Debug, Default)]
pub struct Agenda {
    by_due: BTreeSet<(Timestamp, Address)>,
    due: HashMap<SubscriptionNo, Timestamp>,
}

impl Agenda {
    /// Notes that a subscription is due then; the sooner of two notes holds.
    pub fn note(&mut self, at: Address, due: Timestamp) {
        if self.due.get(&at.subscription).is_some_and(|noted| *noted <= due) {
            return;
        }
        self.strike(at);
        self.due.insert(at.subscription, due);
        self.by_due.insert((due, at));
    }

    /// Takes a subscription off the agenda; says whether it was on it.
    pub fn strike(&mut self, at: Address) -> bool {
        let Some(due) = self.due.remove(&at.subscription) else {
            return false;
        };
        self.by_due.remove(&(due, at))
    }

    /// When the next subscription is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.by_due.first().map(|(due, _)| *due)
    }

    /// Takes out the subscription that has been due for longest.
    pub fn take_due(&mut self, now: Timestamp) -> Option<Address> {
        let (_, at) = self.by_due.first().copied().filter(|(due, _)| *due <= now)?;
        self.strike(at);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AccountNo;

    fn at(no: u64) -> Address {
        Address { account: AccountNo(1), subscription: SubscriptionNo(no) }
    }

    #[test]
    fn who_is_due_first_comes_first_and_nobody_early() {
        let mut agenda = Agenda::default();
        agenda.note(at(1), Timestamp(300));
        agenda.note(at(2), Timestamp(100));
        assert_eq!(agenda.take_due(Timestamp(99)), None);
        assert_eq!(agenda.take_due(Timestamp(300)), Some(at(2)));
        assert_eq!(agenda.next_due(), Some(Timestamp(300)));
    }

    #[test]
    fn the_sooner_of_two_notes_holds_until_it_is_struck() {
        let mut agenda = Agenda::default();
        agenda.note(at(1), Timestamp(300));
        agenda.note(at(1), Timestamp(200));
        agenda.note(at(1), Timestamp(400));
        assert_eq!(agenda.next_due(), Some(Timestamp(200)));
        assert!(agenda.strike(at(1)));
        assert!(!agenda.strike(at(1)));
        assert_eq!(agenda.next_due(), None);
    }
}
