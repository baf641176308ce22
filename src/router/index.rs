//! The router's index: every subscription in a few dozen bytes, found by event type, by URL or by number.
//!
//! It is ahead of the store by what is queued to the writer, in the same order, and knows only what routing needs;
//! records are the store's.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::event_type::EventType;
use crate::filter::Filter;
use crate::id::{AccountNo, SubscriptionNo};
use crate::metrics::hooks::ByStatus;
use crate::store::Address;
use crate::subscription::{EndpointUrl, Generation, Match, Matches, Status, Subscription};

/// All subscriptions.
#[derive(Default)]
pub struct Index {
    entries: HashMap<SubscriptionNo, Entry>,
    by_url: HashMap<UrlHash, SmallVec<[SubscriptionNo; 1]>>,
    matching: HashMap<(AccountNo, TypeNo), Matches>,
    types: HashMap<EventType, TypeNo>,
    by_status: ByStatus,
}

/// What routing needs to know of a subscription.
#[derive(Clone, Debug)]
pub struct Entry {
    pub account: AccountNo,
    pub state: State,
    pub generation: Generation,
    /// Stands for the account and the authority of the URL: those that share it share an arbiter.
    pub place: u32,
    filter: SmallVec<[TypeNo; 2]>,
    url: UrlHash,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Paused,
    Deactivated,
}

/// The first 128 bits of SHA-256 over account and URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct UrlHash([u8; 16]);

/// An event type's number in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TypeNo(u32);

impl Index {
    /// An empty index that says how many subscriptions it holds of each state.
    pub fn counting_in(by_status: ByStatus) -> Self {
        by_status.reset();
        Self { by_status, ..Self::default() }
    }

    /// Adds a subscription.
    pub fn insert(&mut self, subscription: &Subscription) {
        let filter = subscription.filter.event_types().iter().map(|event_type| self.type_no(event_type));
        let entry = Entry {
            account: subscription.account,
            state: State::of(&subscription.status),
            generation: subscription.generation,
            place: place(subscription.account, &subscription.url),
            filter: filter.collect(),
            url: UrlHash::of(subscription.account, subscription.url.normalized()),
        };
        self.by_url.entry(entry.url).or_default().push(subscription.no);
        self.list(subscription.no, &entry);
        self.by_status.add(entry.state as usize);
        self.entries.insert(subscription.no, entry);
    }

    /// Takes a subscription out; says what it was.
    pub fn remove(&mut self, no: SubscriptionNo) -> Option<Entry> {
        let entry = self.entries.remove(&no)?;
        self.unlist(no, &entry);
        self.by_status.remove(entry.state as usize);
        if let Some(same_url) = self.by_url.get_mut(&entry.url) {
            same_url.retain(|other| *other != no);
            if same_url.is_empty() {
                self.by_url.remove(&entry.url);
            }
        }
        Some(entry)
    }

    /// A subscription by its number.
    pub fn get(&self, no: SubscriptionNo) -> Option<&Entry> {
        self.entries.get(&no)
    }

    /// A subscription by its number, if it is this account's.
    pub fn of_account(&self, at: Address) -> Option<&Entry> {
        self.get(at.subscription).filter(|entry| entry.account == at.account)
    }

    /// Moves a subscription to another state, and to the next generation where it comes back.
    pub fn set(&mut self, no: SubscriptionNo, state: State) {
        let Some(mut entry) = self.entries.remove(&no) else {
            return;
        };
        self.unlist(no, &entry);
        if entry.state == State::Deactivated && state != State::Deactivated {
            entry.generation = entry.generation.next();
        }
        self.by_status.remove(entry.state as usize);
        self.by_status.add(state as usize);
        entry.state = state;
        self.list(no, &entry);
        self.entries.insert(no, entry);
    }

    /// The account's subscriptions of this URL.
    pub fn of_url(&self, account: AccountNo, url: &str) -> &[SubscriptionNo] {
        self.by_url.get(&UrlHash::of(account, url)).map_or(&[], |same_url| same_url)
    }

    /// The subscriptions that have the account and the URL of this one, itself among them.
    pub fn siblings(&self, no: SubscriptionNo) -> &[SubscriptionNo] {
        self.get(no).and_then(|entry| self.by_url.get(&entry.url)).map_or(&[], |same_url| same_url)
    }

    /// The account's subscription of this URL with exactly this filter.
    pub fn find(&self, account: AccountNo, url: &str, filter: &Filter) -> Option<SubscriptionNo> {
        let wanted: Option<SmallVec<[TypeNo; 2]>> =
            filter.event_types().iter().map(|event_type| self.types.get(event_type).copied()).collect();
        let wanted = wanted?;
        self.of_url(account, url).iter().copied().find(|no| self.entries[no].filter == wanted)
    }

