//! Expunging: what an event says, or what a receiver answered, goes before its time.

use crate::account::AccountId;
use crate::id::{AttemptId, DeliveryId, EventId, EventNo, SubscriptionNo};
use crate::router;
use crate::store::{Address, Answer, Expunge, ExpungeAnswer, Verb};

use super::{Hookyard, LookupError};

impl Hookyard {
    /// Forgets the data of an event. What waits of it is not delivered any more, and it cannot be delivered again.
    ///
    /// When it returns, that is durable; a request that is being made then, or that begins in the same moment, is finished as
    /// it was. On the disk the data's place is free once the log is cleaned.
    ///
    /// # Errors
    /// When the account has no such event, or nothing can be changed now.
    pub async fn expunge_event(&self, account: &AccountId, id: EventId) -> Result<(), LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let event = self.recorded(account, id).await?.ok_or(LookupError::NotFound)?.no;
        let read_at = self.commits().await?;
        let replayed = self.look_back(move |reader| reader.replays(event)).await?;
        let expunge = Expunge { event, replayed, read_at, unless_awaited: false };
        if let Answer::Expunged(waited) = self.commit(Verb::Expunge(expunge)).await? {
            // They may hold it in memory.
            self.router()?.do_send(router::Wake(waited));
        }
        Ok(())
    }

    /// Forgets what a receiver answered to an attempt, by the attempt's number within its delivery.
    ///
    /// When it returns, that is durable.
    ///
    /// # Errors
    /// When the account has no such attempt, or nothing can be changed now.
    pub async fn expunge_answer(
        &self,
        account: &AccountId,
        delivery: DeliveryId,
        n: u16,
    ) -> Result<(), LookupError> {
        let known = self.delivery(account, delivery).await?;
        let made = known.log.iter().any(|attempt| attempt.n == n);
        let (event, subscription) = self.0.seal.open_delivery(&delivery);
        match made {
            true => self.expunge_answer_of(account, event, subscription, n).await,
            false => Err(LookupError::NotFound),
        }
    }

    /// The same by the attempt's id.
    ///
    /// # Errors
    /// As there.
    pub async fn expunge_attempt(&self, account: &AccountId, id: AttemptId) -> Result<(), LookupError> {
        self.attempt(account, id).await?;
        let (event, subscription, n) = self.0.seal.open_attempt(&id);
        self.expunge_answer_of(account, event, subscription, n).await
    }

    async fn expunge_answer_of(
        &self,
        account: &AccountId,
        event: EventNo,
        subscription: SubscriptionNo,
        n: u16,
    ) -> Result<(), LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let block = self.look_back(move |reader| reader.attempt_block((event, subscription), n)).await?;
        let block = block.ok_or(LookupError::NotFound)?;
        let at = Address { account, subscription };
        self.commit(Verb::ExpungeAnswer(ExpungeAnswer { at, event, n, block })).await?;
        Ok(())
    }
}
