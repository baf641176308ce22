//! Attempts: looking at them one by one.

use crate::account::AccountId;
use crate::attempt::Attempt;
use crate::id::{AccountNo, AttemptId, EndpointId, EventId, EventNo, SubscriptionNo};
use crate::store::Address;
use crate::store::history::{self, NEWEST, Period, Place, Topics};
use crate::subscription::Subscription;

use super::walking::{Between, oldest_first};
use super::{Delivery, Hookyard, Listed, LookupError, Order, Stretch, Unavailable};

/// How many deliveries are looked at in one go to find attempts.
const STEP: usize = 100;

/// An attempt and the delivery that it is one of.
#[derive(Clone, Debug)]
pub struct Made {
    pub id: AttemptId,
    pub attempt: Attempt,
    pub delivery: Delivery,
}

/// A delivery with the endpoint that it is for.
#[derive(Clone, Debug)]
pub struct Destination {
    pub delivery: Delivery,
    pub endpoint: Subscription,
}

/// Narrows a list of an endpoint's attempts or deliveries by their events.
#[derive(Clone, Debug)]
pub struct Narrowed {
    pub topics: Topics,
    /// When the events were accepted.
    pub accepted: Period,
    /// Leaves out the router's own events, which tell of other accounts.
    pub hide_own: bool,
}

impl Hookyard {
    /// All attempts to deliver an event that are still known, newest first.
    ///
    /// # Errors
    /// When the account has no such event.
    pub async fn attempts_of_event(
        &self,
        account: &AccountId,
        id: EventId,
    ) -> Result<Vec<Made>, LookupError> {
        let history = self.event(account, id).await?;
        let mut made: Vec<Made> = history.deliveries.iter().flat_map(|one| self.made(one)).collect();
        made.sort_by_key(|one| std::cmp::Reverse((one.attempt.at, one.attempt.n, one.id)));
        Ok(made)
    }