    /// The account's subscriptions that an event of this type matches.
    pub fn matches(&self, account: AccountNo, event_type: &EventType) -> Matches {
        let matching = self.types.get(event_type).and_then(|type_no| self.matching.get(&(account, *type_no)));
        matching.cloned().unwrap_or_default()
    }

    fn type_no(&mut self, event_type: &EventType) -> TypeNo {
        let next = TypeNo(self.types.len() as u32);
        *self.types.entry(event_type.clone()).or_insert(next)
    }

    fn list(&mut self, no: SubscriptionNo, entry: &Entry) {
        if entry.state == State::Deactivated {
            return;
        }
        let listed = Match { subscription: no, generation: entry.generation };
        for type_no in &entry.filter {
            let matching = Arc::make_mut(self.matching.entry((entry.account, *type_no)).or_default());
            let at = matching.partition_point(|other| other.subscription < no);
            matching.insert(at, listed);
        }
    }

    fn unlist(&mut self, no: SubscriptionNo, entry: &Entry) {
        for type_no in &entry.filter {
            let key = (entry.account, *type_no);
            let Some(matching) = self.matching.get_mut(&key) else {
                continue;
            };
            if let Ok(at) = matching.binary_search_by_key(&no, |listed| listed.subscription) {
                Arc::make_mut(matching).remove(at);
            }
            if matching.is_empty() {
                self.matching.remove(&key);
            }
        }
    }
}

impl State {
    /// The state that a record's status means.
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Paused => Self::Paused,
            Status::Deactivated { .. } => Self::Deactivated,
        }
    }
}

impl UrlHash {
    fn of(account: AccountNo, url: &str) -> Self {
        let digest = Sha256::new().chain_update(account.0.to_be_bytes()).chain_update(url).finalize();
        Self(digest[..16].try_into().expect("a SHA-256 digest has 32 bytes"))
    }
}

fn place(account: AccountNo, url: &EndpointUrl) -> u32 {
    let mut hasher = DefaultHasher::new();
    (account, url.authority()).hash(&mut hasher);
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::HookId;
    use crate::subscription::{CustomHeaders, Secret};

    const ACCOUNT: AccountNo = AccountNo(1);

    fn subscription(no: u64, url: &str, event: &str) -> Subscription {
        Subscription {
            no: SubscriptionNo(no),
            id: HookId::from_bytes([0; 20]),
            account: ACCOUNT,
            url: url.parse().unwrap(),
            filter: Filter::one(event.parse().unwrap()),
            secret: Secret::generate(),
            previous_secret: None,
            headers: CustomHeaders::default(),
            status: Status::Active,
            generation: Generation(0),
            floor: Generation(0),
            created_at: Timestamp(0),
        }
    }

    fn matched(index: &Index, event: &str) -> Vec<(u64, u32)> {
        let matches = index.matches(ACCOUNT, &event.parse().unwrap());
        matches.iter().map(|matched| (matched.subscription.0, matched.generation.0)).collect()
    }

    #[test]
    fn an_event_matches_active_and_paused_subscriptions_of_its_type_and_account() {
        let mut index = Index::default();
        index.insert(&subscription(1, "https://a.example", "x"));
        index.insert(&subscription(2, "https://b.example", "x"));
        index.insert(&subscription(3, "https://b.example", "y"));
        index.set(SubscriptionNo(2), State::Paused);
        assert_eq!(matched(&index, "x"), [(1, 0), (2, 0)]);
        assert!(index.matches(AccountNo(2), &"x".parse().unwrap()).is_empty());
    }

    #[test]
    fn a_deactivated_subscription_comes_back_in_its_next_generation() {
        let mut index = Index::default();
        index.insert(&subscription(1, "https://a.example", "x"));
        index.set(SubscriptionNo(1), State::Deactivated);
        assert_eq!(matched(&index, "x"), []);
        index.set(SubscriptionNo(1), State::Active);
        assert_eq!(matched(&index, "x"), [(1, 1)]);
        index.set(SubscriptionNo(1), State::Paused);
        assert_eq!(matched(&index, "x"), [(1, 1)]);
    }

    #[test]
    fn a_subscription_is_found_by_url_and_filter_until_it_is_removed() {
        let mut index = Index::default();
        let one = subscription(1, "https://a.example/hook", "x");
        index.insert(&one);
        index.insert(&subscription(2, "https://a.example/hook", "y"));
        let find = |index: &Index| index.find(ACCOUNT, one.url.normalized(), &one.filter);
        assert_eq!(find(&index), Some(SubscriptionNo(1)));
        assert_eq!(index.of_url(ACCOUNT, one.url.normalized()).len(), 2);
        index.remove(SubscriptionNo(1));
        assert_eq!(find(&index), None);
        assert_eq!(matched(&index, "x"), []);
    }
}
