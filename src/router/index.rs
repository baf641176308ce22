//! The router's index: every subscription in a few dozen bytes, found by event type, by URL or by number.
//!
//! It is ahead of the store by what is queued to the writer, in the same order, and knows only what routing needs;
//! records are the store's.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashTable;
use sha2::{Digest, Sha256};
use slab::Slab;
use smallvec::SmallVec;

use crate::condition::Condition;
use crate::event_type::{EventType, patterns_of};
use crate::filter::{Channel, Filter};
use crate::id::{AccountNo, SubscriptionNo};
use crate::label::Uid;
use crate::metrics::hooks::ByStatus;
use crate::store::Address;
use crate::subscription::{Envelope, Generation, Match, Matches, Status, Subscription};

/// All subscriptions.
#[derive(Default)]
pub struct Index {
    entries: HashMap<SubscriptionNo, Entry>,
    /// By the URL that their entries name, keyed by chance: whoever chooses URLs chooses no place in it.
    by_url: HashTable<SubscriptionNo>,
    keyed: RandomState,
    matching: HashMap<(AccountNo, EventType), List>,
    /// Those that want every type.
    omnivorous: HashMap<AccountNo, List>,
    filters: Filters,
    /// What must hold of an event's data, for the subscriptions that say so.
    conditions: HashMap<SubscriptionNo, Condition>,
    /// How many conditions there are, for those who do not look into the index.
    conditioned: Arc<AtomicUsize>,
    /// How many names of patterns there are in the filters of all subscriptions.
    patterns: usize,
    uids: HashMap<(AccountNo, Uid), SubscriptionNo>,
    uid_of: HashMap<SubscriptionNo, Uid>,
    by_status: ByStatus,
}

/// What routing needs to know of a subscription.
#[derive(Clone, Debug)]
pub struct Entry {
    pub account: AccountNo,
    pub state: State,
    pub generation: Generation,
    filter: FilterNo,
    envelope: Envelope,
    url: UrlHash,
}

