//! Filters: which events a subscription wants.

use crate::event_type::EventType;

/// A set of event types. An event matches when its type is in the set.
///
/// The hooks API gives each subscription exactly one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter(Vec<EventType>);

impl Filter {
    /// The filter that lets one event type through.
    pub fn one(event_type: EventType) -> Self {
        Self(vec![event_type])
    }

    /// The filter that lets these through.
    pub fn of(mut event_types: Vec<EventType>) -> Self {
        event_types.sort();
        event_types.dedup();
        Self(event_types)
    }

    /// The event types that it lets through, in order.
    pub fn event_types(&self) -> &[EventType] {
        &self.0
    }

    /// Whether an event of this type matches.
    pub fn matches(&self, event_type: &EventType) -> bool {
        self.0.binary_search(event_type).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_set() {
        let name = |text: &str| text.parse::<EventType>().unwrap();
        let filter = Filter::of(vec![name("b"), name("a"), name("b")]);
        assert_eq!(filter.event_types(), [name("a"), name("b")]);
        assert!(filter.matches(&name("a")) && !filter.matches(&name("c")));
    }
}
