//! Credits: what bounds the work in flight, in events and in bytes, and shares it between accounts.
//!
//! A mailbox bounds nothing, so whoever emits takes a credit first. It returns, by being dropped, once the event is
//! committed and each of its matches is in a subscriber's window or left to the store.
//!
//! A credit has two parts. *Room* is memory: without it the emitter is refused or waits. With it, the event waits for
//! its turn to go *under way* to the disk, account by account, and so few are under way at a time that whoever comes
//! next is soon through; fewer still of one account while others are active.

mod contention;
mod pool;

use std::time::Instant;

pub use self::contention::Contention;
use self::pool::{Amount, Held, Pool};
use crate::id::AccountNo;

/// Bytes are counted in units of this many.
const UNIT: usize = 1024;
/// The most events under way: a commit of so many takes a few milliseconds.
const UNDER_WAY: Amount = Amount { events: 1_024, units: (2 << 20) / UNIT };
/// What a larger call counts as, so that others still find their way beside it.
const CALL_UNDER_WAY: Amount = Amount { events: 192, units: (768 << 10) / UNIT };

/// The credits of one router; clones share them.
#[derive(Clone, Debug)]
pub struct Credits {
    room: Pool,
    under_way: Pool,
}

/// Room for some events that are not under way yet; given back when dropped.
#[derive(Debug)]
pub struct Room(Held);

/// Leave to have some events in flight; given back when dropped.
#[derive(Debug)]
pub struct Credit {
    /// Of what may be under way, and of the room.
    _held: Box<[Held; 2]>,
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
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::sharing(events, bytes, Contention::new(processors, Instant::now))
    }

    /// The same, with accounts held to what `contention` says while others are active.
    pub fn sharing(events: usize, bytes: usize, contention: Contention) -> Self {
        let under_way = Pool::contended(UNDER_WAY, contention);
        Self { room: Pool::new(amount(events, bytes)), under_way }
    }

    /// Waits for room for so many events of so many bytes. What exceeds the whole is let through alone.
    pub async fn room(&self, account: AccountNo, events: usize, bytes: usize) -> Result<Room, NoCredit> {
        self.room.take(account, amount(events, bytes)).await.map(Room)
    }

    /// The same without waiting.
    pub fn room_now(&self, account: AccountNo, events: usize, bytes: usize) -> Result<Room, NoCredit> {
        self.room.try_take(account, amount(events, bytes)).map(Room)
    }

    /// Waits until what there is room for may go under way.
    pub async fn turn(&self, Room(room): Room) -> Result<Credit, NoCredit> {
        let under_way = self.under_way.take(room.account(), room.amount().at_most(CALL_UNDER_WAY)).await?;
        Ok(Credit { _held: Box::new([under_way, room]) })
    }

    /// Gives no more credits; who waits for one is told so.
    pub fn close(&self) {
        self.room.close();
        self.under_way.close();
    }

    /// How many events, and how many bytes of them, may be added to what is in flight now.
    pub fn left(&self) -> (usize, usize) {
        in_bytes(self.room.left())
    }

    /// The same when nothing is in flight.
    pub fn limit(&self) -> (usize, usize) {
        in_bytes(self.room.limit())
    }

    /// Whether credits are still given.
    pub fn is_closed(&self) -> bool {
        self.room.is_closed()
    }
}

fn amount(events: usize, bytes: usize) -> Amount {
    Amount { events: events.max(1), units: bytes.div_ceil(UNIT).max(1) }
}

fn in_bytes(amount: Amount) -> (usize, usize) {
    (amount.events, amount.units * UNIT)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const NOISY: AccountNo = AccountNo(1);
    const QUIET: AccountNo = AccountNo(2);

    #[test]
    fn room_comes_back_when_it_is_dropped() {
        let credits = Credits::new(2, 4096);
        let first = credits.room_now(NOISY, 2, 10).unwrap();
        assert_eq!(credits.room_now(QUIET, 1, 10).unwrap_err(), NoCredit::Spent);
        assert_eq!(credits.left(), (0, 3 * UNIT));
        drop(first);
        assert_eq!(credits.left(), credits.limit());
        assert!(credits.room_now(NOISY, 1, 1 << 40).is_ok(), "what exceeds the whole is let through alone");
        credits.close();
        assert_eq!(credits.room_now(NOISY, 1, 1).unwrap_err(), NoCredit::Closed);
    }

    #[test]
    fn an_account_that_takes_all_it_can_leaves_room_for_others() {
        let credits = Credits::new(1000, 1 << 20);
        let flood: Vec<Room> = std::iter::from_fn(|| credits.room_now(NOISY, 10, 100).ok()).collect();
        assert!(flood.len() > 80, "one alone has nearly all");
        assert!(credits.room_now(QUIET, 10, 100).is_ok());
    }

    #[test]
    fn an_account_that_floods_waits_for_its_turn_and_others_go_first() {
        // No time passes: who was there a while ago would count for nothing.
        let began = Instant::now();
        let credits = Credits::sharing(1 << 16, 1 << 30, Contention::new(2, move || began));
        let turn = |account| {
            let room = credits.room_now(account, 8, 100).unwrap();
            let credits = credits.clone();
            Box::pin(async move { credits.turn(room).await.unwrap() })
        };
        let mut under_way: Vec<Credit> = std::iter::from_fn(|| turn(NOISY).now_or_never()).collect();
        assert!(under_way.len() < UNDER_WAY.events / 8, "an account leaves some for others");
        let mut waiting: Vec<_> = (0..100).map(|_| turn(NOISY)).collect();
        waiting.iter_mut().for_each(|turn| assert!(turn.now_or_never().is_none()));
        assert!(turn(QUIET).now_or_never().is_some(), "who comes next does not wait behind them");
        under_way.pop();
        waiting.iter_mut().for_each(|turn| assert!(turn.now_or_never().is_none(), "it still has too much"));
        under_way.clear();
        let through: Vec<Credit> = waiting.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
        assert_eq!(through.len(), 1, "what came back goes to who waits, a little at a time beside others");
    }

    #[test]
    fn those_who_wait_when_credits_end_are_told() {
        let credits = Credits::new(1, 1);
        let held = credits.room_now(NOISY, 1, 1).unwrap();
        let mut waiting = Box::pin(credits.room(QUIET, 1, 1));
        assert!((&mut waiting).now_or_never().is_none());
        credits.close();
        assert_eq!(waiting.now_or_never().unwrap().unwrap_err(), NoCredit::Closed);
        drop(held);
    }
}
