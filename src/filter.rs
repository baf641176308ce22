//! Filters: which events a subscription wants.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::event_type::{EventType, below, stands_for};
use crate::label::is_limited;

/// The longest name of a channel, in characters.
pub const CHANNEL_LIMIT: usize = 128;

/// Which events a subscription wants: those of some types or of any, on some channels or on any.
///
/// The hooks API gives each subscription exactly one type, and no channels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    /// None lets every type through.
    event_types: Option<Vec<EventType>>,
    /// Without any, an event's channels do not matter.
    channels: Vec<Channel>,
}

/// A channel: a second dimension in which events are sorted. 1 to 128 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Channel(Box<str>);

/// The text is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a channel has 1 to {CHANNEL_LIMIT} characters of A-Z a-z 0-9 . _ -")]
pub struct NotAChannel;

impl Filter {
    /// The filter that lets one event type through.
    pub fn one(event_type: EventType) -> Self {
        Self::new(Some(vec![event_type]), Vec::new())
    }

    /// The filter that lets these types through, or any, where they are on one of these channels, if there are any.
    pub fn new(event_types: Option<Vec<EventType>>, mut channels: Vec<Channel>) -> Self {
        let event_types = event_types.map(|mut event_types| {
            event_types.sort();
            event_types.dedup();
            event_types
        });
        channels.sort();
        channels.dedup();
        Self { event_types, channels }
    }

    /// The event types that it lets through, in order; none where it lets every one through.
    pub fn event_types(&self) -> Option<&[EventType]> {
        self.event_types.as_deref()
    }

    /// The event type that it lets through, if it is one alone.
    pub fn only_type(&self) -> Option<&EventType> {
        match self.event_types() {
            Some([event_type]) => Some(event_type),
            _ => None,
        }
    }

    /// How many of its names are patterns.
    pub fn patterns(&self) -> usize {
        let names = self.event_types().unwrap_or_default();
        names.iter().filter(|name| below(name.as_str()).is_some()).count()
    }

    /// The channels on one of which an event must be; without any, it need not be on one.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Whether an event of this type on these channels matches.
    pub fn matches(&self, event_type: &EventType, channels: &[Channel]) -> bool {
        self.has_type(event_type.as_str()) && self.has_channel(channels)
    }

    /// Whether it lets this type through.
    ///
    /// A name such as `lead.*` stands for every type that begins with `lead.`. The router's own events are for those alone
    /// who name them.
    pub fn has_type(&self, event_type: &str) -> bool {
        match &self.event_types {
            Some(names) => {
                names.binary_search_by(|name| name.as_str().cmp(event_type)).is_ok()
                    || names.iter().any(|name| stands_for(name.as_str(), event_type))
            }
            None => !event_type.starts_with(crate::event_type::OWN_PREFIX),
        }
    }

    /// Whether it names one of the router's own event types.
    pub fn has_own_type(&self) -> bool {
        self.event_types().unwrap_or_default().iter().any(EventType::is_own)
    }

    /// Whether an event on these channels is on one that it wants.
    pub fn has_channel(&self, channels: &[Channel]) -> bool {
        self.channels.is_empty()
            || channels.iter().any(|channel| self.channels.binary_search(channel).is_ok())
    }
}

impl Channel {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Channel {
    type Err = NotAChannel;

    fn from_str(text: &str) -> Result<Self, NotAChannel> {
        if text.is_empty() || text.len() > CHANNEL_LIMIT || !is_limited(text) {
            return Err(NotAChannel);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EventType {
        text.parse().unwrap()
    }

    fn channels(names: &[&str]) -> Vec<Channel> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_filter_is_a_set() {
        let filter = Filter::new(Some(vec![name("b"), name("a"), name("b")]), Vec::new());
        assert_eq!(filter.event_types(), Some(&[name("a"), name("b")][..]));
        assert!(filter.matches(&name("a"), &[]) && !filter.matches(&name("c"), &[]));
        assert_eq!(filter.only_type(), None);
        assert_eq!(Filter::one(name("a")).only_type(), Some(&name("a")));
    }

    #[test]
    fn a_pattern_lets_through_what_is_below_it() {
        let filter = Filter::new(Some(vec![name("lead.*"), name("paid")]), Vec::new());
        assert_eq!(filter.patterns(), 1);
        for wanted in ["lead.created", "lead.a.b", "paid", "lead.*"] {
            assert!(filter.has_type(wanted), "{wanted}");
        }
        for other in ["lead", "leads.created", "paid.late"] {
            assert!(!filter.has_type(other), "{other}");
        }
    }

    #[test]
    fn every_type_is_wanted_but_for_the_routers_own() {
        let filter = Filter::new(None, Vec::new());
        assert!(filter.matches(&name("a"), &[]));
        assert!(!filter.matches(&name(crate::event_type::HOOK_DEACTIVATED), &[]));
    }

    #[test]
    fn an_event_must_be_on_one_of_the_channels_that_are_wanted() {
        let filter = Filter::new(None, channels(&["x", "y"]));
        assert!(filter.matches(&name("a"), &channels(&["w", "y"])));
        assert!(!filter.matches(&name("a"), &channels(&["w"])));
        assert!(!filter.matches(&name("a"), &[]));
        assert!(Filter::one(name("a")).matches(&name("a"), &channels(&["w"])));
    }

    #[test]
    fn a_channel_is_a_short_plain_name() {
        assert!("project_1337".parse::<Channel>().is_ok());
        for bad in ["", "a b", "ä", &"a".repeat(CHANNEL_LIMIT + 1)] {
            assert_eq!(bad.parse::<Channel>(), Err(NotAChannel), "{bad}");
        }
    }
}
