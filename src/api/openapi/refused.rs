//! Refusals that handlers share, by what brings them about; an annotation names them beside its own answers.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

/// The refusals of those who have no key.
pub enum AnyKey {}

/// The refusals of those whose key may not do it.
pub enum Key {}

/// The refusal of what names something that is not there.
pub enum Name {}

/// The refusals of bodies that cannot be read.
pub enum Body {}

/// The refusal of a field or a parameter that is not what it has to be.
pub enum Field {}

/// The refusals of an event.
pub enum Event {}

/// The refusals of a hook.
pub enum Hook {}

/// The refusals of an event type, where it is asked about.
pub enum EventType {}

/// The refusal of deliveries to a hook that was given up.
pub enum Deactivated {}

/// The refusal of a backup beside another.
pub enum Backup {}

/// The refusal while the store takes nothing.
pub enum Store {}

impl IntoResponses for AnyKey {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("401", "Unauthorized"), ("429", "TooFast")])
    }
}

impl IntoResponses for Key {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("401", "Unauthorized"), ("403", "Forbidden"), ("429", "TooFast")])
    }
}

impl IntoResponses for Name {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("404", "Unknown")])
    }
}

impl IntoResponses for Body {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("400", "Malformed"), ("408", "TooSlow"), ("413", "TooLarge"), ("415", "NotJson")])
    }
}

impl IntoResponses for Field {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("422", "Invalid")])
    }
}

impl IntoResponses for Event {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("409", "Conflict"), ("422", "InvalidEvent")])
    }
}

impl IntoResponses for Hook {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("422", "InvalidHook")])
    }
}

impl IntoResponses for EventType {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("422", "InvalidEvent")])
    }
}

impl IntoResponses for Deactivated {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("409", "Deactivated")])
    }
}

impl IntoResponses for Backup {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("409", "BackupRunning")])
    }
}

impl IntoResponses for Store {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("503", "Unavailable")])
    }
}

/// Statuses, each with the name of the response among the document's components.
fn named<const N: usize>(responses: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    let response = |(status, name): (&str, &str)| (status.to_owned(), Ref::from_response_name(name).into());
    responses.into_iter().map(response).collect()
}
