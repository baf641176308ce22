//! How many of an endpoint's deliveries stand where.

use crate::account::AccountId;
use crate::store::history::DeliveryStatus;
use crate::subscription::Subscription;

use super::{Hookyard, Listed, LookupError, Narrowed, Order, Stretch};

/// How many deliveries are looked at in one go.
const STEP: usize = 4_096;
/// How many are looked at in all; beyond them the counters say it, at the same cost for any number.
const LOOKED_AT: u64 = 16_384;

/// How many deliveries to an endpoint stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub delivered: u64,
    /// Those that wait for their first attempt.
    pub waiting: u64,
    /// Those that were attempted and will be again.
    pub retrying: u64,
    pub dead: u64,
}

impl Standing {
    fn all(self) -> u64 {
        self.delivered + self.waiting + self.retrying + self.dead
    }
}

impl Hookyard {
    /// How many of the deliveries to an endpoint stand where, by when their events were accepted.
    ///
    /// Up to some 16,000 each is looked at, and the count is exact. Of more, those that were delivered are counted by the
    /// hour in which that was, or by the day where that is more than a week ago; and what waits or is dead is counted
    /// whenever its event was accepted.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn standing(
        &self,
        account: &AccountId,
        endpoint: &Subscription,
        narrowed: &Narrowed,
    ) -> Result<Standing, LookupError> {
        let (mut counted, mut behind) = (Standing::default(), None);
        while counted.all() < LOOKED_AT {
            let stretch = Stretch { order: Order::Descending, behind, limit: STEP };
            let listed = self.deliveries_of_endpoint(account, endpoint, narrowed, None, stretch, |_| true);
            let Listed { items, more } = listed.await?;
            for delivery in &items {
                *match delivery.status {
                    DeliveryStatus::Delivered => &mut counted.delivered,
                    DeliveryStatus::Dead => &mut counted.dead,
                    DeliveryStatus::Pending if delivery.attempts > 0 => &mut counted.retrying,
                    DeliveryStatus::Pending => &mut counted.waiting,
                } += 1;
            }
            behind = items.last().map(|delivery| delivery.event_id);
            if !more {
                return Ok(counted);
            }
        }
        let (endpoint, period) = (endpoint.clone(), narrowed.accepted);
        let counted = self.look_back(move |reader| {
            // What an earlier version delivered may be in no counter.
            let delivered = reader.attempt_counts(endpoint.no)?.successes_within(period);
            let delivered = delivered.max(counted.delivered);
            let tallies = reader.tallies(std::slice::from_ref(&endpoint))?;
            let tally = tallies.first().copied().unwrap_or_default();
            let waiting = tally.pending - tally.retrying;
            Ok(Standing { delivered, waiting, retrying: tally.retrying, dead: tally.dead })
        });
        Ok(counted.await?)
    }
}
