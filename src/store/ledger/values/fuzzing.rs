//! Fuzzing of the values: whatever a disk gives back is an error, or a value that is written and read as the same.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use super::*;
use crate::encryption::Keyring;
use crate::id::{Seal, SubscriptionNo};
use crate::store::ledger::pages::Page;

/// Decodes a value of the kind that the first byte names, by the letter with which the keys of such rows begin.
pub fn stored_value(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind {
        b'0' => plain::<u32>(bytes),
        b'1' => plain::<[u8; 32]>(bytes),
        b'2' => plain::<Counters>(bytes),
        b'3' => plain::<Usage>(bytes),
        b'4' => record(bytes, || (), |cursor: &Cursor| (cursor.event, cursor.commit)),
        b'a' => record(bytes, || b"acme".to_vec(), Account::clone),
        b'b' => page(bytes),
        b'c' => plain::<EventChapterV1>(bytes),
        b'd' => plain::<Vec<ToldV1>>(bytes),
        b'e' => events(bytes),
        b'h' => record(bytes, || (), Health::clone),
        b'k' => record(bytes, || vec![5; 32], ApiKey::clone),
        b'l' => plain::<Vec<(u64, u64)>>(bytes),
        b'n' => record(bytes, || (), Tallied::clone),
        b'r' => record(bytes, || EventNo(5), Retry::clone),
        b's' => settlements(bytes),
        b't' => plain::<AttemptChapterV1>(bytes),
        b'u' => subscription(bytes),
        _ => {}
    }
}

fn plain<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        assert_eq!(decode::<T>(&encode(&value)).expect("what is written is read"), value);
    }
}

/// A record, of which `seen` is what is compared.
fn record<T: Value, S: PartialEq + Debug>(bytes: &[u8], key: impl Fn() -> T::Key, seen: impl Fn(&T) -> S) {
    if let Ok(record) = T::decode(bytes, key()) {
        let again = T::decode(&record.encode(), key()).expect("what is written is read");
        assert_eq!(seen(&again), seen(&record));
    }
}

/// A page, and behind a length of one byte its progress.
fn page(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (done, value) = rest.split_at(rest.len().min(usize::from(*length)));
    let Ok(page) = Page::decode(value, done.to_vec()) else { return };
    let again = Page::decode(&page.encode(), done.to_vec()).expect("what is written is read");
    assert!(page.events().eq(again.events()) && page.waiting().eq(again.waiting()));
    for (event, generation) in page.waiting() {
        assert_eq!(page.generation(event), Some(generation), "what waits is found");
    }
}

fn events(bytes: &[u8]) {
    let seal = Seal::new(&[7; 32]);
    let Ok(block) = EventBlock::decode(bytes) else { return };
    assert!(EventBlock::decode(&block.encode()).is_ok(), "what is written is read");
    for (no, stored) in block.newest_first(5) {
        let Some(event) = stored.load(no, &seal) else { continue };
        let heading = stored.heading(no, &seal).expect("an event that is read has a heading");
        assert_eq!((heading.id, &heading.event_type), (event.id, &event.event_type));
        assert!(stored.matched().eq(event.matches.iter().map(|matched| matched.subscription)));
        // Both are read when it is shown.
        assert!(event.body.timestamp().len() + event.body.data().len() <= 2 * stored.body_bytes());
        let (_, nonce) = seal.open(&event.id);
        let written = EventBlock { commit: 1, events: vec![StoredEvent::of(&event, nonce)] }.encode();
        let block = EventBlock::decode(&written).expect("what is written is read");
        assert_eq!(block.events[0].load(no, &seal), Some(event));
    }
}

fn settlements(bytes: &[u8]) {
    let Ok(block) = SettlementBlock::decode(bytes) else { return };
    let written = block.encode();
    let again = SettlementBlock::decode(&written).expect("what is written is read");
    assert_eq!(again.encode(), written);
    for (one, other) in block.settled.into_iter().zip(again.settled) {
        assert_eq!((one.delivery(), one.attempts()), (other.delivery(), other.attempts()));
        assert_eq!(one.attempt(), other.attempt());
    }
}

/// A subscription, which is also sealed, and opened by the key that it is sealed under alone.
fn subscription(bytes: &[u8]) {
    let (seal, clear, keyring) = (Seal::new(&[7; 32]), Keyring::default(), keyring());
    let place =
        |keyring| SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(9), seal: &seal, keyring };
    let outline = decode_outline(bytes);
    let Ok(subscription) = decode_subscription(bytes, place(&clear)) else { return };
    assert!(outline.is_ok_and(|outline| outline.url == subscription.url), "what is read has an outline");
    for keyring in [&clear, &keyring] {
        let written = encode_subscription(&subscription, &seal, keyring);
        let again = decode_subscription(&written, place(keyring)).expect("what is written is read");
        assert_eq!(again, subscription);
        assert_eq!(sealed_under(&written).expect("what is written is read"), keyring.current());
        assert_eq!(decode_subscription(&written, place(&clear)).is_ok(), keyring.current().is_none());
    }
}

fn keyring() -> Keyring {
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".parse().expect("the base64 of 32 bytes");
    Keyring::new(Some(key), Vec::new())
}
