//! The survey of a window: which of its deliveries are to come, and which are dead letters. It changes nothing.
//!
//! It goes through the pages, then through the retries, from one subscription that has any to the next, and looks only
//! at what falls into the window. A delivery that moves meanwhile, or comes back, is noted in the window by the commit
//! that moves it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::id::{EventNo, SubscriptionNo};
use crate::store::ledger::blocks::EventReader;
use crate::store::ledger::history::waiting::Waiting;
use crate::store::ledger::keys::Pair;
use crate::store::ledger::pages::page_of;
use crate::store::ledger::retention::window::Window;
use crate::store::ledger::retention::{STEP_ROWS, Step};
use crate::store::ledger::shared::Shared;
use crate::store::ledger::values::Value;
use crate::store::{Address, Error, Reader, Retry};
use crate::subscription::Subscription;

/// What a page costs, in rows: it is decoded as a whole.
const PAGE_COST: usize = if cfg!(test) { 1 } else { 8 };

/// Where a survey is.
pub struct Survey {
    kind: Pair,
    subscription: SubscriptionNo,
    event: EventNo,
}

/// The subscriptions that deliveries belong to.
pub struct Owners<'a> {
    shared: &'a Shared,
    events: EventReader<'a>,
    known: HashMap<SubscriptionNo, Option<Subscription>>,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    ToCome,
    DeadLetter,
    /// It belongs to a hook that is gone, whose rows are swept.
    Swept,
}

impl Default for Survey {
    fn default() -> Self {
        Self { kind: Pair::Page, subscription: SubscriptionNo(0), event: EventNo(0) }
    }
}

impl Step<'_> {
    /// Looks at some of what waits; says whether there is more.
    pub fn survey(&self, window: &mut Window, survey: &mut Survey) -> Result<bool, Error> {
        let mut owners = Owners::of(self.shared);
        let mut cost = 0;
        while cost < STEP_ROWS {
            if !self.look(survey, window, &mut owners)? {
                return Ok(false);
            }
            cost += if survey.kind == Pair::Page { PAGE_COST } else { 1 };
        }
        Ok(true)
    }

    /// Looks at the next row; says whether there may be another.
    fn look(&self, survey: &mut Survey, window: &mut Window, owners: &mut Owners<'_>) -> Result<bool, Error> {
        let rows = survey.kind.from(survey.subscription, survey.event);
        let Some(key) = self.shared.table.range(rows).keys().next() else {
            let was = std::mem::replace(&mut survey.kind, Pair::Retry);
            (survey.subscription, survey.event) = (SubscriptionNo(0), EventNo(0));
            return Ok(was == Pair::Page);
        };
        let (subscription, event) =
            Pair::read(&key?).ok_or_else(|| Error::damaged("the key of what waits"))?;
        let events = window.events();
        if event.0 >= events.end {
            (survey.subscription, survey.event) = (SubscriptionNo(subscription.0 + 1), EventNo(0));
            return Ok(true);
        }
        let from = event.max(EventNo(events.start));
        match survey.kind {
            Pair::Retry => self.look_at_retry(subscription, from, window, owners)?,
            _ => self.look_at_page(subscription, from, window, owners)?,
        }
        (survey.subscription, survey.event) = (subscription, from.next());
        Ok(true)
    }

    fn look_at_retry(
        &self,
        subscription: SubscriptionNo,
        event: EventNo,
        window: &mut Window,
        owners: &mut Owners<'_>,
    ) -> Result<(), Error> {
        let row = self.shared.table.get(Pair::Retry.key(subscription, event))?;
        match row {
            Some(row) => {
                let retry = Retry::decode(&row, event)?;
                note(window, owners, subscription, event, Waiting::Retry(retry))
            }
            None => Ok(()),
        }
    }

    /// Looks at the page that an event falls into.
    fn look_at_page(
        &self,
        subscription: SubscriptionNo,
        event: EventNo,
        window: &mut Window,
        owners: &mut Owners<'_>,
    ) -> Result<(), Error> {
        let Some(page) = page_of(&self.shared.table, subscription, event)? else {
            return Ok(());
        };
        for (event, generation) in page.waiting() {
            if window.events().contains(&event.0) {
                note(window, owners, subscription, event, Waiting::First { generation })?;
            }
        }
        Ok(())
    }
}

fn note(
    window: &mut Window,
    owners: &mut Owners<'_>,
    subscription: SubscriptionNo,
    event: EventNo,
    waiting: Waiting,
) -> Result<(), Error> {
    // What is promised stays as it is.
    if !window.is_promised(event) {
        match owners.fate(subscription, event, waiting)? {
            Fate::ToCome => window.keep(event, subscription, waiting.generation()),
            Fate::DeadLetter => window.bury(event, subscription),
            Fate::Swept => {}
        }
    }
    Ok(())
}

impl<'a> Owners<'a> {
    pub fn of(shared: &'a Shared) -> Self {
        let events = EventReader::new(&shared.table, &shared.seal);
        Self { shared, events, known: HashMap::new() }
    }

    /// What becomes of a delivery that waits.
    pub fn fate(
        &mut self,
        subscription: SubscriptionNo,
        event: EventNo,
        waiting: Waiting,
    ) -> Result<Fate, Error> {
        Ok(match self.owner(subscription, event)? {
            None => Fate::Swept,
            Some(owner) if waiting.is_live(owner) => Fate::ToCome,
            Some(_) => Fate::DeadLetter,
        })
    }

    /// The subscription that waits for an event; its record lies with the event's account.
    fn owner(
        &mut self,
        subscription: SubscriptionNo,
        event: EventNo,
    ) -> Result<Option<&Subscription>, Error> {
        let vacant = match self.known.entry(subscription) {
            Entry::Occupied(known) => return Ok(known.into_mut().as_ref()),
            Entry::Vacant(vacant) => vacant,
        };
        let Some(account) = self.events.account(event)? else {
            return Ok(None);
        };
        let owner = self.shared.subscription(Address { account, subscription })?;
        Ok(vacant.insert(owner).as_ref())
    }
}
