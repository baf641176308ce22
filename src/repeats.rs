//! Repeats: what a request was answered with, for whoever sends it again.
//!
//! Answers are kept in memory, by the request's key and who sent it, for half a day and up to a number of bytes; a restart
//! forgets them. What must outlast that, an event, has its key in the ledger instead.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use sha2::{Digest, Sha256};

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(12 * 60 * 60);
/// How many bytes all answers may have together.
const KEPT_BYTES: u64 = 16 << 20;
/// What an answer takes beside its body, about.
const OVERHEAD_BYTES: usize = 200;

/// Answers that were given.
pub struct Repeats(Cache<RepeatKey, Answered>);

/// The hash of what makes a request a repetition of another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RepeatKey([u8; 32]);

/// What a request was answered with.
#[derive(Clone)]
pub struct Answered {
    pub status: u16,
    pub body: Bytes,
}

impl Default for Repeats {
    fn default() -> Self {
        let weigh = |_: &RepeatKey, answered: &Answered| {
            u32::try_from(answered.body.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(KEPT_BYTES).weigher(weigh).time_to_live(KEPT_FOR).build())
    }
}

impl RepeatKey {
    /// The key of a request: what its sender calls it, who sent it, and where to.
    pub fn of(key: &str, sender: &[u8; 32], target: &str) -> Self {
        let digest = Sha256::new().chain_update(sender).chain_update(key).chain_update([0]);
        Self(digest.chain_update(target).finalize().into())
    }
}

impl Repeats {
    /// What the request of this key was answered with, or else what `answer` answers it with now. Of several at once, one
    /// is answered and the others get the same.
    ///
    /// # Errors
    /// When it is refused; that is not kept.
    pub async fn once<E: Send + Sync + 'static>(
        &self,
        key: RepeatKey,
        answer: impl Future<Output = Result<Answered, E>>,
    ) -> Result<Answered, Arc<E>> {
        self.0.try_get_with(key, answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(repeats: &Repeats, key: &str, sender: u8, body: &'static str) -> String {
        let key = RepeatKey::of(key, &[sender; 32], "/api/v1/app");
        let answer = async { Ok::<_, ()>(Answered { status: 201, body: body.into() }) };
        let answered = repeats.once(key, answer).await.unwrap();
        String::from_utf8(answered.body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_first_answer_is_given_again_to_the_same_sender() {
        let repeats = Repeats::default();
        assert_eq!(answered(&repeats, "a", 1, "first").await, "first");
        assert_eq!(answered(&repeats, "a", 1, "second").await, "first");
        assert_eq!(answered(&repeats, "b", 1, "third").await, "third");
        assert_eq!(answered(&repeats, "a", 2, "fourth").await, "fourth");
    }

    #[tokio::test]
    async fn what_is_refused_may_be_tried_again() {
        let repeats = Repeats::default();
        let key = RepeatKey::of("a", &[1; 32], "/");
        assert!(repeats.once(key, async { Err::<Answered, &str>("no") }).await.is_err());
        assert_eq!(
            repeats
                .once(key, async { Ok::<_, ()>(Answered { status: 200, body: Bytes::new() }) })
                .await
                .map_err(|_| ())
                .unwrap()
                .status,
            200
        );
    }
}
