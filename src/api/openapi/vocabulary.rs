//! How the document describes the vocabulary: ids, names and moments.

use std::borrow::Cow;

use utoipa::openapi::{KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::account::AccountId;
use crate::attempt::ErrorKind;
use crate::clock::Timestamp;
use crate::event_type::{EventType, NAME_LIMIT};
use crate::hookyard::DeliveryStatus;
use crate::id::{Id, Kind};
use crate::subscription::DeliveryPolicy;

/// It is described where bodies are, in `components.json`.
impl PartialSchema for DeliveryPolicy {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("DeliveryPolicy").into()
    }
}

impl ToSchema for DeliveryPolicy {}

/// The states of a hook.
pub enum HookStatus {}

impl PartialSchema for HookStatus {
    fn schema() -> RefOr<Schema> {
        text("Deactivated hooks match no event; paused ones do, and their deliveries wait.")
            .enum_values(Some(["active", "paused", "deactivated"]))
            .into()
    }
}

impl ToSchema for HookStatus {}

impl PartialSchema for DeliveryStatus {
    fn schema() -> RefOr<Schema> {
        text("Pending ones wait or are being attempted; dead ones were given up, with their hook.")
            .enum_values(Some(DeliveryStatus::ALL.map(Self::as_str)))
            .into()
    }
}

impl ToSchema for DeliveryStatus {}

impl PartialSchema for ErrorKind {
    fn schema() -> RefOr<Schema> {
        text("Why an attempt got no usable answer.").enum_values(Some(Self::ALL.map(Self::as_str))).into()
    }
}

impl ToSchema for ErrorKind {}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let moment = text("A moment in RFC 3339, in UTC.");
        moment.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for AccountId {
    fn schema() -> RefOr<Schema> {
        text("An account's id.").pattern(Some("^[A-Za-z0-9._-]{1,128}$")).into()
    }
}

impl ToSchema for AccountId {}

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^[^\\x00-\\x1f\\x7f-\\x9f]{{1,{NAME_LIMIT}}}$");
        text("The name of an event type, without control characters.").pattern(Some(pattern)).into()
    }
}

impl ToSchema for EventType {
    fn name() -> Cow<'static, str> {
        "EventName".into()
    }
}

impl<K: Kind> PartialSchema for Id<K> {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^{}[0-9A-Za-z]{{27}}$", K::PREFIX);
        text("An id: what it is the id of, and 27 letters and digits.").pattern(Some(pattern)).into()
    }
}

impl<K: Kind> ToSchema for Id<K> {
    /// Each kind of id has a schema of its own.
    fn name() -> Cow<'static, str> {
        let kind = match K::PREFIX {
            "dlv_" => "Delivery",
            "evt_" => "Event",
            "hook_" => "Hook",
            "key_" => "Key",
            other => other,
        };
        format!("{kind}Id").into()
    }
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}
