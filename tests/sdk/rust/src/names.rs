//! Names that no other run on the same server has.

use std::hash::{BuildHasher, RandomState};

pub fn unique(word: &str) -> String {
    // The standard library has no other source of randomness.
    format!("{word}-{:016x}", RandomState::new().hash_one(word))
}
