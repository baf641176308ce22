//! Notices: the events that the router itself emits, of which there is one: a hook was deactivated.
//!
//! Such an event is one of the hook's account and, for whoever runs the router, one of the account `default` too. It is
//! recorded where somebody subscribed to it, together with the deactivation: neither is there without the other.

use serde::Serialize;

use crate::account::{AccountId, AccountNames};
use crate::clock::Timestamp;
use crate::event::{Body, Draft};
use crate::event_type::{EventType, HOOK_DEACTIVATED};
use crate::id::{AccountNo, HookId};
use crate::router::index::Index;
use crate::subscription::{Matches, Subscription};

/// The number of the account `default`, which every store begins with.
const DEFAULT_ACCOUNT: AccountNo = AccountNo(1);

/// The data of [`HOOK_DEACTIVATED`].
#[derive(Serialize)]
struct HookDeactivated<'a> {
    hook: HookNamed<'a>,
    account: AccountId,
    reason: &'a str,
    deactivated_at: String,
}

#[derive(Serialize)]
struct HookNamed<'a> {
    id: HookId,
    url: &'a str,
    event: Option<&'a EventType>,
}

/// The events that say that a hook was deactivated, for those who want to know; none for a hook that itself waits for
/// such events.
pub fn notices(
    index: &Index,
    names: &AccountNames,
    subscription: &Subscription,
    reason: &str,
    now: Timestamp,
) -> Vec<(Draft, Matches)> {
    let Ok(event_type) = HOOK_DEACTIVATED.parse::<EventType>() else {
        return Vec::new();
    };
    if subscription.filter.has_type(HOOK_DEACTIVATED) {
        return Vec::new();
    }
    let data = HookDeactivated {
        hook: HookNamed {
            id: subscription.id,
            url: subscription.url.as_sent(),
            event: subscription.filter.only_type(),
        },
        account: names.get(subscription.account).unwrap_or_else(AccountId::default_account),
        reason,
        deactivated_at: now.to_string(),
    };
    let data = serde_json::to_vec(&data).expect("it has string keys and is written to memory");
    let body = Body::build(&event_type, &now.to_string(), &data);
    let own = (subscription.account != DEFAULT_ACCOUNT).then_some(subscription.account);
    let accounts = own.into_iter().chain([DEFAULT_ACCOUNT]);
    accounts
        .map(|account| {
            (account, index.matches(account, &event_type, &[], |condition| condition.holds_of_bytes(&data)))
        })
        .filter(|(_, matches)| !matches.is_empty())
        .map(|(account, matches)| {
            let (event_type, body) = (event_type.clone(), body.clone());
            (
                Draft {
                    account,
                    event_type,
                    body,
                    accepted_at: now,
                    idempotency: None,
                    labels: None,
                    only: None,
                },
                matches,
            )
        })
        .collect()
}
