//! The catalogue in force: which event types may be emitted and subscribed to.

use std::collections::HashSet;

use crate::config::{Config, UnknownEvents};
use crate::event_type::{EventType, NotAnEventType, OWN, OWN_PREFIX, stands_for};

use super::Hookyard;

/// Why a name is no event type that this router knows.
#[derive(Debug)]
pub(super) enum UnknownType {
    Unknown {
        name: String,
        known: String,
    },
    /// One of the router's own, or a name that is kept for one.
    Own,
    Malformed(NotAnEventType),
}

/// The event types that may be emitted and subscribed to.
pub(super) struct Catalogue {
    known: HashSet<EventType>,
    /// Their names in the order of the configuration, for messages.
    names: String,
    accept_unknown: bool,
    name_chars: usize,
}

impl Hookyard {
    /// The event type of this name, of those that may be subscribed to, or a pattern that stands for some.
    pub(super) fn wanted_type(&self, name: &str) -> Result<EventType, UnknownType> {
        let found = self.or_declared(name, self.0.live.load().catalogue.wanted(name));
        self.or_pattern(name, found)
    }

    /// What was found in the catalogue, or else what was declared at run time.
    pub(super) fn or_declared(
        &self,
        name: &str,
        found: Result<EventType, UnknownType>,
    ) -> Result<EventType, UnknownType> {
        match found {
            Err(UnknownType::Unknown { .. }) => self.0.declarations.in_use(name).map_or(found, Ok),
            found => found,
        }
    }

    /// What was found in the catalogue, or else a pattern for what was declared at run time.
    fn or_pattern(
        &self,
        name: &str,
        found: Result<EventType, UnknownType>,
    ) -> Result<EventType, UnknownType> {
        match found {
            Err(UnknownType::Unknown { .. }) if self.0.declarations.is_any_below(name) => {
                name.parse().map_err(UnknownType::Malformed)
            }
            found => found,
        }
    }
}

impl Catalogue {
    pub(super) fn new(config: &Config) -> Self {
        let names: Vec<&str> = config.event_types.iter().map(|spec| spec.name.as_str()).collect();
        Self {
            known: names.iter().filter_map(|name| name.parse().ok()).collect(),
            names: names.join(", "),
            accept_unknown: config.events.unknown == UnknownEvents::Accept,
            name_chars: config.limits.name_chars,
        }
    }

    /// The event type of this name, of those that may be subscribed to: the router's own as well.
    pub(super) fn wanted(&self, name: &str) -> Result<EventType, UnknownType> {
        let is_pattern = || self.known.iter().any(|known| stands_for(name, known.as_str()));
        match self.event_type(name) {
            Err(UnknownType::Own) if OWN.contains(&name) => name.parse().map_err(UnknownType::Malformed),
            // It stands for something that there is.
            Err(UnknownType::Unknown { .. }) if is_pattern() => name.parse().map_err(UnknownType::Malformed),
            found => found,
        }
    }

    /// The event type of this name, of those that may be emitted.
    pub(super) fn event_type(&self, name: &str) -> Result<EventType, UnknownType> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let parsed = name.parse().map_err(UnknownType::Malformed)?;
        if name.starts_with(OWN_PREFIX) {
            return Err(UnknownType::Own);
        }
        if self.accept_unknown && name.chars().count() <= self.name_chars {
            return Ok(parsed);
        }
        Err(UnknownType::Unknown { name: name.to_owned(), known: self.names.clone() })
    }
}
