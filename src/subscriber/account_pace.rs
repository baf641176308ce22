//! The paces of accounts: how fast attempts may begin for all the hooks of one together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::id::AccountNo;

use super::pace::Pace;

/// The longest that a hook waits before it tries again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The paces of those accounts that have one; clones share them.
#[derive(Clone, Default)]
pub struct AccountPaces(Arc<ArcSwap<HashMap<AccountNo, Arc<AccountPace>>>>);

struct AccountPace {
    pace: Pace,
    /// How often it was too early for somebody since an attempt began, and between that and the one before.
    refused: AtomicU32,
    refused_before: AtomicU32,
}

impl AccountPaces {
    /// Lets so many attempts of an account begin in a second from now on, or as many as there are.
    pub fn set(&self, account: AccountNo, rate: Option<u32>, now: Timestamp) {
        let is_known = self.0.load().get(&account).map(|known| known.pace.rate()) == rate;
        if is_known {
            return;
        }
        let pace = Pace::of(rate, None, now).map(|pace| {
            Arc::new(AccountPace { pace, refused: AtomicU32::new(0), refused_before: AtomicU32::new(0) })
        });
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            match &pace {
                Some(pace) => known.insert(account, pace.clone()),
                None => known.remove(&account),
            };
            known
        });
    }

    /// Lets an attempt of an account's begin.
    ///
    /// # Errors
    /// When it is too early; says when to try again. Where many hooks wait, `chance`, drawn evenly from 0 to 1, spreads
    /// them: over as long as it would take to let in as many as lately tried in vain before one began. So they try
    /// some times for each that begins, until they are so many that each tries once in [`LONGEST_WAIT`], and each begins as
    /// often as any other.
    pub fn admit(
        &self,
        account: AccountNo,
        now: Timestamp,
        chance: impl FnOnce() -> f64,
    ) -> Result<(), Timestamp> {
        let known = self.0.load();
        let Some(AccountPace { pace, refused, refused_before }) = known.get(&account).map(|pace| &**pace)
        else {
            return Ok(());
        };
        match pace.admit(now) {
            Ok(()) => {
                refused_before.store(refused.swap(0, Ordering::Relaxed), Ordering::Relaxed);
                Ok(())
            }
            Err(earliest) => {
                // Who has just begun one is the first to be refused: by this alone it would be the next again.
                let others =
                    refused.fetch_add(1, Ordering::Relaxed).max(refused_before.load(Ordering::Relaxed));
                let spread = Duration::from_secs_f64(chance() * f64::from(others) / f64::from(pace.rate()));
                Err(earliest.after(spread.min(LONGEST_WAIT)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountNo = AccountNo(7);

    #[test]
    fn however_many_wait_all_of_the_rate_is_used_and_no_more_and_they_try_some_times_only() {
        const HOOKS: usize = 500;
        const RATE: u32 = 50;
        let paces = AccountPaces::default();
        paces.set(ACCOUNT, Some(RATE), Timestamp(0));
        let mut next = vec![Timestamp(0); HOOKS];
        let (mut begun, mut tries) = (vec![0u32; HOOKS], 0u32);
        for now in (0..60_000).map(Timestamp) {
            for hook in 0..HOOKS {
                if next[hook] > now {
                    continue;
                }
                tries += 1;
                match paces.admit(ACCOUNT, now, rand::random) {
                    Ok(()) => begun[hook] += 1,
                    Err(later) => {
                        assert!(later > now && later <= now.after(LONGEST_WAIT + Duration::from_secs(1)));
                        next[hook] = later;
                    }
                }
            }
        }
        let all: u32 = begun.iter().sum();
        assert!((RATE * 60 * 95 / 100..=RATE * 60 + RATE / 10).contains(&all), "{all} in a minute");
        assert!(tries < all * 60, "{tries} tries for {all}");
        let least = begun.iter().filter(|begun| **begun == 0).count();
        assert!(least < HOOKS / 20, "{least} of {HOOKS} get nothing");
    }

    #[test]
    fn only_those_with_a_rate_wait() {
        let paces = AccountPaces::default();
        let first = |account| {
            (paces.admit(account, Timestamp(0), || 0.0), paces.admit(account, Timestamp(0), || 0.0))
        };
        assert_eq!(first(ACCOUNT), (Ok(()), Ok(())));
        paces.set(ACCOUNT, Some(1), Timestamp(0));
        assert_eq!(first(ACCOUNT), (Ok(()), Err(Timestamp(1_000))));
        assert_eq!(first(AccountNo(1)), (Ok(()), Ok(())));
        paces.set(ACCOUNT, Some(1), Timestamp(0));
        assert_eq!(paces.admit(ACCOUNT, Timestamp(1), || 0.0), Err(Timestamp(1_000)), "the same goes on");
        paces.set(ACCOUNT, None, Timestamp(0));
        assert_eq!(first(ACCOUNT), (Ok(()), Ok(())));
    }
}
