//! The keys of the ledger's rows: one table, a letter for the kind, then big-endian numbers, so that every list is one
//! range scan and "the greatest at or below" finds a block or a page.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::account::{AccountId, KeyHash};
use crate::event_type::EventType;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::Address;
use crate::store::history::Order;

/// The schema version.
pub const SCHEMA: &[u8] = b"0schema";
/// The secret that public ids are masked with.
pub const SEAL: &[u8] = b"0seal";
/// The numbers that the next subscription and account get.
pub const COUNTERS: &[u8] = b"0counters";
/// The cursor.
pub const CURSOR: &[u8] = b"0cursor";
/// The latest event that has an idempotency key.
pub const KEYED: &[u8] = b"0keyed";
/// How many bytes the blocks have; written with the cursor.
pub const USAGE: &[u8] = b"0usage";
/// Up to which commit all attempts are counted in the rows of hours.
pub const COUNTED: &[u8] = b"0counted";
/// Where the steady clock stood when something was last made due.
pub const TIME: &[u8] = b"0time";

/// Up to which record of the log its other rows are in sled. It says nothing of another store, and is never copied.
pub const CHECKPOINT: &[u8] = b"0logged";
/// The first segment of the log that is needed; never copied either.
pub const BEGINNING: &[u8] = b"0begin";

/// Under which master keys anything may be sealed.
pub const SEALED_UNDER: &[u8] = b"0sealed-under";

const ACCOUNT: u8 = b'a';
const BACKLOG_PAGE: u8 = b'b';
const EVENT_CHAPTER: u8 = b'c';
const TOLD: u8 = b'd';
const EVENT_BLOCK: u8 = b'e';
const GARBAGE: u8 = b'g';
const HEALTH: u8 = b'h';
const API_KEY: u8 = b'k';
const POSTINGS: u8 = b'l';
const HOURS: u8 = b'n';
const PROGRESS: u8 = b'p';
const RETRY: u8 = b'r';
const SETTLEMENT_BLOCK: u8 = b's';
const ATTEMPT_CHAPTER: u8 = b't';
const SUBSCRIPTION: u8 = b'u';
const EVENT_TYPE: u8 = b'y';

/// Bytes of a block's key.
pub const BLOCK_KEY: usize = 11;
/// Bytes of the key of a row that belongs to a subscription and an event.
pub const PAIR_KEY: usize = 17;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Schema,
    Seal,
    Counted,
    Counters,
    Cursor,
    Usage,
    Keyed,
    SealedUnder,
    Time,
    Account,
    ApiKey,
    Block(Block),
    EventType,
    Garbage,
    Health,
    Hours,
    Pair(Pair),
    Subscription,
}

/// A kind of block; its rows are numbered by what begins in it, and by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// By the first event's number.
    Events,
    /// By the commit's number, several to a commit told apart by their lowest bits.
    Settlements,
    /// The directory of a chapter of events, by the first event's number.
    EventChapter,
    /// The lists that it names, by the same number.
    Postings,
    /// The directory of a chapter of attempts, by the number of a settlement block.
    AttemptChapter,
    /// What each of its blocks tells of, by the same number.
    Told,
}

impl Block {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Events,
        Self::Settlements,
        Self::EventChapter,
        Self::Postings,
        Self::AttemptChapter,
        Self::Told,
    ];

    fn letter(self) -> u8 {
        match self {
            Self::Events => EVENT_BLOCK,
            Self::Settlements => SETTLEMENT_BLOCK,
            Self::EventChapter => EVENT_CHAPTER,
            Self::Postings => POSTINGS,
            Self::AttemptChapter => ATTEMPT_CHAPTER,
            Self::Told => TOLD,
        }
    }

    /// The key of a piece of the block that begins at `no`.
    pub fn key(self, no: u64, piece: u16) -> [u8; BLOCK_KEY] {
        let mut key = [self.letter(); BLOCK_KEY];
        key[1..9].copy_from_slice(&no.to_be_bytes());
        key[9..].copy_from_slice(&piece.to_be_bytes());
        key
    }

    /// The keys of all pieces of all blocks that begin within `numbers`.
    pub fn range(self, numbers: RangeInclusive<u64>) -> RangeInclusive<[u8; BLOCK_KEY]> {
        self.key(*numbers.start(), 0)..=self.key(*numbers.end(), u16::MAX)
    }

    /// What a key of this kind says: where the block begins, and which piece it is.
    pub fn read(key: &[u8]) -> Option<(u64, u16)> {
        let no = u64::from_be_bytes(key.get(1..9)?.try_into().ok()?);
        let piece = u16::from_be_bytes(key.get(9..11)?.try_into().ok()?);
        Some((no, piece))
    }
}

/// The key of a row that lies in the log alone: a block's, or what is written with blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Logged([u8; BLOCK_KEY]);

