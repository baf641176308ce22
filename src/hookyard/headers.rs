//! Custom headers: replacing those of a hook.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::id::HookId;
use crate::router;
use crate::store::Address;
use crate::subscription::{CustomHeaders, NotHeaders};

use super::{Hook, Hookyard, Unavailable};

/// Why a hook's headers were not replaced.
#[derive(Debug, thiserror::Error)]
pub enum HeadersError {
    #[error(transparent)]
    Headers(#[from] NotHeaders),
    /// The account has no hook with this id.
    #[error("not found")]
    NotFound,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Hookyard {
    /// Replaces all custom headers of a hook, names and values; without any, its requests carry none.
    ///
    /// When it returns, they are durable, and requests that start from then on carry them.
    ///
    /// # Errors
    /// When the headers are refused, the account has no such hook, or nothing can be changed now.
    pub async fn set_headers(
        &self,
        account: &AccountId,
        id: HookId,
        headers: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Hook, HeadersError> {
        let headers = self.custom_headers(headers)?;
        let account = self.0.registry.account(account).ok_or(HeadersError::NotFound)?;
        let subscription = self.record(account, id).await?.ok_or(HeadersError::NotFound)?.no;
        let at = Address { account, subscription };
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(router::SetHeaders { at, headers, reply });
        let subscription = *self.answer(answer).await?.ok_or(HeadersError::NotFound)?;
        Ok(self.with_tally(subscription).await?)
    }

    /// Changes some of the custom headers of a hook: `change` is given all of them, by their names in lower case.
    ///
    /// # Errors
    /// As [`Self::set_headers`].
    pub async fn change_headers(
        &self,
        account: &AccountId,
        id: HookId,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<Hook, HeadersError> {
        // Whoever changes some next must see this change.
        let _turn = self.0.editing.lock().await;
        let no = self.0.registry.account(account).ok_or(HeadersError::NotFound)?;
        let known = self.record(no, id).await?.ok_or(HeadersError::NotFound)?.headers;
        let mut headers = known.reveal().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        change(&mut headers);
        self.set_headers(account, id, headers).await
    }

    /// Headers that a hook may have, as the configuration is now.
    pub(super) fn custom_headers(
        &self,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<CustomHeaders, NotHeaders> {
        CustomHeaders::new(given, &self.config().delivery.signature_header)
    }
}
