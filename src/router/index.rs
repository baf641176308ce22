//! The router's index: every subscription in a few dozen bytes, found by event type, by URL or by number.
//!
//! It is ahead of the store by what is queued to the writer, in the same order, and knows only what routing needs;
//! records are the store's.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use sha2::{Digest, Sha256};
use slab::Slab;
use smallvec::SmallVec;

use crate::event_type::EventType;
use crate::filter::Filter;
use crate::id::{AccountNo, SubscriptionNo};
use crate::metrics::hooks::ByStatus;
use crate::store::Address;
use crate::subscription::{Generation, Match, Matches, Status, Subscription};

/// All subscriptions.
#[derive(Default)]
pub struct Index {
    entries: HashMap<SubscriptionNo, Entry>,
    /// By the URL that their entries name, keyed by chance: whoever chooses URLs chooses no place in it.
    by_url: HashTable<SubscriptionNo>,
    keyed: RandomState,
    matching: HashMap<(AccountNo, EventType), Matches>,
    filters: Filters,
    by_status: ByStatus,
}

/// What routing needs to know of a subscription.
#[derive(Clone, Debug)]
pub struct Entry {
    pub account: AccountNo,
    pub state: State,
    pub generation: Generation,
    filter: FilterNo,
    url: UrlHash,
}

/// The filters that subscriptions have, each once, with how many have it.
#[derive(Default)]
struct Filters {
    all: Slab<(Filter, u32)>,
    numbers: HashMap<Filter, FilterNo>,
}

/// A filter's number, for as long as a subscription has it.
type FilterNo = u32;

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

/// Some subscriptions, oldest first.
pub type Numbers = SmallVec<[SubscriptionNo; 4]>;

impl Index {
    /// An empty index that says how many subscriptions it holds of each state.
    pub fn counting_in(by_status: ByStatus) -> Self {
        by_status.reset();
        Self { by_status, ..Self::default() }
    }

    /// Adds a subscription.
    pub fn insert(&mut self, subscription: &Subscription) {
        let entry = Entry {
            account: subscription.account,
            state: State::of(&subscription.status),
            generation: subscription.generation,
            filter: self.filters.take(&subscription.filter),
            url: UrlHash::of(subscription.account, subscription.url.normalized()),
        };
        let (no, hash) = (subscription.no, self.keyed.hash_one(entry.url));
        self.list(no, &entry);
        self.by_status.add(entry.state as usize);
        self.entries.insert(no, entry);
        let Self { by_url, entries, keyed, .. } = self;
        by_url.insert_unique(hash, no, |no| keyed.hash_one(entries[no].url));
    }

    /// Takes a subscription out; says what it was.
    pub fn remove(&mut self, no: SubscriptionNo) -> Option<Entry> {
        let entry = self.entries.remove(&no)?;
        self.unlist(no, &entry);
        self.filters.give_back(entry.filter);
        self.by_status.remove(entry.state as usize);
        if let Ok(found) = self.by_url.find_entry(self.keyed.hash_one(entry.url), |other| *other == no) {
            found.remove();
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
        let Some(mut entry) = self.entries.get(&no).cloned() else {
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
    pub fn of_url(&self, account: AccountNo, url: &str) -> Numbers {
        self.at(UrlHash::of(account, url))
    }

    /// The subscriptions that have the account and the URL of this one, itself among them.
    pub fn siblings(&self, no: SubscriptionNo) -> Numbers {
        self.get(no).map(|entry| self.at(entry.url)).unwrap_or_default()
    }

    /// The account's subscription of this URL with exactly this filter.
    pub fn find(&self, account: AccountNo, url: &str, filter: &Filter) -> Option<SubscriptionNo> {
        let wanted = *self.filters.numbers.get(filter)?;
        self.of_url(account, url).into_iter().find(|no| self.entries[no].filter == wanted)
    }

    /// The account's subscriptions that an event of this type matches.
    pub fn matches(&self, account: AccountNo, event_type: &EventType) -> Matches {
        self.matching.get(&(account, event_type.clone())).cloned().unwrap_or_default()
    }

    fn at(&self, url: UrlHash) -> Numbers {
        let candidates = self.by_url.iter_hash(self.keyed.hash_one(url));
        let mut found: Numbers = candidates.filter(|no| self.entries[*no].url == url).copied().collect();
        found.sort_unstable();
        found
    }

    fn list(&mut self, no: SubscriptionNo, entry: &Entry) {
        if entry.state == State::Deactivated {
            return;
        }
        let listed = Match { subscription: no, generation: entry.generation };
        for event_type in self.filters.event_types(entry.filter) {
            let key = (entry.account, event_type.clone());
            let matching = Arc::make_mut(self.matching.entry(key).or_default());
            let at = matching.partition_point(|other| other.subscription < no);
            matching.insert(at, listed);
        }
    }

    fn unlist(&mut self, no: SubscriptionNo, entry: &Entry) {
        for event_type in self.filters.event_types(entry.filter) {
            let key = (entry.account, event_type.clone());
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

impl Filters {
    /// The number of a filter that one more subscription has.
    fn take(&mut self, filter: &Filter) -> FilterNo {
        let known = self.numbers.get(filter).copied();
        let no = known.unwrap_or_else(|| {
            let no = self.all.insert((filter.clone(), 0)) as FilterNo;
            self.numbers.insert(filter.clone(), no);
            no
        });
        self.all[no as usize].1 += 1;
        no
    }

    /// One subscription fewer has it.
    fn give_back(&mut self, no: FilterNo) {
        let (filter, users) = &mut self.all[no as usize];
        *users -= 1;
        if *users == 0 {
            self.numbers.remove(filter);
            self.all.remove(no as usize);
        }
    }

    fn event_types(&self, no: FilterNo) -> &[EventType] {
        self.all[no as usize].0.event_types()
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
        assert_eq!((index.by_url.len(), index.filters.all.len(), index.filters.numbers.len()), (1, 1, 1));
        assert_eq!(matched(&index, "x"), []);
    }
}
