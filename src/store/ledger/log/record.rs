//! Records: what one batch changes, of which after a crash all is there or nothing.
//!
//! | bytes | head of a record |
//! |---|---|
//! | 4 | CRC-32 of the rest of the head |
//! | 4 | bytes of the changes behind it |
//! | 8 | number, one more than that of the record before |
//!
//! | bytes | change |
//! |---|---|
//! | 4 | CRC-32 of the rest of it |
//! | 4 | bytes of the value, or [`GONE`] |
//! | 1 | bytes of the key |
//! | | key, value |
//!
//! All numbers are little-endian. Each change has a checksum of its own, so that it can be read without its record.

use std::io::{self, Read};

/// Bytes of a record's head.
pub const RECORD_HEAD: usize = 4 + 4 + 8;
/// Bytes of a change's head.
pub const CHANGE_HEAD: usize = 4 + 4 + 1;
/// Stands for the length of the value of a row that is deleted.
const GONE: u32 = u32::MAX;

/// A row that is put or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

impl Change<'_> {
    /// The bytes that it takes.
    pub fn bytes(&self) -> usize {
        CHANGE_HEAD + self.key.len() + self.value.map_or(0, <[u8]>::len)
    }
}

/// Appends a record to `bytes`.
///
/// # Panics
/// When a key is longer than 255 bytes, or all of it than 4 GiB.
pub fn encode(bytes: &mut Vec<u8>, no: u64, changes: &[Change<'_>]) {
    let length: usize = changes.iter().map(Change::bytes).sum();
    let length = u32::try_from(length).expect("a batch is bounded");
    let head = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&no.to_le_bytes());
    seal(&mut bytes[head..]);
    for change in changes {
        let begin = bytes.len();
        let value = change.value.unwrap_or_default();
        let length = change.value.map_or(GONE, |value| value.len() as u32);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.push(u8::try_from(change.key.len()).expect("keys are short"));
        bytes.extend_from_slice(change.key);
        bytes.extend_from_slice(value);
        seal(&mut bytes[begin..]);
    }
}

/// Writes the checksum of what follows it.
fn seal(bytes: &mut [u8]) {
    let checksum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
}

/// What a checksum stands before, if it is that of this.
fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (checksum, rest) = bytes.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*checksum) == crc32fast::hash(rest)).then_some(rest)
}

/// The change that these bytes begin with; nothing where they are none.
pub fn decode(bytes: &[u8]) -> Option<Change<'_>> {
    let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let key_length = usize::from(*bytes.get(8)?);
    let value_length = if length == GONE { 0 } else { length as usize };
    let whole = CHANGE_HEAD.checked_add(key_length)?.checked_add(value_length)?;
    let rest = unseal(bytes.get(..whole)?)?;
    let (key, value) = rest.get(CHANGE_HEAD - 4..)?.split_at(key_length);
    Some(Change { key, value: (length != GONE).then_some(value) })
}

/// Reads the record with this number into `changes`, its bytes without the head; says whether it is whole.
pub fn read(from: &mut impl Read, no: u64, left: u64, changes: &mut Vec<u8>) -> io::Result<bool> {
    changes.clear();
    let mut head = [0; RECORD_HEAD];
    if left < RECORD_HEAD as u64 {
        return Ok(false);
    }
    from.read_exact(&mut head)?;
    let Some(rest) = unseal(&head) else {
        return Ok(false);
    };
    let (length, found) = rest.split_at(4);
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if found != no.to_le_bytes() || length > left - RECORD_HEAD as u64 {
        return Ok(false);
    }
    changes.resize(length as usize, 0);
    from.read_exact(changes)?;
    Ok(changes_in(changes).map(|change| change.bytes()).sum::<usize>() == changes.len())
}

/// The changes in a record's bytes, up to one that is damaged.
pub fn changes_in(bytes: &[u8]) -> impl Iterator<Item = Change<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let change = decode(rest)?;
        rest = &rest[change.bytes()..];
        Some(change)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn changes(rows: &Rows) -> Vec<Change<'_>> {
        rows.iter().map(|(key, value)| Change { key, value: value.as_deref() }).collect()
    }

    fn record(no: u64, rows: &Rows) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, no, &changes(rows));
        bytes
    }

    fn read_back(bytes: &[u8], no: u64) -> Option<Rows> {
        let mut found = Vec::new();
        let is_whole = read(&mut &bytes[..], no, bytes.len() as u64, &mut found).unwrap();
        let owned = |change: Change<'_>| (change.key.to_vec(), change.value.map(<[u8]>::to_vec));
        is_whole.then(|| changes_in(&found).map(owned).collect())
    }

    fn rows() -> impl Strategy<Value = Rows> {
        let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
        prop::collection::vec((bytes(20), prop::option::of(bytes(60))), 0..6)
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(rows in rows(), no: u64) {
            let bytes = record(no, &rows);
            prop_assert_eq!(read_back(&bytes, no), Some(rows));
            prop_assert_eq!(read_back(&bytes, no.wrapping_add(1)), None);
        }

        #[test]
        fn one_that_was_cut_short_or_changed_is_none(rows in rows(), no: u64, at: prop::sample::Index, bit in 0..8) {
            let mut bytes = record(no, &rows);
            let at = at.index(bytes.len());
            prop_assert_eq!(read_back(&bytes[..at], no), None);
            bytes[at] ^= 1_u8 << bit;
            prop_assert_eq!(read_back(&bytes, no), None);
        }
    }
}