impl Logged {
    /// The key, if its row lies in the log.
    pub fn of(key: &[u8]) -> Option<Self> {
        let is_logged = match *key.first()? {
            EVENT_BLOCK | SETTLEMENT_BLOCK | EVENT_CHAPTER | POSTINGS | ATTEMPT_CHAPTER | TOLD => {
                key.len() == BLOCK_KEY
            }
            _ => [BEGINNING, CURSOR, KEYED, USAGE].contains(&key),
        };
        let mut logged = Self([0; BLOCK_KEY]);
        logged.0.get_mut(..key.len())?.copy_from_slice(key);
        is_logged.then_some(logged)
    }

    /// The key as bytes.
    pub fn bytes(&self) -> &[u8] {
        match self.0[0] {
            b'0' => self.0.split(|byte| *byte == 0).next().unwrap_or_default(),
            _ => &self.0,
        }
    }
}

/// A kind of row that belongs to a subscription and an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// A delivery that failed.
    Retry,
    /// A backlog page, by its first event.
    Page,
    /// The progress of the page with the same numbers.
    Progress,
}

impl Pair {
    fn letter(self) -> u8 {
        match self {
            Self::Retry => RETRY,
            Self::Page => BACKLOG_PAGE,
            Self::Progress => PROGRESS,
        }
    }

    /// The row's key.
    pub fn key(self, subscription: SubscriptionNo, event: EventNo) -> [u8; PAIR_KEY] {
        let mut key = [self.letter(); PAIR_KEY];
        key[1..9].copy_from_slice(&subscription.0.to_be_bytes());
        key[9..].copy_from_slice(&event.0.to_be_bytes());
        key
    }

    /// The keys of all rows of this kind from one on.
    pub fn from(self, subscription: SubscriptionNo, event: EventNo) -> RangeInclusive<[u8; PAIR_KEY]> {
        self.key(subscription, event)..=self.key(SubscriptionNo(u64::MAX), EventNo(u64::MAX))
    }

    /// The keys of a subscription's rows of this kind.
    pub fn of(self, subscription: SubscriptionNo) -> RangeInclusive<[u8; PAIR_KEY]> {
        self.key(subscription, EventNo(0))..=self.key(subscription, EventNo(u64::MAX))
    }

    /// The keys of all rows of this kind.
    pub fn all(self) -> RangeInclusive<[u8; PAIR_KEY]> {
        let last = SubscriptionNo(u64::MAX);
        self.key(SubscriptionNo(0), EventNo(0))..=self.key(last, EventNo(u64::MAX))
    }

    /// What a key of this kind says.
    pub fn read(key: &[u8]) -> Option<(SubscriptionNo, EventNo)> {
        let subscription = u64::from_be_bytes(key.get(1..9)?.try_into().ok()?);
        let event = u64::from_be_bytes(key.get(9..17)?.try_into().ok()?);
        Some((SubscriptionNo(subscription), EventNo(event)))
    }
}

/// What the row with this key is; nothing that this version knows, if it is none.
pub fn kind(key: &[u8]) -> Option<Kind> {
    let whole = [
        (SCHEMA, Kind::Schema),
        (SEAL, Kind::Seal),
        (COUNTED, Kind::Counted),
        (COUNTERS, Kind::Counters),
        (CURSOR, Kind::Cursor),
        (USAGE, Kind::Usage),
        (KEYED, Kind::Keyed),
        (SEALED_UNDER, Kind::SealedUnder),
        (TIME, Kind::Time),
    ];
    if let Some((_, kind)) = whole.into_iter().find(|(known, _)| *known == key) {
        return Some(kind);
    }
    let (kind, length) = match *key.first()? {
        ACCOUNT => return (key.len() > 1).then_some(Kind::Account),
        EVENT_TYPE => return (key.len() > 1).then_some(Kind::EventType),
        API_KEY => (Kind::ApiKey, 33),
        EVENT_BLOCK => (Kind::Block(Block::Events), BLOCK_KEY),
        SETTLEMENT_BLOCK => (Kind::Block(Block::Settlements), BLOCK_KEY),
        EVENT_CHAPTER => (Kind::Block(Block::EventChapter), BLOCK_KEY),
        POSTINGS => (Kind::Block(Block::Postings), BLOCK_KEY),
        ATTEMPT_CHAPTER => (Kind::Block(Block::AttemptChapter), BLOCK_KEY),
        TOLD => (Kind::Block(Block::Told), BLOCK_KEY),
        GARBAGE => (Kind::Garbage, 9),
        HEALTH => (Kind::Health, 9),
        HOURS => (Kind::Hours, 9),
        RETRY => (Kind::Pair(Pair::Retry), PAIR_KEY),
        BACKLOG_PAGE => (Kind::Pair(Pair::Page), PAIR_KEY),
        PROGRESS => (Kind::Pair(Pair::Progress), PAIR_KEY),
        SUBSCRIPTION => (Kind::Subscription, 13),
        _ => return None,
    };
    (key.len() == length).then_some(kind)
}

/// The key of a subscription's record.
pub fn subscription(at: Address) -> [u8; 13] {
    let mut key = [SUBSCRIPTION; 13];
    key[1..5].copy_from_slice(&at.account.0.to_be_bytes());
    key[5..].copy_from_slice(&at.subscription.0.to_be_bytes());
    key
}

