//! A line in which accounts take turns, however many of one wait. Pure.

use std::collections::{HashMap, VecDeque};

use crate::id::AccountNo;
use crate::share::Standing;

/// Those who wait: within an account in the order in which they came.
#[derive(Debug)]
pub struct Line<T> {
    /// The accounts that wait, in the order of their turns.
    accounts: VecDeque<AccountNo>,
    waiting: HashMap<AccountNo, VecDeque<T>>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { accounts: VecDeque::new(), waiting: HashMap::new() }
    }
}

impl<T> Line<T> {
    /// Goes to the end of the account's line.
    pub fn join(&mut self, account: AccountNo, who: T) {
        let own = self.waiting.entry(account).or_default();
        own.push_back(who);
        if own.len() == 1 {
            self.accounts.push_back(account);
        }
    }

    /// Takes out the next whose wish is granted.
    ///
    /// An account over its share is passed over. One for which too little is left lets nobody else go first: what comes
    /// back gathers for it.
    pub fn next(&mut self, standing: impl Fn(AccountNo, &T) -> Standing) -> Option<(AccountNo, T)> {
        for turn in 0..self.accounts.len() {
            let account = self.accounts[turn];
            let first = self.waiting.get(&account)?.front()?;
            match standing(account, first) {
                Standing::Granted => return self.take(turn, account),
                Standing::OverShare => {}
                Standing::Spent => return None,
            }
        }
        None
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    fn take(&mut self, turn: usize, account: AccountNo) -> Option<(AccountNo, T)> {
        self.accounts.remove(turn);
        let own = self.waiting.get_mut(&account)?;
        let who = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&account);
        } else {
            self.accounts.push_back(account);
        }
        who.map(|who| (account, who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(names: &[(u32, &'static str)]) -> Line<&'static str> {
        let mut line = Line::default();
        names.iter().for_each(|(account, name)| line.join(AccountNo(*account), *name));
        line
    }

    fn turns<T>(line: &mut Line<T>, standing: impl Fn(AccountNo, &T) -> Standing) -> Vec<T> {
        std::iter::from_fn(|| line.next(&standing)).map(|(_, who)| who).collect()
    }

    #[test]
    fn accounts_take_turns_however_many_of_one_wait() {
        let mut line = line(&[(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1")]);
        assert_eq!(line.len(), 4);
        assert_eq!(turns(&mut line, |_, _| Standing::Granted), ["a1", "b1", "a2", "a3"]);
        assert!(line.is_empty());
    }

    #[test]
    fn an_account_over_its_share_holds_up_nobody() {
        let mut line = line(&[(1, "a1"), (2, "b1"), (1, "a2"), (2, "b2")]);
        let standing = |account, _: &&str| match account {
            AccountNo(1) => Standing::OverShare,
            _ => Standing::Granted,
        };
        assert_eq!(turns(&mut line, standing), ["b1", "b2"]);
        assert_eq!(turns(&mut line, |_, _| Standing::Granted), ["a1", "a2"]);
    }

    #[test]
    fn nobody_goes_before_one_for_whom_too_little_is_left() {
        let mut line = line(&[(1, "large"), (2, "small")]);
        let standing = |_, who: &&str| match *who {
            "large" => Standing::Spent,
            _ => Standing::Granted,
        };
        assert!(turns(&mut line, standing).is_empty());
        assert_eq!(turns(&mut line, |_, _| Standing::Granted), ["large", "small"]);
    }
}