    /// A stretch of the attempts made at an endpoint that `keep` keeps: by their events, and by number for each.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn attempts_of_endpoint(
        &self,
        account: &AccountId,
        endpoint: &Subscription,
        narrowed: &Narrowed,
        stretch: Stretch<AttemptId>,
        keep: impl Fn(&Attempt) -> bool,
    ) -> Result<Listed<Made>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let Stretch { order, behind, limit } = stretch;
        let behind = behind.map(|id| self.0.seal.open_attempt(&id));
        let mut found: Vec<Made> = Vec::new();
        // The delivery of the attempt that is named may have more of them.
        let mut from = behind.map(|(event, _, _)| match order {
            Order::Ascending => EventNo(event.0.saturating_sub(1)),
            Order::Descending => event.next(),
        });
        loop {
            let stretch = Stretch { order, behind: from, limit: STEP };
            let Listed { items, more } =
                self.deliveries_to(account, endpoint.no, narrowed, None, stretch).await?;
            from = items.last().map(|delivery| self.event_no(delivery)).or(from);
            for delivery in &items {
                let event = self.event_no(delivery);
                let is_behind = |n: u16| match behind {
                    Some((named, _, than)) if named == event && order == Order::Ascending => n > than,
                    Some((named, _, than)) if named == event => n < than,
                    _ => true,
                };
                let mut made: Vec<Made> =
                    self.made(delivery).filter(|one| is_behind(one.attempt.n)).collect();
                if order == Order::Descending {
                    made.reverse();
                }
                found.extend(made.into_iter().filter(|one| keep(&one.attempt)));
            }
            if found.len() > limit || !more {
                return Ok(Listed::of(found, limit));
            }
        }
    }

    /// An attempt by its id.
    ///
    /// # Errors
    /// When the account has none with this id.
    pub async fn attempt(&self, account: &AccountId, id: AttemptId) -> Result<Made, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let (event, subscription, _) = self.0.seal.open_attempt(&id);
        let at = Address { account, subscription };
        let found =
            self.look_back(move |reader| reader.delivery(at, event)).await?.ok_or(LookupError::NotFound)?;
        let delivery = Delivery::of(found, &self.0.seal, self.0.store.now());
        // The numbers in an id are only a hint; the id that they make must be this one.
        self.made(&delivery).find(|made| made.id == id).ok_or(LookupError::NotFound)
    }

    /// A stretch of the deliveries to an endpoint that are of a status and that `keep` keeps, in the order of their events.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn deliveries_of_endpoint(
        &self,
        account: &AccountId,
        endpoint: &Subscription,
        narrowed: &Narrowed,
        status: Option<history::DeliveryStatus>,
        stretch: Stretch<EventId>,
        keep: impl Fn(&Delivery) -> bool,
    ) -> Result<Listed<Delivery>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let Stretch { order, mut behind, limit } = stretch.map(|id| EventNo(self.0.seal.open(&id).0));
        let mut found = Vec::new();
        loop {
            let stretch = Stretch { order, behind, limit: STEP.max(limit + 1) };
            let Listed { items, more } =
                self.deliveries_to(account, endpoint.no, narrowed, status, stretch).await?;
            behind = items.last().map(|delivery| self.event_no(delivery)).or(behind);
            found.extend(items.into_iter().filter(&keep));
            if found.len() > limit || !more {
                return Ok(Listed::of(found, limit));
            }
        }
    }

    /// A stretch of the deliveries of an event with the endpoints that they are for, by these.
    ///
    /// # Errors
    /// When the account has no such event.
    pub async fn destinations(
        &self,
        account: &AccountId,
        id: EventId,
        stretch: Stretch<EndpointId>,
    ) -> Result<Listed<Destination>, LookupError> {
        let mut deliveries = self.event(account, id).await?.deliveries;
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let Stretch { order, behind, limit } = stretch.map(|id| self.0.seal.open(&id).0);
        let no = |delivery: &Delivery| self.0.seal.open(&delivery.hook_id).0;
        deliveries.retain(|delivery| match (order, behind) {
            (_, None) => true,
            (Order::Ascending, Some(behind)) => no(delivery) > behind,
            (Order::Descending, Some(behind)) => no(delivery) < behind,
        });
        deliveries.sort_by_key(|delivery| no(delivery));
        if order == Order::Descending {
            deliveries.reverse();
        }
        let Listed { items, more } = Listed::of(deliveries, limit);
        let mut destinations = Vec::with_capacity(items.len());
        for delivery in items {
            if let Some(endpoint) = self.record(account, delivery.hook_id).await? {
                destinations.push(Destination { delivery, endpoint });
            }
        }
        Ok(Listed { items: destinations, more })
    }

    async fn deliveries_to(
        &self,
        account: AccountNo,
        subscription: SubscriptionNo,
        narrowed: &Narrowed,
        status: Option<history::DeliveryStatus>,
        stretch: Stretch<EventNo>,
    ) -> Result<Listed<Delivery>, Unavailable> {
        let Stretch { order, behind, limit } = stretch;
        let read = |above: EventNo, below: Place| {
            let Narrowed { topics, accepted, hide_own } = narrowed.clone();
            let query = history::DeliveryQuery {
                account,
                subscription: Some(subscription),
                event: None,
                topics,
                hide_own,
                status,
                accepted,
                above,
                below,
                limit,
            };
            async move {
                let Listed { items, more } = self.look_back(move |reader| reader.deliveries(&query)).await?;
                let now = self.0.store.now();
                let items = items.into_iter().map(|one| Delivery::of(one, &self.0.seal, now)).collect();
                Ok(Listed { items, more })
            }
        };
        // A place in which there is no delivery: before those of its event.
        let before = |event: EventNo| (event, SubscriptionNo(0));
        match order {
            Order::Descending => read(EventNo(0), behind.map_or(NEWEST, before)).await,
            Order::Ascending => {
                let newest = self.newest_event().await?;
                let read = |Between { above, below }| read(above, before(below));
                let place = |delivery: &Delivery| self.event_no(delivery);
                oldest_first(behind.unwrap_or_default(), newest, limit, place, |_| 0, read).await
            }
        }
    }

    pub(super) async fn newest_event(&self) -> Result<EventNo, Unavailable> {
        self.read(|reader| Ok(reader.newest_event())).await
    }

    fn event_no(&self, delivery: &Delivery) -> EventNo {
        EventNo(self.0.seal.open(&delivery.event_id).0)
    }

    /// The attempts of a delivery, in order.
    fn made<'a>(&'a self, delivery: &'a Delivery) -> impl Iterator<Item = Made> + 'a {
        let subscription = SubscriptionNo(self.0.seal.open::<crate::id::OfHook>(&delivery.hook_id).0);
        delivery.log.iter().map(move |attempt| Made {
            id: self.0.seal.close_attempt(&delivery.event_id, subscription, attempt.n),
            attempt: attempt.clone(),
            delivery: delivery.clone(),
        })
    }
}
