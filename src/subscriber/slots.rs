//! Slots: leave to have a request in flight, shared by all subscribers of a router.
//!
//! When none is free, those who want one take turns: account by account, and within an account hook by hook.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Message, Recipient};

use crate::id::AccountNo;

/// The slots of a router; clones share them.
pub struct Slots<W: Waiter>(Arc<Mutex<Shared<W>>>);

/// Leave to have one request in flight; given back when dropped.
pub struct Slot<W: Waiter>(Slots<W>);

/// One who waits in the line.
pub trait Waiter: Sized {
    /// Whether it still does.
    fn is_there(&self) -> bool;

    /// Has it take its turn.
    fn take_turn(self, slot: Slot<Self>);
}

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
    free: usize,
    in_use: usize,
    /// The accounts that wait, in the order of their turns.
    accounts: VecDeque<AccountNo>,
    waiting: HashMap<AccountNo, VecDeque<W>>,
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
        let shared =
            Shared { free: count.max(1), in_use: 0, accounts: VecDeque::new(), waiting: HashMap::new() };
        Self(Arc::new(Mutex::new(shared)))
    }

    /// A slot, if one is free; else a place in the line, for one [`Turn`].
    pub fn take_or_wait(&self, account: AccountNo, who: impl FnOnce() -> W) -> Option<Slot<W>> {
        let mut guard = self.shared();
        let shared = &mut *guard;
        if let Some(free) = shared.free.checked_sub(1) {
            shared.free = free;
            shared.in_use += 1;
            return Some(Slot(self.clone()));
        }
        let own = shared.waiting.entry(account).or_default();
        own.push_back(who());
        if own.len() == 1 {
            shared.accounts.push_back(account);
        }
        None
    }

    /// How many requests are in flight.
    pub fn in_use(&self) -> usize {
        self.shared().in_use
    }

    /// How they stand at this moment.
    pub fn usage(&self) -> Usage {
        let shared = self.shared();
        let in_line = shared.waiting.values().map(VecDeque::len).sum();
        Usage { in_use: shared.in_use, count: shared.in_use + shared.free, in_line }
    }

    fn shared(&self) -> MutexGuard<'_, Shared<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next one out of the line who is still there, or else notes that a slot is free.
    fn next_or_free(&self) -> Option<W> {
        let mut shared = self.shared();
        while let Some(who) = shared.next_in_line() {
            // A turn given to one who is gone would come back through here, once for each of them.
            if who.is_there() {
                return Some(who);
            }
        }
        shared.free += 1;
        shared.in_use -= 1;
        None
    }
}

impl<W> Shared<W> {
    fn next_in_line(&mut self) -> Option<W> {
        let account = self.accounts.pop_front()?;
        let own = self.waiting.get_mut(&account)?;
        let who = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&account);
        } else {
            self.accounts.push_back(account);
        }
        who
    }
}

impl<W: Waiter> Drop for Slot<W> {
    fn drop(&mut self) {
        if let Some(who) = self.0.next_or_free() {
            who.take_turn(Slot(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use actix::{Actor, Addr, AsyncContext, Context, Handler};

    use super::*;

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

    async fn turns_taken(slots: &Slots<Recipient<Turn>>, turns: &Turns) -> Vec<&'static str> {
        while slots.in_use() > 0 {
            tokio::task::yield_now().await;
        }
        turns.borrow().clone()
    }

    #[test]
    fn accounts_take_turns_however_many_of_one_wait() {
        actix_rt::System::new().block_on(async {
            let (slots, turns) = (Slots::new(1), Turns::default());
            let held = slots.take_or_wait(AccountNo(1), || unreachable!("one is free"));
            let line = ["a1", "a2", "a3", "b1"].map(|name| (name, waiter(name, &turns)));
            for (name, waiter) in &line {
                let account = AccountNo(if name.starts_with('a') { 1 } else { 2 });
                assert!(slots.take_or_wait(account, || waiter.clone().recipient()).is_none());
            }
            assert_eq!(slots.usage(), Usage { in_use: 1, count: 1, in_line: 4 });
            drop(held);
            assert_eq!(turns_taken(&slots, &turns).await, ["a1", "b1", "a2", "a3"]);
            assert_eq!(slots.usage(), Usage { in_use: 0, count: 1, in_line: 0 });
        });
    }

    #[test]
    fn those_who_left_the_line_cost_nobody_a_turn() {
        actix_rt::System::new().block_on(async {
            let (slots, turns) = (Slots::new(1), Turns::default());
            let held = slots.take_or_wait(AccountNo(1), || unreachable!("one is free"));
            let gone = Context::<Waiter>::new().address();
            for _ in 0..50_000 {
                assert!(slots.take_or_wait(AccountNo(1), || gone.clone().recipient()).is_none());
            }
            let there = waiter("there", &turns);
            assert!(slots.take_or_wait(AccountNo(1), || there.clone().recipient()).is_none());
            drop(held);
            assert_eq!(turns_taken(&slots, &turns).await, ["there"]);
        });
    }
}
