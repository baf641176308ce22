//! Notices: the events that the router itself emits, of what became of a hook.
//!
//! Such an event is one of the hook's account and, for whoever runs the router, one of the account `default` too. It is
//! recorded where somebody subscribed to it, in the commit of what it tells of: neither is there without the other, unless
//! the router is just ending by a fault. Of hooks that are subscribed to such events nothing is told, so that no notice can
//! lead to another.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::account::{AccountId, AccountNames};
use crate::clock::Timestamp;
use crate::event::{Body, Draft};
use crate::event_type::{BACKLOG_EXCEEDED, DELIVERY_EXHAUSTED, EventType, HOOK_DEACTIVATED, HOOK_RECOVERED};
use crate::id::{AccountNo, DeliveryId, EventId, HookId};
use crate::metrics::hooks::Hooks;
use crate::router::index::Index;
use crate::store::Verb;
use crate::subscription::{Matches, Subscription};

/// The number of the account `default`, which every store begins with.
const DEFAULT_ACCOUNT: AccountNo = AccountNo(1);

/// Something that became of a hook.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    pub subscription: &'a Subscription,
    pub news: News<'a>,
    pub at: Timestamp,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum News<'a> {
    /// It was given up.
    Deactivated { reason: &'a str },
    /// One of its deliveries was given up alone.
    Exhausted { delivery: Exhausted<'a>, reason: &'a str },
    /// It was probed, and took a delivery.
    Recovered {},
    /// So many deliveries wait for it.
    BacklogExceeded { pending: u64, threshold: u64 },
}

/// A delivery that is a dead letter now.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Exhausted<'a> {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub event: &'a EventType,
    pub attempts: u16,
}

/// The data of a notice.
#[derive(Serialize)]
struct Data<'a> {
    hook: HookNamed<'a>,
    account: AccountId,
    #[serde(flatten)]
    news: News<'a>,
    #[serde(flatten)]
    at: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct HookNamed<'a> {
    id: HookId,
    url: &'a str,
    event: Option<&'a EventType>,
}

impl News<'_> {
    /// The type of the event that tells of it, and what its time is called there.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Deactivated { .. } => (HOOK_DEACTIVATED, "deactivated_at"),
            Self::Exhausted { .. } => (DELIVERY_EXHAUSTED, "exhausted_at"),
            Self::Recovered {} => (HOOK_RECOVERED, "recovered_at"),
            Self::BacklogExceeded { .. } => (BACKLOG_EXCEEDED, "counted_at"),
        }
    }
}

/// Whether anybody may want to know what becomes of an account's hooks.
pub fn is_heard(index: &Index, account: AccountNo, event_type: &str) -> bool {
    let event_type = event_type.parse::<EventType>();
    let wants = |event_type: &EventType| {
        whose(account).any(|account| !index.matches(account, event_type, &[], |_| true).is_empty())
    };
    event_type.is_ok_and(|event_type| wants(&event_type))
}

/// The accounts that are told of an account's hooks.
fn whose(account: AccountNo) -> impl Iterator<Item = AccountNo> {
    let own = (account != DEFAULT_ACCOUNT).then_some(account);
    own.into_iter().chain([DEFAULT_ACCOUNT])
}

impl Notice<'_> {
    /// Records the events that tell those who want to know; nothing where nobody does.
    pub fn recorded(self, index: &Index, names: &AccountNames, figures: &Hooks) -> Option<Verb> {
        let drafts = self.drafts(index, names);
        figures.tell(self.news.names().0, drafts.len());
        (!drafts.is_empty()).then_some(Verb::Append(drafts))
    }

    fn drafts(self, index: &Index, names: &AccountNames) -> Vec<(Draft, Matches)> {
        let Self { subscription, news, at } = self;
        let (event_type, time) = news.names();
        let Ok(event_type) = event_type.parse::<EventType>() else {
            return Vec::new();
        };
        if subscription.filter.has_own_type() {
            return Vec::new();
        }
        let data = Data {
            hook: HookNamed {
                id: subscription.id,
                url: subscription.url.as_sent(),
                event: subscription.filter.only_type(),
            },
            account: names.get(subscription.account).unwrap_or_else(AccountId::default_account),
            news,
            at: BTreeMap::from([(time, at.to_string())]),
        };
        let data = serde_json::to_vec(&data).expect("it has string keys and is written to memory");
        let body = Body::build(&event_type, &at.to_string(), &data);
        let matches =
            |account| index.matches(account, &event_type, &[], |condition| condition.holds_of_bytes(&data));
        let draft = |account| Draft {
            account,
            event_type: event_type.clone(),
            body: body.clone(),
            accepted_at: at,
            idempotency: None,
            labels: None,
            only: None,
        };
        let told = whose(subscription.account).map(|account| (account, matches(account)));
        told.filter(|(_, matches)| !matches.is_empty())
            .map(|(account, matches)| (draft(account), matches))
            .collect()
    }
}
