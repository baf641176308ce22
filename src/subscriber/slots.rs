//! Slots: leave to have a request in flight, shared by all subscribers of a router.
//!
//! Each account has a share, and within it each hook, so however many endpoints hang, others find a slot. When an account
//! has none left, its hooks wait for their turn; accounts take turns, and within an account its hooks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Message, Recipient};

use crate::id::AccountNo;
use crate::line::Line;
use crate::share::{Shares, Standing};

/// The slots of a router; clones share them.
pub struct Slots<W: Waiter>(Arc<Mutex<Shared<W>>>);

/// Leave to have one request in flight; given back when dropped.
pub struct Slot<W: Waiter> {
    slots: Slots<W>,
    account: AccountNo,
}

/// What becomes of a wish for a slot.
pub enum Taken<S> {
    Slot(S),
    /// None is left for the account: a turn will come.
    InLine,
    /// None beside those that the hook holds; it may ask again when one of them has come back.
    Later,
}

/// One who waits in the line.
pub trait Waiter: Sized {
    /// Whether it still does.
    fn is_there(&self) -> bool;

    /// Has it take its turn.
    fn take_turn(self, slot: Slot<Self>);
}

/// A hook holds at most so many times less than its account may still take.
const HOOK_PART: usize = 2;

/// How the slots stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub in_use: usize,
    pub count: usize,
    /// How many subscribers wait for one.
    pub in_line: usize,
}

/// Tells who waited that it is their turn.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Turn(pub Slot<Recipient<Turn>>);

struct Shared<W> {
    shares: Shares,
    line: Line<W>,
}

impl Waiter for Recipient<Turn> {
    fn is_there(&self) -> bool {
        self.connected()
    }

    fn take_turn(self, slot: Slot<Self>) {
        self.do_send(Turn(slot));
    }
}

impl<W: Waiter> Clone for Slots<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Waiter> Slots<W> {
    /// So many slots, all of them free.
    pub fn new(count: usize) -> Self {
        let shared = Shared { shares: Shares::new(count.max(1)), line: Line::default() };
        Self(Arc::new(Mutex::new(shared)))
    }

    /// A slot for a hook of this account that holds so many already, if there is one; else perhaps a place in the line.
    pub fn take_or_wait(&self, account: AccountNo, held: usize, who: impl FnOnce() -> W) -> Taken<Slot<W>> {
        let mut shared = self.shared();
        if held > 0 && held * HOOK_PART >= shared.shares.room(account) {
            return Taken::Later;
        }
        if shared.shares.standing(account, 1) == Standing::Granted {
            return Taken::Slot(self.hand_out(&mut shared, account));
        }
        shared.line.join(account, who());
        Taken::InLine
    }

    /// How many requests are in flight.
    pub fn in_use(&self) -> usize {
        let shared = self.shared();
        shared.shares.limit() - shared.shares.free()
    }

    /// How they stand at this moment.
    pub fn usage(&self) -> Usage {
        let shared = self.shared();
        let (free, count) = (shared.shares.free(), shared.shares.limit());
        Usage { in_use: count - free, count, in_line: shared.line.len() }
    }

    fn hand_out(&self, shared: &mut Shared<W>, account: AccountNo) -> Slot<W> {
        shared.shares.take(account, 1);
        Slot { slots: self.clone(), account }
    }

