//! Credits: what bounds the work in flight, in events and in bytes.
//!
//! A mailbox bounds nothing, so whoever emits takes a credit first. It returns, by being dropped, once the event is
//! committed and each of its matches is in a subscriber's window or left to the store.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Bytes are counted in units of this many, so that a semaphore's range is enough.
const UNIT: usize = 1024;

/// The credits of one router.
#[derive(Clone, Debug)]
pub struct Credits {
    events: Arc<Semaphore>,
    units: Arc<Semaphore>,
    limit: (usize, usize),
}

/// Leave to have some events in flight; given back when dropped.
#[derive(Debug)]
pub struct Credit {
    _events: OwnedSemaphorePermit,
    _units: OwnedSemaphorePermit,
}

/// No credit is left, or none is given any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCredit {
    /// Too much is in flight at this moment.
    Spent,
    /// The router is stopping.
    Closed,
}

impl Credits {
    /// Credits for so many events and bytes in flight.
    pub fn new(events: usize, bytes: usize) -> Self {
        let limit = (events.clamp(1, 1 << 28), bytes.div_ceil(UNIT).clamp(1, 1 << 28));
        Self { events: Arc::new(Semaphore::new(limit.0)), units: Arc::new(Semaphore::new(limit.1)), limit }
    }

    /// Waits until so many events of so many bytes may be in flight. What exceeds the whole is let through alone.
    pub async fn take(&self, events: usize, bytes: usize) -> Result<Credit, NoCredit> {
        let closed = |_: AcquireError| NoCredit::Closed;
        let (events, units) = self.amount(events, bytes);
        let _events = self.events.clone().acquire_many_owned(events).await.map_err(closed)?;
        let _units = self.units.clone().acquire_many_owned(units).await.map_err(closed)?;
        Ok(Credit { _events, _units })
    }

    /// The same without waiting.
    pub fn try_take(&self, events: usize, bytes: usize) -> Result<Credit, NoCredit> {
        let refused = |error| match error {
            TryAcquireError::Closed => NoCredit::Closed,
            TryAcquireError::NoPermits => NoCredit::Spent,
        };
        let (events, units) = self.amount(events, bytes);
        let _events = self.events.clone().try_acquire_many_owned(events).map_err(refused)?;
        let _units = self.units.clone().try_acquire_many_owned(units).map_err(refused)?;
        Ok(Credit { _events, _units })
    }

    /// Gives no more credits; who waits for one is told so.
    pub fn close(&self) {
        self.events.close();
        self.units.close();
    }

    /// How many events, and how many bytes of them, may be added to what is in flight now.
    pub fn left(&self) -> (usize, usize) {
        (self.events.available_permits(), self.units.available_permits() * UNIT)
    }

    /// The same when nothing is in flight.
    pub fn limit(&self) -> (usize, usize) {
        (self.limit.0, self.limit.1 * UNIT)
    }

    /// Whether credits are still given.
    pub fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    fn amount(&self, events: usize, bytes: usize) -> (u32, u32) {
        let units = bytes.div_ceil(UNIT);
        (events.clamp(1, self.limit.0) as u32, units.clamp(1, self.limit.1) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_comes_back_when_it_is_dropped() {
        let credits = Credits::new(2, 4096);
        let first = credits.try_take(2, 10).unwrap();
        assert_eq!(credits.try_take(1, 10).unwrap_err(), NoCredit::Spent);
        assert_eq!(credits.left(), (0, 3 * UNIT));
        drop(first);
        assert_eq!(credits.left(), credits.limit());
        assert!(credits.try_take(1, 1 << 40).is_ok(), "what exceeds the whole is let through alone");
        credits.close();
        assert_eq!(credits.try_take(1, 1).unwrap_err(), NoCredit::Closed);
    }
}