/// Where a subscription's key says it is.
pub fn read_subscription(key: &[u8]) -> Option<Address> {
    let account = u32::from_be_bytes(key.get(1..5)?.try_into().ok()?);
    let subscription = u64::from_be_bytes(key.get(5..13)?.try_into().ok()?);
    Some(Address { account: AccountNo(account), subscription: SubscriptionNo(subscription) })
}

/// The keys of an account's subscriptions, or of those that are behind one of them in an order.
pub fn subscriptions(
    account: AccountNo,
    order: Order,
    behind: Option<SubscriptionNo>,
) -> RangeInclusive<[u8; 13]> {
    let at = |no| subscription(Address { account, subscription: SubscriptionNo(no) });
    match (order, behind) {
        (Order::Ascending, Some(SubscriptionNo(u64::MAX))) | (Order::Descending, Some(SubscriptionNo(0))) => {
            at(1)..=at(0)
        }
        (Order::Ascending, Some(behind)) => at(behind.0 + 1)..=at(u64::MAX),
        (Order::Descending, Some(behind)) => at(0)..=at(behind.0 - 1),
        (_, None) => at(0)..=at(u64::MAX),
    }
}

/// The beginning of the keys of all subscriptions.
pub const ALL_SUBSCRIPTIONS: [u8; 1] = [SUBSCRIPTION];
/// The beginning of the keys of all retries.
pub const ALL_RETRIES: [u8; 1] = [RETRY];
/// The beginning of the keys of all accounts.
pub const ALL_ACCOUNTS: [u8; 1] = [ACCOUNT];
/// The beginning of the keys of all that was said of event types.
pub const ALL_EVENT_TYPES: [u8; 1] = [EVENT_TYPE];
/// The beginning of the keys of all hooks' health.
pub const ALL_HEALTH: [u8; 1] = [HEALTH];
/// The beginning of the keys of all API keys.
pub const ALL_API_KEYS: [u8; 1] = [API_KEY];
/// The beginning of the keys of all that unsubscribed hooks left behind.
pub const ALL_GARBAGE: [u8; 1] = [GARBAGE];

/// The key of a subscription's health.
pub fn health(subscription: SubscriptionNo) -> [u8; 9] {
    numbered(HEALTH, subscription)
}

/// The key of a subscription's attempts by the hour.
pub fn hours(subscription: SubscriptionNo) -> [u8; 9] {
    numbered(HOURS, subscription)
}

/// The key of the note that an unsubscribed hook left rows behind.
pub fn garbage(subscription: SubscriptionNo) -> [u8; 9] {
    numbered(GARBAGE, subscription)
}

/// The subscription that the key of its health or of a note names.
pub fn read_numbered(key: &[u8]) -> Option<SubscriptionNo> {
    Some(SubscriptionNo(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?)))
}

/// The key of an account.
pub fn account(id: &AccountId) -> Vec<u8> {
    [&[ACCOUNT], id.as_str().as_bytes()].concat()
}

/// The key of what was said of an event type.
pub fn event_type(name: &EventType) -> Vec<u8> {
    [&[EVENT_TYPE], name.as_str().as_bytes()].concat()
}

/// The key of an API key's record.
pub fn api_key(hash: &KeyHash) -> Vec<u8> {
    [&[API_KEY], &hash.0[..]].concat()
}

/// The account id, name or key hash that is the rest of a key.
pub fn rest(key: &[u8]) -> &[u8] {
    &key[1..]
}

fn numbered(letter: u8, subscription: SubscriptionNo) -> [u8; 9] {
    let mut key = [letter; 9];
    key[1..].copy_from_slice(&subscription.0.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn block_keys_sort_by_number_then_piece(a: (u64, u16), b: (u64, u16)) {
            let key = |(no, piece)| Block::Events.key(no, piece);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(Block::read(&key(a)), Some(a));
        }

        #[test]
        fn pair_keys_sort_by_subscription_then_event(a: (u64, u64), b: (u64, u64)) {
            let key = |(subscription, event)| Pair::Retry.key(SubscriptionNo(subscription), EventNo(event));
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(Pair::read(&key(a)), Some((SubscriptionNo(a.0), EventNo(a.1))));
        }

        #[test]
        fn a_subscriptions_rows_are_one_range(subscription: u64, event: u64, other: u64) {
            let range = Pair::Page.of(SubscriptionNo(subscription));
            let is_within = |no| range.contains(&Pair::Page.key(SubscriptionNo(no), EventNo(event)));
            prop_assert!(is_within(subscription));
            prop_assert_eq!(is_within(other), other == subscription);
        }

        #[test]
        fn an_accounts_subscriptions_are_one_range(account: u32, other: u32, no: u64, below: u64) {
            let key = subscription(Address { account: AccountNo(other), subscription: SubscriptionNo(no) });
            let is_in = |order, behind: Option<u64>| {
                subscriptions(AccountNo(account), order, behind.map(SubscriptionNo)).contains(&key)
            };
            prop_assert_eq!(is_in(Order::Descending, Some(below)), other == account && no < below);
            prop_assert_eq!(is_in(Order::Ascending, Some(below)), other == account && no > below);
            prop_assert_eq!(is_in(Order::Ascending, None), other == account);
        }
    }
}