    /// The next in the line who is still there, with a slot.
    fn next(&self) -> Option<(W, Slot<W>)> {
        let mut guard = self.shared();
        let shared = &mut *guard;
        loop {
            let shares = &shared.shares;
            let (account, who) = shared.line.next(|account, _| shares.standing(account, 1))?;
            // A turn given to one who is gone would come back through here, once for each of them.
            if who.is_there() {
                return Some((who, self.hand_out(shared, account)));
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Waiter> Drop for Slot<W> {
    fn drop(&mut self) {
        self.slots.shared().shares.give_back(self.account, 1);
        while let Some((who, slot)) = self.slots.next() {
            who.take_turn(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use actix::{Actor, Addr, AsyncContext, Context, Handler};

    use super::*;

    type Slots = super::Slots<Recipient<Turn>>;
    type Slot = super::Slot<Recipient<Turn>>;
    type Turns = Rc<RefCell<Vec<&'static str>>>;

    /// Notes each turn under its name, and lets go of the slot.
    struct Waiter {
        name: &'static str,
        turns: Turns,
    }

    impl Actor for Waiter {
        type Context = Context<Self>;
    }

    impl Handler<Turn> for Waiter {
        type Result = ();

        fn handle(&mut self, turn: Turn, _: &mut Context<Self>) {
            self.turns.borrow_mut().push(self.name);
            drop(turn);
        }
    }

    fn waiter(name: &'static str, turns: &Turns) -> Addr<Waiter> {
        Waiter { name, turns: turns.clone() }.start()
    }

    /// A slot for a hook that has none, or a place in the line.
    fn slot(slots: &Slots, account: u32, who: impl FnOnce() -> Recipient<Turn>) -> Option<Slot> {
        match slots.take_or_wait(AccountNo(account), 0, who) {
            Taken::Slot(slot) => Some(slot),
            Taken::InLine | Taken::Later => None,
        }
    }

    /// The turns that were taken when so many slots are still held.
    async fn turns_taken(slots: &Slots, turns: &Turns, held: usize) -> Vec<&'static str> {
        while slots.in_use() > held || slots.usage().in_line > 0 {
            tokio::task::yield_now().await;
        }
        turns.borrow().clone()
    }

    #[test]
    fn accounts_take_turns_however_many_of_one_wait() {
        actix_rt::System::new().block_on(async {
            let (slots, turns) = (Slots::new(1), Turns::default());
            let held = slot(&slots, 1, || unreachable!("one is free"));
            let line = ["a1", "a2", "a3", "b1"].map(|name| (name, waiter(name, &turns)));
            for (name, waiter) in &line {
                let account = if name.starts_with('a') { 1 } else { 2 };
                assert!(slot(&slots, account, || waiter.clone().recipient()).is_none());
            }
            assert_eq!(slots.usage(), Usage { in_use: 1, count: 1, in_line: 4 });
            drop(held);
            assert_eq!(turns_taken(&slots, &turns, 0).await, ["a1", "b1", "a2", "a3"]);
            assert_eq!(slots.usage(), Usage { in_use: 0, count: 1, in_line: 0 });
        });
    }

    #[test]
    fn an_account_whose_requests_all_hang_leaves_slots_for_others() {
        actix_rt::System::new().block_on(async {
            let (slots, turns) = (Slots::new(80), Turns::default());
            let hook = waiter("a", &turns);
            let take = |account| slot(&slots, account, || hook.clone().recipient());
            let hanging: Vec<Slot> = std::iter::from_fn(|| take(1)).collect();
            assert_eq!((hanging.len(), slots.usage().in_line), (70, 1));
            let others: Vec<Slot> = std::iter::from_fn(|| take(2)).collect();
            assert!(!others.is_empty());
            drop(hanging);
            assert_eq!(turns_taken(&slots, &turns, others.len()).await, ["a", "a"]);
        });
    }

    #[test]
    fn hooks_whose_requests_all_hang_leave_slots_for_others_of_their_account() {
        let slots = Slots::new(800);
        let mut hanging: Vec<Vec<Slot>> = (0..40).map(|_| Vec::new()).collect();
        for _ in 0..32 {
            for hook in &mut hanging {
                let taken = slots.take_or_wait(AccountNo(1), hook.len(), || unreachable!("nobody waits"));
                if let Taken::Slot(slot) = taken {
                    hook.push(slot);
                }
            }
        }
        assert!(hanging.iter().all(|hook| (10..32).contains(&hook.len())));
        let others: Vec<Slot> =
            std::iter::from_fn(|| slot(&slots, 1, || unreachable!("some are left"))).take(10).collect();
        assert_eq!(others.len(), 10);
    }

    #[test]
    fn those_who_left_the_line_cost_nobody_a_turn() {
        actix_rt::System::new().block_on(async {
            let (slots, turns) = (Slots::new(1), Turns::default());
            let held = slot(&slots, 1, || unreachable!("one is free"));
            let gone = Context::<Waiter>::new().address();
            for _ in 0..50_000 {
                assert!(slot(&slots, 1, || gone.clone().recipient()).is_none());
            }
            let there = waiter("there", &turns);
            assert!(slot(&slots, 1, || there.clone().recipient()).is_none());
            drop(held);
            assert_eq!(turns_taken(&slots, &turns, 0).await, ["there"]);
        });
    }
}
