//! Input: bodies in two stages. First a body becomes values, and the first thing that is none is told, with where it
//! stands; then all the rules are tried that values may break, and every one that is broken is told.
//!
//! Faults of the second stage name a field as the dialect's own server does, which is not always as it is sent.

use serde::{Deserialize, Deserializer};

use crate::filter::{CHANNEL_LIMIT, Channel};
use crate::label::{Metadata, UID_LIMIT, Uid, is_limited};

use super::refusal::{Fault, Refusal};

/// The most bytes of a text for people, and of a name.
const TEXT_LIMIT: usize = 4_096;
/// What a fault of something inside a value is told of.
pub const INSIDE: &str = "__all__";
/// What is said of a text that is none of those of which ids, names and channels are made.
pub const NOT_LIMITED: &str = "String must match the following pattern: [a-zA-Z0-9\\-_.].";

/// A field of a change: absent, `null`, or a value.
pub type Given<T> = Option<Option<T>>;

/// What is wrong with the values of a request.
#[derive(Default)]
pub struct Faults(Vec<Fault>);

/// The value of a body.
///
/// # Errors
/// When it is no JSON, or not what is wanted.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // The fields of an array would be read in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Refusal::invalid(Fault::shape(["", ""], "invalid type: sequence, expected an object")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let message = if path == "." { error.inner().to_string() } else { error.to_string() };
        Refusal::invalid(Fault::shape(path.split('.'), message))
    })
}

/// The refusal of a body that lacks a field.
pub fn missing(field: &str) -> Refusal {
    Refusal::invalid(Fault::shape(["", ""], format!("missing field `{field}`")))
}

/// Reads a field that may be `null`, and tells that from one that is absent.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Reads a field of a change that may be absent but not `null`.
pub fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Reads metadata; `null` is none.
pub fn metadata<'de, D: Deserializer<'de>>(from: D) -> Result<Metadata, D::Error> {
    let pairs = Option::deserialize(from)?.unwrap_or_default();
    Metadata::new(pairs).map_err(serde::de::Error::custom)
}

/// The same for a field of a change, where absent is something else.
pub fn given_metadata<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Metadata>, D::Error> {
    metadata(from).map(Some)
}

/// Changes a field to what is given, and clears it where that is `null`.
pub fn change<T>(field: &mut Option<T>, given: Given<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

impl Faults {
    /// Notes that a field of the body breaks a rule.
    pub fn note(&mut self, path: &[&str], msg: impl Into<String>) {
        self.0.push(Fault::body(path.iter().copied(), msg));
    }

    /// Tries the rules of what stands in a field.
    pub fn within<T>(&mut self, field: &str, rules: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self::default();
        let value = rules(&mut inner);
        self.0.extend(inner.0.into_iter().map(|fault| fault.within(field)));
        value
    }

    /// All faults that were noted.
    pub fn refusal(self) -> Refusal {
        Refusal::Invalid(self.0)
    }

    /// Nothing, if no rule is broken.
    ///
    /// # Errors
    /// All faults that were noted.
    pub fn check(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }

    /// A text of those of which ids, names and channels are made; notes what is wrong with it.
    pub fn limited(&mut self, field: &str, text: &str) {
        if text.is_empty() {
            self.note(&[field, INSIDE], "String must be at least one character");
        } else if text.len() > UID_LIMIT {
            self.note(&[field, INSIDE], "String too long");
        } else if !is_limited(text) {
            self.note(&[field, INSIDE], NOT_LIMITED);
        }
    }

    /// A uid, which must not look like one of our ids.
    pub fn uid(&mut self, prefix: &str, text: Option<String>) -> Option<Uid> {
        let text = text?;
        self.limited("uid", &text);
        if text.starts_with(prefix) {
            let why = "Uids are not allowed to have the same prefix as the ID. Prefix with _?";
            self.note(&["uid", INSIDE], why);
        }
        text.parse().ok()
    }

    /// The same for a change.
    pub fn given_uid(&mut self, prefix: &str, given: Given<String>) -> Given<Uid> {
        given.map(|text| self.uid(prefix, text))
    }

    /// A text for people.
    pub fn readable(&mut self, field: &str, text: &str) {
        if text.len() > TEXT_LIMIT {
            self.note(&[field], format!("String too long, it has at most {TEXT_LIMIT} bytes."));
        }
        if text.bytes().any(|byte| byte <= 0x08) {
            self.note(&[field], "Control characters 0x00-0x08 not allowed.");
        }
    }

    /// Channels, at most `limit`; `null` is none.
    pub fn channels(&mut self, limit: usize, names: Option<Vec<String>>) -> Vec<Channel> {
        let Some(mut names) = names else { return Vec::new() };
        names.sort_unstable();
        names.dedup();
        if names.is_empty() || names.len() > limit {
            let why = format!("Channels must have at least 1 and at most {limit} items, or be set to null.");
            self.note(&["channels"], why);
            return Vec::new();
        }
        let mut channels = Vec::with_capacity(names.len());
        for name in &names {
            match name.parse() {
                Ok(channel) => channels.push(channel),
                Err(_) if name.len() > CHANNEL_LIMIT => {
                    self.note(&["channels", INSIDE], "String too long");
                    break;
                }
                Err(_) => {
                    self.limited("channels", name);
                    break;
                }
            }
        }
        channels
    }

    /// A rate: none, or at least one.
    pub fn rate(&mut self, field: &str, what: &str, rate: Option<u16>) {
        if rate == Some(0) {
            self.note(&[field], format!("{what} must be at least 1 if set"));
        }
    }
}
