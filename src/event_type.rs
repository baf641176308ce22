//! Event types: the kinds of events that there are, by name.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The longest name of an event type, in characters.
pub const NAME_LIMIT: usize = 128;

/// What the names of the router's own event types begin with; nobody else's do.
pub const OWN_PREFIX: &str = "hookyard.";
/// A hook was deactivated.
pub const HOOK_DEACTIVATED: &str = "hookyard.hook_deactivated";
/// A hook whose receiver had failed so often that it was probed has taken a delivery.
pub const HOOK_RECOVERED: &str = "hookyard.hook_recovered";
/// A delivery used up its attempts, while its hook goes on.
pub const DELIVERY_EXHAUSTED: &str = "hookyard.delivery_exhausted";
/// More deliveries wait for a hook than the operator wants to be left alone with.
pub const BACKLOG_EXCEEDED: &str = "hookyard.backlog_exceeded";
/// The event types of the router's own.
pub const OWN: [&str; 4] = [HOOK_DEACTIVATED, HOOK_RECOVERED, DELIVERY_EXHAUSTED, BACKLOG_EXCEEDED];

/// The name of a kind of event, such as `new_lead`: 1 to 128 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Arc<str>);

/// An entry of the catalogue: a declared event type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema), schema(as = EventType))]
#[serde(deny_unknown_fields)]
pub struct EventTypeSpec {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// What its `data` looks like.
    #[serde(default)]
    pub example: serde_json::Value,
    /// The JSON Schema of its `data`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
}

/// What somebody said of an event type at run time; it outweighs the catalogue's entry of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    pub name: EventType,
    pub description: String,
    /// JSON Schemas of its data by version, as the text of one JSON object.
    pub schemas: Option<Box<str>>,
    /// Hides it from tokens that do not name this flag.
    pub feature_flag: Option<String>,
    /// An archived one is not offered any more; events of it are accepted all the same.
    pub archived: bool,
    pub deprecated: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The text is no name of an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event's name has 1 to {NAME_LIMIT} characters and no control characters")]
pub struct NotAnEventType;

/// What the names begin with that a pattern stands for: `lead.` of `lead.*`. None of a name that is no pattern.
///
/// Who subscribes may name a pattern; events are of types. The router's own are in none.
pub fn below(pattern: &str) -> Option<&str> {
    pattern.strip_suffix('*').filter(|stem| stem.len() > 1 && stem.ends_with('.'))
}

/// Whether a pattern stands for the type of this name.
pub fn stands_for(pattern: &str, name: &str) -> bool {
    below(pattern).is_some_and(|stem| name.starts_with(stem)) && !name.starts_with(OWN_PREFIX)
}

/// The patterns that stand for a type: `a.*` and `a.b.*` for `a.b.c`.
pub fn patterns_of(event_type: &EventType) -> impl Iterator<Item = EventType> + '_ {
    let name = Some(event_type.as_str()).filter(|_| !event_type.is_own()).unwrap_or_default();
    let stems = name.match_indices('.').filter(|(at, _)| *at > 0).map(|(at, _)| &name[..=at]);
    stems.filter_map(|stem| format!("{stem}*").parse().ok())
}

impl EventType {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the router's own.
    pub fn is_own(&self) -> bool {
        self.0.starts_with(OWN_PREFIX)
    }
}

impl FromStr for EventType {
    type Err = NotAnEventType;

    fn from_str(text: &str) -> Result<Self, NotAnEventType> {
        let length = text.chars().take(NAME_LIMIT + 1).count();
        if length == 0 || length > NAME_LIMIT || text.chars().any(char::is_control) {
            return Err(NotAnEventType);
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for EventType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EventType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_what_is_below_it() {
        for (name, patterns) in [
            ("a.b.c", &["a.*", "a.b.*"][..]),
            ("a", &[]),
            (".a", &[]),
            ("a.", &["a.*"]),
            (HOOK_DEACTIVATED, &[]),
        ] {
            let found: Vec<String> = patterns_of(&name.parse().unwrap()).map(|one| one.to_string()).collect();
            assert_eq!(found, patterns, "{name}");
            assert!(patterns.iter().all(|pattern| stands_for(pattern, name)), "{name}");
        }
        for (pattern, name) in [("a.*", "a"), ("a.*", "ab.c"), (".*", ".a"), ("*", "a"), ("a*", "ab")] {
            assert!(!stands_for(pattern, name), "{pattern} for {name}");
        }
        assert!(!stands_for("hookyard.*", HOOK_DEACTIVATED));
    }

    #[test]
    fn a_name_is_counted_in_characters() {
        assert!("ä".repeat(128).parse::<EventType>().is_ok());
        assert_eq!("a".repeat(129).parse::<EventType>(), Err(NotAnEventType));
        assert_eq!("a\nb".parse::<EventType>(), Err(NotAnEventType));
        assert_eq!("".parse::<EventType>(), Err(NotAnEventType));
    }
}
