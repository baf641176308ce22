//! Labels: what callers attach to accounts and hooks to find them again: an id of their own, and metadata.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The longest [`Uid`], in characters.
pub const UID_LIMIT: usize = 256;
/// The most bytes that one [`Metadata`] may have as JSON without white space.
pub const METADATA_BYTES_LIMIT: usize = 4096;

/// An id that a caller gave to something: 1 to 256 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Uid(Box<str>);

/// The text is no uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a uid has 1 to {UID_LIMIT} characters of A-Z a-z 0-9 . _ -")]
pub struct NotAUid;

/// Names and values that mean something to the caller alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metadata(BTreeMap<String, String>);

/// There is too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata must be less than or equal to {METADATA_BYTES_LIMIT} bytes")]
pub struct TooMuchMetadata;

/// Whether a text is of the characters of which ids, names and channels are made: `A-Z a-z 0-9 . _ -`.
pub fn is_limited(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl Uid {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Uid {
    type Err = NotAUid;

    fn from_str(text: &str) -> Result<Self, NotAUid> {
        if text.is_empty() || text.len() > UID_LIMIT || !is_limited(text) {
            return Err(NotAUid);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Metadata {
    /// Metadata of these.
    ///
    /// # Errors
    /// When it is too much.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, TooMuchMetadata> {
        let bytes = serde_json::to_vec(&pairs).expect("an object of strings is written to memory");
        if bytes.len() > METADATA_BYTES_LIMIT {
            return Err(TooMuchMetadata);
        }
        Ok(Self(pairs))
    }

    /// The names and values, by name.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_holds_nothing_that_a_path_would_escape() {
        assert!("acme-1.eu_west".parse::<Uid>().is_ok());
        assert!("a".repeat(UID_LIMIT).parse::<Uid>().is_ok());
        for bad in ["", "a b", "a/b", "ä", &"a".repeat(UID_LIMIT + 1)] {
            assert_eq!(bad.parse::<Uid>(), Err(NotAUid), "{bad}");
        }
    }

    #[test]
    fn metadata_has_a_limit() {
        let of = |bytes| Metadata::new(BTreeMap::from([("a".to_owned(), "b".repeat(bytes - 8))]));
        assert!(of(METADATA_BYTES_LIMIT).is_ok());
        assert_eq!(of(METADATA_BYTES_LIMIT + 1), Err(TooMuchMetadata));
    }
}