/// Subscriptions that want a type.
#[derive(Clone, Default)]
struct List {
    matches: Matches,
    /// How many of them want certain channels alone, or say what must hold of the data.
    choosy: usize,
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
            envelope: subscription.envelope,
            url: UrlHash::of(subscription.account, subscription.url.normalized()),
        };
        self.name(subscription.account, subscription.no, subscription.profile.uid.as_ref());
        self.put(subscription.no, entry, subscription.condition.as_ref());
    }

    fn put(&mut self, no: SubscriptionNo, entry: Entry, condition: Option<&Condition>) {
        self.conditions.extend(condition.map(|condition| (no, condition.clone())));
        self.conditioned.store(self.conditions.len(), Ordering::Relaxed);
        let hash = self.keyed.hash_one(entry.url);
        self.patterns += self.filters.get(entry.filter).patterns();
        self.list(no, &entry);
        self.by_status.add(entry.state as usize);
        self.entries.insert(no, entry);
        let Self { by_url, entries, keyed, .. } = self;
        by_url.insert_unique(hash, no, |no| keyed.hash_one(entries[no].url));
    }

    /// Gives a subscription another URL, filter, condition and uid.
    pub fn change(
        &mut self,
        no: SubscriptionNo,
        url: &str,
        filter: &Filter,
        condition: Option<&Condition>,
        uid: Option<&Uid>,
    ) {
        let Some(entry) = self.take_out(no) else { return };
        let (filter, url) = (self.filters.take(filter), UrlHash::of(entry.account, url));
        self.name(entry.account, no, uid);
        self.put(no, Entry { filter, url, ..entry }, condition);
    }

    /// The account's subscription of this uid.
    pub fn of_uid(&self, account: AccountNo, uid: &Uid) -> Option<SubscriptionNo> {
        self.uids.get(&(account, uid.clone())).copied()
    }

    fn name(&mut self, account: AccountNo, no: SubscriptionNo, uid: Option<&Uid>) {
        if let Some(earlier) = self.uid_of.remove(&no) {
            self.uids.remove(&(account, earlier));
        }
        if let Some(uid) = uid {
            self.uids.insert((account, uid.clone()), no);
            self.uid_of.insert(no, uid.clone());
        }
    }

    /// Takes a subscription out; says what it was.
    pub fn remove(&mut self, no: SubscriptionNo) -> Option<Entry> {
        let entry = self.take_out(no)?;
        self.name(entry.account, no, None);
        Some(entry)
    }

    fn take_out(&mut self, no: SubscriptionNo) -> Option<Entry> {
        let entry = self.entries.remove(&no)?;
        self.unlist(no, &entry);
        self.conditions.remove(&no);
        self.conditioned.store(self.conditions.len(), Ordering::Relaxed);
        self.patterns -= self.filters.get(entry.filter).patterns();
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

    /// The account's subscription of this URL with exactly this filter that gets the documented envelope: of those there
    /// is one at most.
    pub fn find(&self, account: AccountNo, url: &str, filter: &Filter) -> Option<SubscriptionNo> {
        let wanted = *self.filters.numbers.get(filter)?;
        self.documented(self.of_url(account, url)).find(|no| self.entries[no].filter == wanted)
    }

    /// Whether a subscription gets the documented envelope.
    pub fn is_documented(&self, no: SubscriptionNo) -> bool {
        self.get(no).is_some_and(|entry| entry.envelope == Envelope::Documented)
    }

    /// Those among them that get the documented envelope.
    pub fn documented(&self, numbers: Numbers) -> impl Iterator<Item = SubscriptionNo> + '_ {
        numbers.into_iter().filter(|no| self.is_documented(*no))
    }

    /// How many conditions there are, wherever this is asked.
    pub fn conditioned(&self) -> Arc<AtomicUsize> {
        self.conditioned.clone()
    }

    /// The conditions of the account's subscriptions that want this type.
    pub fn conditions_on(&self, account: AccountNo, event_type: &EventType) -> Vec<Condition> {
        let lists = self.lists(account, event_type);
        let listed = lists.into_iter().filter(|list| list.choosy > 0).flat_map(|list| list.matches.iter());
        listed.filter_map(|one| self.conditions.get(&one.subscription).cloned()).collect()
    }

    /// The account's subscriptions that an event of this type on these channels matches, if what `holds` says of each
    /// condition is so.
    pub fn matches(
        &self,
        account: AccountNo,
        event_type: &EventType,
        channels: &[Channel],
        holds: impl Fn(&Condition) -> bool,
    ) -> Matches {
        let lists = self.lists(account, event_type);
        match &lists[..] {
            [] => Matches::default(),
            [list] if list.choosy == 0 => list.matches.clone(),
            lists => {
                let mut matches = Vec::new();
                for list in lists {
                    let wanted = |one: &&Match| list.choosy == 0 || self.wants(one, channels, &holds);
                    matches.extend(list.matches.iter().filter(wanted).copied());
                }
                // Runs that are in order: they are merged.
                matches.sort();
                // One may name a type and a pattern that stands for it.
                matches.dedup();
                Arc::new(matches)
            }
        }
    }

    /// A subscription as what an event for it alone matches.
    pub fn only(&self, at: Address) -> Matches {
        let entry = self.of_account(at).filter(|entry| entry.state != State::Deactivated);
        let matched = |entry: &Entry| Match { subscription: at.subscription, generation: entry.generation };
        Arc::new(entry.map(matched).into_iter().collect())
    }

    /// The lists of those who want a type.
    fn lists(&self, account: AccountNo, event_type: &EventType) -> SmallVec<[&List; 4]> {
        let of_type = |named: EventType| self.matching.get(&(account, named));
        let mut lists: SmallVec<[&List; 4]> = of_type(event_type.clone()).into_iter().collect();
        lists.extend(self.omnivorous.get(&account).filter(|_| !event_type.is_own()));
        if self.patterns > 0 {
            lists.extend(patterns_of(event_type).filter_map(of_type));
        }
        lists
    }

    fn wants(&self, one: &Match, channels: &[Channel], holds: impl Fn(&Condition) -> bool) -> bool {
        let filter = self.entries.get(&one.subscription).map(|entry| self.filters.get(entry.filter));
        filter.is_some_and(|filter| filter.has_channel(channels))
            && self.conditions.get(&one.subscription).is_none_or(holds)
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
        let filter = self.filters.get(entry.filter);
        let choosy = !filter.channels().is_empty() || self.conditions.contains_key(&no);
        match filter.event_types() {
            None => self.omnivorous.entry(entry.account).or_default().add(listed, choosy),
            Some(event_types) => {
                for event_type in event_types {
                    let key = (entry.account, event_type.clone());
                    self.matching.entry(key).or_default().add(listed, choosy);
                }
            }
        }
    }

    fn unlist(&mut self, no: SubscriptionNo, entry: &Entry) {
        let filter = self.filters.get(entry.filter);
        let choosy = !filter.channels().is_empty() || self.conditions.contains_key(&no);
        match filter.event_types() {
            None => take_out(&mut self.omnivorous, &entry.account, no, choosy),
            Some(event_types) => {
                for event_type in event_types {
                    take_out(&mut self.matching, &(entry.account, event_type.clone()), no, choosy);
                }
            }
        }
    }
}

