//! Attempts by the hour, of one hook and of an account's hooks together.

use crate::account::AccountId;
use crate::id::HookId;
use crate::store::{Hour, added_up};

use super::{Hookyard, LookupError, Order};

impl Hookyard {
    /// The attempts made for a hook by the hour, oldest first, without the hours in which there were none. They are kept for
    /// the last 7 days with attempts at least, whatever becomes of the events.
    ///
    /// # Errors
    /// When the account has no hook with this id.
    pub async fn hook_hours(&self, account: &AccountId, id: HookId) -> Result<Vec<Hour>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let no = self.record(account, id).await?.ok_or(LookupError::NotFound)?.no;
        Ok(self.read(move |reader| reader.attempt_counts(no)).await?.hours)
    }

    /// Those of all hooks that the account has now. It costs a read for each of them, and nothing for what they were sent.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn account_hours(&self, account: &AccountId) -> Result<Vec<Hour>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let hours = self.look_back(move |reader| {
            let mut hooks = Vec::new();
            reader.subscriptions(account, Order::Ascending, None, &mut |hook| {
                hooks.push(hook.no);
                true
            })?;
            hooks
                .into_iter()
                .try_fold(Vec::new(), |sum, no| Ok(added_up(sum, &reader.attempt_counts(no)?.hours)))
        });
        Ok(hours.await?)
    }
}
