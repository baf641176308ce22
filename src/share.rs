//! Shares: how accounts divide among them what there is only so much of. Pure.
//!
//! Nothing is set aside for anybody, but an account that holds some gets more only while it leaves enough for those who
//! come next. So one alone may use nearly all, several that want everything get the same, and who holds nothing finds
//! something whatever the others do.

use std::collections::HashMap;

use crate::id::AccountNo;

/// An account's holdings are at most so many times what is left.
const LEFT_TIMES: usize = 7;

/// How much each account holds.
#[derive(Debug)]
pub struct Shares {
    limit: usize,
    free: usize,
    held: HashMap<AccountNo, usize>,
}

/// What becomes of a wish for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be had.
    Granted,
    /// Not while the account holds as much as it does, and others so much.
    OverShare,
    /// There is not enough left for an account that holds nothing.
    Spent,
}

impl Shares {
    /// So much, all of it free.
    pub fn new(limit: usize) -> Self {
        Self { limit, free: limit, held: HashMap::new() }
    }

    /// What would become of a wish of this account for so much more.
    pub fn standing(&self, account: AccountNo, amount: usize) -> Standing {
        let held = self.held(account);
        let left = self.free.saturating_sub(amount);
        if held > 0 && held + amount > LEFT_TIMES * left {
            return Standing::OverShare;
        }
        if amount > self.free { Standing::Spent } else { Standing::Granted }
    }

    /// Gives an account so much more, which must be there.
    pub fn take(&mut self, account: AccountNo, amount: usize) {
        debug_assert!(amount <= self.free);
        self.free -= amount;
        *self.held.entry(account).or_default() += amount;
    }

    /// Takes back what an account was given.
    pub fn give_back(&mut self, account: AccountNo, amount: usize) {
        self.free += amount;
        if let Some(held) = self.held.get_mut(&account) {
            *held -= amount;
            if *held == 0 {
                self.held.remove(&account);
            }
        }
    }

    /// How much more this account may take, if nobody else takes any.
    pub fn room(&self, account: AccountNo) -> usize {
        let held = self.held(account);
        (LEFT_TIMES * self.free).saturating_sub(held) / (LEFT_TIMES + 1)
    }

    /// How much an account holds.
    pub fn held(&self, account: AccountNo) -> usize {
        self.held.get(&account).copied().unwrap_or(0)
    }

    /// How much is left.
    pub fn free(&self) -> usize {
        self.free
    }

    /// How much is left when nobody holds anything.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives these accounts, in turn, all that each can have one by one.
    fn fill(shares: &mut Shares, accounts: &[AccountNo]) -> Vec<usize> {
        let mut held = vec![0; accounts.len()];
        loop {
            let before = shares.free();
            for (index, account) in accounts.iter().enumerate() {
                if shares.standing(*account, 1) == Standing::Granted {
                    shares.take(*account, 1);
                    held[index] += 1;
                }
            }
            if shares.free() == before {
                return held;
            }
        }
    }

    #[test]
    fn one_account_alone_has_nearly_all_and_leaves_some_for_the_next() {
        let mut shares = Shares::new(800);
        assert_eq!(shares.room(AccountNo(1)), 700);
        assert_eq!(fill(&mut shares, &[AccountNo(1)]), [700]);
        assert_eq!(shares.room(AccountNo(1)), 0);
        assert_eq!(shares.standing(AccountNo(1), 1), Standing::OverShare);
        assert!(fill(&mut shares, &[AccountNo(2)])[0] > 80);
    }

    #[test]
    fn those_who_want_everything_get_the_same() {
        let mut shares = Shares::new(2200);
        let accounts = [1, 2, 3].map(AccountNo);
        assert_eq!(fill(&mut shares, &accounts), [700, 700, 700]);
    }

    #[test]
    fn who_holds_nothing_gets_the_last_there_is_and_no_more_than_there_is() {
        let mut shares = Shares::new(1);
        assert_eq!(shares.standing(AccountNo(1), 1), Standing::Granted);
        shares.take(AccountNo(1), 1);
        assert_eq!(shares.standing(AccountNo(1), 1), Standing::OverShare);
        assert_eq!(shares.standing(AccountNo(2), 1), Standing::Spent);
        shares.give_back(AccountNo(1), 1);
        assert_eq!(shares.free(), shares.limit());
        assert!(shares.held.is_empty());
    }
}
