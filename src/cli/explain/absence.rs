//! Why an event did not go to a hook.

use hookyard::clock::Timestamp;
use hookyard::event_type::stands_for;
use serde::Deserialize;

use super::super::output::cell::visible;
use super::super::shown::{Event, Hook};

/// The reason, as far as the record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It wants events of another type.
    OtherType(String),
    /// Its filter may not have held of the event's data.
    Filtered(String),
    /// The event is its own deactivation.
    OwnDeactivation,
    /// It was deactivated before the event came.
    DeactivatedBefore { at: String, reason: String },
    /// It subscribed after the event came.
    SubscribedAfter { at: String },
    /// It was deactivated then and has been reactivated, or the record is too old.
    NoRecord,
}

/// The event that tells of a deactivation.
const DEACTIVATION: &str = "hookyard.hook_deactivated";

/// The data of that event.
#[derive(Deserialize)]
struct Deactivation {
    hook: Deactivated,
}

#[derive(Deserialize)]
struct Deactivated {
    id: String,
}

impl Absence {
    /// Why the event has no delivery to this hook of its account.
    pub fn of(event: &Event, hook: &Hook) -> Self {
        match &hook.event {
            Some(other) if *other != event.event && !stands_for(other, &event.event) => {
                return Self::OtherType(other.clone());
            }
            _ => {}
        }
        if tells_of(event, hook) {
            return Self::OwnDeactivation;
        }
        let Some(accepted) = event.accepted_at.as_deref().and_then(Timestamp::parse) else {
            return Self::NoRecord;
        };
        if let Some(at) = not_after(hook.deactivated_at.as_deref(), accepted) {
            return Self::DeactivatedBefore { at, reason: hook.reason.clone().unwrap_or_default() };
        }
        let created = Timestamp::parse(&hook.created_at).map(Timestamp::unix_seconds);
        // Hooks show whole seconds: one of the same second without a delivery came after the event.
        if created.is_some_and(|seconds| seconds >= accepted.unix_seconds()) {
            return Self::SubscribedAfter { at: hook.created_at.clone() };
        }
        hook.filter.clone().map_or(Self::NoRecord, Self::Filtered)
    }

    /// The reason as a sentence.
    pub fn told(&self) -> String {
        match self {
            Self::OtherType(other) => format!("wants {}", visible(other)),
            Self::Filtered(filter) => format!("has a filter that need not have held: {}", visible(filter)),
            Self::OwnDeactivation => "a hook is not told of its own deactivation".to_owned(),
            Self::DeactivatedBefore { at, reason } if reason.is_empty() => {
                format!("was deactivated before, at {at}")
            }
            Self::DeactivatedBefore { at, reason } => {
                format!("was deactivated before, at {at}: {}", visible(reason))
            }
            Self::SubscribedAfter { at } => format!("subscribed after it, at {at}"),
            Self::NoRecord => {
                "was deactivated then and has been subscribed again, or its record is no longer kept"
                    .to_owned()
            }
        }
    }
}

/// The moment if it is not after `limit`, which it may share a second with.
fn not_after(moment: Option<&str>, limit: Timestamp) -> Option<String> {
    let text = moment?;
    let seconds = Timestamp::parse(text)?.unix_seconds();
    (seconds <= limit.unix_seconds()).then(|| text.to_owned())
}

fn tells_of(event: &Event, hook: &Hook) -> bool {
    let data = event.data.as_ref().filter(|_| event.event == DEACTIVATION);
    let told = data.and_then(|data| serde_json::from_str::<Deactivation>(data.get()).ok());
    told.is_some_and(|told| told.hook.id == hook.id)
}