/// Takes a subscription out of a list, and away with one that is empty.
fn take_out<K: Eq + Hash>(lists: &mut HashMap<K, List>, key: &K, no: SubscriptionNo, choosy: bool) {
    if lists.get_mut(key).is_some_and(|list| list.take_out(no, choosy)) {
        lists.remove(key);
    }
}

impl List {
    fn add(&mut self, listed: Match, choosy: bool) {
        let matches = Arc::make_mut(&mut self.matches);
        let at = matches.partition_point(|other| other.subscription < listed.subscription);
        matches.insert(at, listed);
        self.choosy += usize::from(choosy);
    }

    /// Says whether there is none left.
    fn take_out(&mut self, no: SubscriptionNo, choosy: bool) -> bool {
        if let Ok(at) = self.matches.binary_search_by_key(&no, |listed| listed.subscription) {
            Arc::make_mut(&mut self.matches).remove(at);
            self.choosy -= usize::from(choosy);
        }
        self.matches.is_empty()
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

    fn get(&self, no: FilterNo) -> &Filter {
        &self.all[no as usize].0
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
    use crate::subscription::{CustomHeaders, DeliveryPolicy, Profile, Secret};

    const ACCOUNT: AccountNo = AccountNo(1);

    fn subscription(no: u64, url: &str, event: &str) -> Subscription {
        Subscription {
            no: SubscriptionNo(no),
            id: HookId::from_bytes([0; 20]),
            account: ACCOUNT,
            url: url.parse().unwrap(),
            filter: Filter::one(event.parse().unwrap()),
            condition: None,
            envelope: Envelope::Documented,
            secret: Secret::generate(),
            previous_secrets: Vec::new(),
            headers: CustomHeaders::default(),
            client_certificate: None,
            status: Status::Active,
            generation: Generation(0),
            floor: Generation(0),
            profile: Profile::default(),
            delivery: DeliveryPolicy::default(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    fn matched(index: &Index, event: &str) -> Vec<(u64, u32)> {
        let matches = index.matches(ACCOUNT, &event.parse().unwrap(), &[], |_| unreachable!("none has one"));
        matches.iter().map(|matched| (matched.subscription.0, matched.generation.0)).collect()
    }

    #[test]
    fn a_condition_decides_for_its_subscription_alone() {
        let mut index = Index::default();
        let condition: Condition = "@.a == 1".parse().unwrap();
        let conditioned = Some(condition.clone());
        index.insert(&Subscription { condition: conditioned, ..subscription(1, "https://a.example/", "x") });
        index.insert(&subscription(2, "https://b.example/", "x"));
        let x = "x".parse().unwrap();
        let found = |index: &Index, holds: bool| {
            let matches = index.matches(ACCOUNT, &x, &[], |asked| {
                assert_eq!(*asked, condition);
                holds
            });
            matches.iter().map(|matched| matched.subscription.0).collect::<Vec<_>>()
        };
        assert_eq!((found(&index, true), found(&index, false)), (vec![1, 2], vec![2]));
        assert_eq!(index.conditions_on(ACCOUNT, &x), vec![condition.clone()]);
        index.set(SubscriptionNo(1), State::Deactivated);
        index.set(SubscriptionNo(1), State::Active);
        assert_eq!(found(&index, false), [2]);
        index.change(SubscriptionNo(1), "https://a.example/", &Filter::one(x.clone()), None, None);
        assert_eq!(found(&index, false), [1, 2]);
        assert_eq!(index.conditioned().load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_pattern_matches_what_is_below_it_once() {
        let mut index = Index::default();
        let both =
            Filter::new(Some(vec!["lead.*".parse().unwrap(), "lead.created".parse().unwrap()]), Vec::new());
        index.insert(&Subscription { filter: both, ..subscription(1, "https://a.example/", "x") });
        index.insert(&subscription(2, "https://b.example/", "lead.*"));
        index.insert(&subscription(3, "https://c.example/", "lead.created"));
        index.insert(&subscription(4, "https://d.example/", "lead.created.late.*"));
        assert_eq!(matched(&index, "lead.created"), [(1, 0), (2, 0), (3, 0)]);
        assert_eq!(matched(&index, "lead.created.late.again"), [(1, 0), (2, 0), (4, 0)]);
        assert_eq!(matched(&index, "lead"), []);
        index.change(SubscriptionNo(1), "https://a.example/", &Filter::one("x".parse().unwrap()), None, None);
        assert!([2, 4].into_iter().all(|no| index.remove(SubscriptionNo(no)).is_some()));
        assert_eq!((matched(&index, "lead.created"), index.patterns), (vec![(3, 0)], 0));
    }

    #[test]
    fn an_event_matches_active_and_paused_subscriptions_of_its_type_and_account() {
        let mut index = Index::default();
        index.insert(&subscription(1, "https://a.example", "x"));
        index.insert(&subscription(2, "https://b.example", "x"));
        index.insert(&subscription(3, "https://b.example", "y"));
        index.set(SubscriptionNo(2), State::Paused);
        assert_eq!(matched(&index, "x"), [(1, 0), (2, 0)]);
        assert!(index.matches(AccountNo(2), &"x".parse().unwrap(), &[], |_| true).is_empty());
    }

    #[test]
    fn what_wants_every_type_or_certain_channels_matches_in_the_order_of_numbers() {
        let channel = |name: &str| name.parse::<Channel>().unwrap();
        let every = |no, channels: &[&str]| {
            let filter = Filter::new(None, channels.iter().map(|name| channel(name)).collect());
            Subscription { filter, ..subscription(no, "https://a.example", "x") }
        };
        let mut index = Index::default();
        index.insert(&every(1, &["red"]));
        index.insert(&subscription(2, "https://b.example", "x"));
        index.insert(&every(3, &[]));
        let on = |index: &Index, event: &str, channels: &[Channel]| -> Vec<u64> {
            let matches = index.matches(ACCOUNT, &event.parse().unwrap(), channels, |_| true);
            matches.iter().map(|matched| matched.subscription.0).collect()
        };
        assert_eq!(on(&index, "x", &[channel("red")]), [1, 2, 3]);
        assert_eq!(on(&index, "x", &[channel("blue")]), [2, 3]);
        assert_eq!(on(&index, "y", &[]), [3]);
        index.remove(SubscriptionNo(3));
        assert!(on(&index, "y", &[]).is_empty());
        index.remove(SubscriptionNo(1));
        assert!(index.omnivorous.is_empty());
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
