//! Numbers and public ids: how the ledger counts, and what the outside world sees of it.
//!
//! Inside, everything has a dense number given in commit order. Outside, it has an [`Id`]: the number, masked,
//! and a random nonce. An id leads to its row without an index, tells nobody how many there are, and never repeats,
//! not even after a restore.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::clock::Timestamp;

/// An event's place in the ledger, given by the writer in commit order, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventNo(pub u64);

/// A subscription's number, from 1, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubscriptionNo(pub u64);

/// An account's number, from 1 (the account `default`), never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountNo(pub u32);

/// What makes two ids of one kind with one number different.
pub type Nonce = [u8; 12];

/// A kind of public id.
pub trait Kind {
    /// What its ids begin with, the underscore included.
    const PREFIX: &'static str;
}

/// Declares kinds of public ids: what marks the kind, what its ids begin with, and the name of the ids.
macro_rules! kinds {
    ($($(#[$about:meta])* $id:ident of $kind:ident: $prefix:literal;)*) => {$(
        #[doc = concat!("The kind of [`", stringify!($id), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $kind;

        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }

        $(#[$about])*
        pub type $id = Id<$kind>;
    )*};
}

kinds! {
    /// An event's public id, `evt_…`: the `webhook-id` of every attempt to deliver it.
    EventId of OfEvent: "evt_";
    /// A subscription's public id, `hook_…`.
    HookId of OfHook: "hook_";
    /// A delivery's public id, `dlv_…`: it stands for an event and a subscription, see [`Seal::close_delivery`].
    DeliveryId of OfDelivery: "dlv_";
    /// An API key's public id, `key_…`; it is not the key.
    KeyId of OfKey: "key_";
    /// An event's public id in the operator's API, `msg_…`: that of the event but for the prefix.
    MessageId of OfMessage: "msg_";
    /// A subscription's public id in the operator's API, `ep_…`: that of the hook but for the prefix.
    EndpointId of OfEndpoint: "ep_";
    /// The public id of an attempt, `atmpt_…`, see [`Seal::close_attempt`].
    AttemptId of OfAttempt: "atmpt_";
    /// The public id of something that goes on in the background, `qtask_…`.
    TaskId of OfTask: "qtask_";
    /// An account's public id in the operator's API, `app_…`, see [`Seal::close_account`].
    ApplicationId of OfApplication: "app_";
}

/// A public id: a prefix and 27 base62 characters over 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K>([u8; 20], PhantomData<K>);

/// The text is no id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

/// Masks the number in an id, so that ids tell nobody the traffic.
///
/// The mask is HMAC-SHA256 over the nonce, keyed with a secret of the store. It keeps numbers from being read; it
/// authenticates nothing, which is why a look-up also compares the nonce with the one stored.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

const DIGITS: usize = 27;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl EventNo {
    /// The number that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Seal {
    /// Makes the seal of a store from its secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    /// The public id of `number` with `nonce`.
    pub fn close<K>(&self, number: u64, nonce: Nonce) -> Id<K> {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&(number ^ self.mask(&nonce)).to_be_bytes());
        bytes[8..].copy_from_slice(&nonce);
        Id(bytes, PhantomData)
    }

    /// The number and the nonce that an id of this store was made of; any number at all for a foreign one.
    pub fn open<K>(&self, id: &Id<K>) -> (u64, Nonce) {
        let (masked, nonce) = id.0.split_at(8);
        let nonce: Nonce = nonce.try_into().expect("20 bytes less 8 are 12");
        let masked = u64::from_be_bytes(masked.try_into().expect("split at 8"));
        (masked ^ self.mask(&nonce), nonce)
    }

    /// The id of the delivery of an event for a subscription: always the same, and no row keeps it.
    ///
    /// It is a tag over both, and both masked by that tag. The tag also covers the event's own id, so deliveries of
    /// different events that got one number, before and after a restore, differ.
    pub fn close_delivery(&self, event: &EventId, subscription: SubscriptionNo) -> DeliveryId {
        let (no, _) = self.open(event);
        let tag = self.0.clone().chain_update(event.0).chain_update(subscription.0.to_be_bytes());
        let tag: [u8; 4] = tag.finalize().into_bytes()[..4].try_into().expect("a SHA-256 tag has 32 bytes");
        let both = (u128::from(no) << 64) | u128::from(subscription.0);
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&tag);
        bytes[4..].copy_from_slice(&(both ^ self.delivery_mask(&tag)).to_be_bytes());
        Id(bytes, PhantomData)
    }

    /// The event and the subscription that an id of this store was made of; any numbers at all for a foreign one, so
    /// a look-up makes the id again and compares.
    pub fn open_delivery(&self, id: &DeliveryId) -> (EventNo, SubscriptionNo) {
        let (tag, masked) = id.0.split_at(4);
        let masked = u128::from_be_bytes(masked.try_into().expect("20 bytes less 4 are 16"));
        let both = masked ^ self.delivery_mask(tag);
        (EventNo((both >> 64) as u64), SubscriptionNo(both as u64))
    }

    /// The id of an attempt, the `n`th of its delivery: always the same, and no row keeps it.
    ///
    /// It is a tag of 7 bytes over all three and the event's own id, and the numbers, masked by that tag: six bytes for
    /// the event, five for the subscription, two for the attempt.
    pub fn close_attempt(&self, event: &EventId, subscription: SubscriptionNo, n: u16) -> AttemptId {
        let (no, _) = self.open(event);
        let mut numbers = [0; 13];
        numbers[..6].copy_from_slice(&no.to_be_bytes()[2..]);
        numbers[6..11].copy_from_slice(&subscription.0.to_be_bytes()[3..]);
        numbers[11..].copy_from_slice(&n.to_be_bytes());
        let tag = self.0.clone().chain_update(b"attempt").chain_update(event.0).chain_update(numbers);
        let mut bytes = [0; 20];
        let tag = tag.finalize().into_bytes();
        bytes[..7].copy_from_slice(&tag[..7]);
        bytes[7..].copy_from_slice(&self.masked_attempt(&tag[..7], numbers));
        Id(bytes, PhantomData)
    }

    /// The event, the subscription and the attempt that an id of this store was made of; any numbers at all for a
    /// foreign one, so a look-up makes the id again and compares.
    pub fn open_attempt(&self, id: &AttemptId) -> (EventNo, SubscriptionNo, u16) {
        let (tag, masked) = id.0.split_at(7);
        let numbers = self.masked_attempt(tag, masked.try_into().expect("20 bytes less 7 are 13"));
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        (
            EventNo(number(&numbers[..6])),
            SubscriptionNo(number(&numbers[6..11])),
            number(&numbers[11..]) as u16,
        )
    }

    fn masked_attempt(&self, tag: &[u8], mut numbers: [u8; 13]) -> [u8; 13] {
        let mask = self.0.clone().chain_update(b"attempt mask").chain_update(tag).finalize().into_bytes();
        numbers.iter_mut().zip(mask).for_each(|(number, mask)| *number ^= mask);
        numbers
    }

    /// The id of an account in the operator's API: always the same, and no row keeps it.
    ///
    /// It is told by when the account was made, so that an account that gets a number again after a restore differs.
    pub fn close_account(&self, account: AccountNo, created_at: Timestamp) -> ApplicationId {
        let tag = self.0.clone().chain_update(b"account").chain_update(account.0.to_be_bytes());
        let tag = tag.chain_update(created_at.0.to_be_bytes()).finalize().into_bytes();
        self.close(account.0.into(), tag[..12].try_into().expect("a SHA-256 tag has 32 bytes"))
    }

    /// A secret of the store for another purpose.
    pub fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(b"derived").chain_update(purpose).finalize().into_bytes().into()
    }

    fn mask(&self, nonce: &Nonce) -> u64 {
        let tag = self.0.clone().chain_update(nonce).finalize().into_bytes();
        u64::from_be_bytes(tag[..8].try_into().expect("a SHA-256 tag has 32 bytes"))
    }

    fn delivery_mask(&self, tag: &[u8]) -> u128 {
        let mask = self.0.clone().chain_update(b"delivery").chain_update(tag).finalize().into_bytes();
        u128::from_be_bytes(mask[..16].try_into().expect("a SHA-256 tag has 32 bytes"))
    }
}

impl<K> Id<K> {
    /// The id of another kind that has the same bytes: of the same thing, in the other API.
    pub fn of<L>(id: Id<L>) -> Self {
        Self(id.0, PhantomData)
    }

    /// An id that stands for no number, only for itself.
    pub fn random() -> Self {
        Self(rand::random(), PhantomData)
    }

    /// The id's 20 bytes, as a store keeps them.
    pub fn to_bytes(self) -> [u8; 20] {
        self.0
    }

    /// The id of these 20 bytes.
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes, PhantomData)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; DIGITS];
        // The 160-bit number as a high and a low half; each step divides it by 62.
        let mut high = u128::from(u32::from_be_bytes(self.0[..4].try_into().expect("4 of 20 bytes")));
        let mut low = u128::from_be_bytes(self.0[4..].try_into().expect("16 of 20 bytes"));
        for digit in digits.iter_mut().rev() {
            let carried = ((high % 62) << 64) | (low >> 64);
            high /= 62;
            let middle = carried / 62;
            let bottom = ((carried % 62) << 64) | (low & u128::from(u64::MAX));
            low = (middle << 64) | (bottom / 62);
            *digit = ALPHABET[(bottom % 62) as usize];
        }
        f.write_str(K::PREFIX)?;
        f.write_str(std::str::from_utf8(&digits).expect("the alphabet is ASCII"))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix(K::PREFIX).ok_or(NotAnId)?.as_bytes();
        if digits.len() != DIGITS {
            return Err(NotAnId);
        }
        let (mut high, mut low) = (0u64, 0u128);
        for digit in digits {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'A'..=b'Z' => digit - b'A' + 10,
                b'a'..=b'z' => digit - b'a' + 36,
                _ => return Err(NotAnId),
            };
            let bottom = (low & u128::from(u64::MAX)) * 62 + u128::from(value);
            let middle = (low >> 64) * 62 + (bottom >> 64);
            low = (middle << 64) | (bottom & u128::from(u64::MAX));
            high = high * 62 + (middle >> 64) as u64;
            if high > u64::from(u32::MAX) {
                return Err(NotAnId);
            }
        }
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&(high as u32).to_be_bytes());
        bytes[4..].copy_from_slice(&low.to_be_bytes());
        Ok(Self(bytes, PhantomData))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_it_was_written(bytes: [u8; 20]) {
            let id = EventId::from_bytes(bytes);
            let text = id.to_string();
            prop_assert_eq!(text.len(), 4 + 27);
            prop_assert_eq!(text.parse::<EventId>(), Ok(id));
        }

        #[test]
        fn a_seal_opens_what_it_closed(number: u64, nonce: [u8; 12], secret: [u8; 32]) {
            let seal = Seal::new(&secret);
            prop_assert_eq!(seal.open(&seal.close::<OfHook>(number, nonce)), (number, nonce));
        }

        #[test]
        fn a_delivery_id_leads_to_its_event_and_subscription(no: u64, nonce: [u8; 12], subscription: u64) {
            let seal = Seal::new(&[7; 32]);
            let id = seal.close_delivery(&seal.close(no, nonce), SubscriptionNo(subscription));
            prop_assert_eq!(seal.open_delivery(&id), (EventNo(no), SubscriptionNo(subscription)));
            let other = seal.close_delivery(&seal.close(no, [0; 12]), SubscriptionNo(subscription));
            prop_assert_eq!(id == other, nonce == [0; 12]);
        }

        #[test]
        fn an_attempts_id_leads_to_its_event_its_subscription_and_its_number(
            no in 0u64..1 << 48,
            nonce: [u8; 12],
            subscription in 0u64..1 << 40,
            n: u16,
        ) {
            let seal = Seal::new(&[7; 32]);
            let id = seal.close_attempt(&seal.close(no, nonce), SubscriptionNo(subscription), n);
            prop_assert_eq!(seal.open_attempt(&id), (EventNo(no), SubscriptionNo(subscription), n));
            let next = seal.close_attempt(&seal.close(no, nonce), SubscriptionNo(subscription), n ^ 1);
            prop_assert_ne!(&id.to_bytes()[7..], &next.to_bytes()[7..]);
            let other = seal.close_attempt(&seal.close(no, [0; 12]), SubscriptionNo(subscription), n);
            prop_assert_eq!(id == other, nonce == [0; 12]);
        }

        #[test]
        fn an_accounts_id_leads_to_it_and_tells_when_it_was_made(account: u32, at: u64) {
            let seal = Seal::new(&[7; 32]);
            let id = seal.close_account(AccountNo(account), Timestamp(at));
            prop_assert_eq!(seal.open(&id).0, u64::from(account));
            prop_assert_ne!(id, seal.close_account(AccountNo(account), Timestamp(at ^ 1)));
        }

        #[test]
        fn text_of_any_kind_is_an_id_or_refused(text in "(evt_)?[0-9A-Za-z]{0,30}") {
            if let Ok(id) = text.parse::<EventId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_past_twenty_bytes_is_refused() {
        assert_eq!(format!("evt_{}", "z".repeat(27)).parse::<EventId>(), Err(NotAnId));
    }

    #[test]
    fn neighbouring_numbers_have_ids_that_share_no_beginning() {
        let seal = Seal::new(&[7; 32]);
        let first = seal.close::<OfEvent>(1, [1; 12]).to_string();
        let second = seal.close::<OfEvent>(2, [2; 12]).to_string();
        assert_ne!(first[..8], second[..8]);
    }
}
