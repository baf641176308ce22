//! Parameters that handlers share; an annotation names them beside its own.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ObjectBuilder, RefOr, Required, Schema, Type};
use utoipa::{IntoParams, PartialSchema};

use crate::api::trace_context::{TRACEPARENT, TRACESTATE};
use crate::clock::Timestamp;
use crate::event::IDEMPOTENCY_KEY_LIMIT;
use crate::event_type::EventType;
use crate::hookyard::DeliveryStatus;

use super::vocabulary::HookStatus;

/// The account that an `admin` key acts for.
pub enum Account {}

/// The page of a list.
pub enum Page {}

/// The key under which an event is accepted once.
pub enum IdempotencyKey {}

/// The trace that an event belongs to.
pub enum TraceContext {}

/// Which hooks a list shows.
pub enum Hooks {}

/// Which events a list shows.
pub enum Events {}

/// Which deliveries a list shows.
pub enum Deliveries {}

/// Whose deliveries a list shows.
pub enum DeliveriesOf {}

/// Which samples are wanted, and how many.
pub enum Sample {}

/// Which hooks to unsubscribe, for those who send no body.
pub enum Named {}

impl IntoParams for Account {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The account that is meant, for `admin` keys; without it, `default`. Others may only name their own.";
        // Empty, it is absent.
        vec![query("account", about, text().pattern(Some("^[A-Za-z0-9._-]{0,128}$")))]
    }
}

impl IntoParams for Page {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("limit", "How many to show.", limit()),
            query("cursor", "Where the page begins, as the `Link` of the page before says.", text()),
        ]
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about =
            "For a single event: repeating it within 24 hours yields the first receipt. As `id` in the body.";
        let text = text().min_length(Some(1)).max_length(Some(IDEMPOTENCY_KEY_LIMIT));
        vec![header("Idempotency-Key", about, text)]
    }
}

impl IntoParams for TraceContext {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parent = "The trace that the events belong to, by W3C Trace Context: their deliveries send it on. One that \
                      breaks its rules is ignored.";
        let state =
            "What vendors say of the trace, up to 512 characters. Without `traceparent` it is ignored.";
        vec![header(TRACEPARENT, parent, text()), header(TRACESTATE, state, text())]
    }
}

impl IntoParams for Hooks {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let flag = ObjectBuilder::new().schema_type(Type::Boolean);
        vec![
            query("url", "Those of this URL.", text()),
            query("event", "Those of this event type.", text()),
            query("active", "Those that are active, or those that are not.", flag),
            query("status", "Those in this state.", HookStatus::schema()),
        ]
    }
}

impl IntoParams for Events {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let [since, until] = period();
        vec![query("event", "Those of this event type.", text()), since, until]
    }
}

impl IntoParams for Deliveries {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let [since, until] = period();
        vec![
            query("event", "Those of this event type.", text()),
            query("status", "Those in this state.", DeliveryStatus::schema()),
            since,
            until,
        ]
    }
}

impl IntoParams for DeliveriesOf {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![query("hook", "Those of the hook with this id.", text())]
    }
}

impl IntoParams for Sample {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let event = query("event", "Of which event type.", EventType::schema());
        let event = ParameterBuilder::from(event).required(Required::True).build();
        vec![event, query("limit", "How many to show at most.", limit())]
    }
}

impl IntoParams for Named {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("id", "The hook with this id.", text()),
            query("url", "The hooks with this URL.", text()),
            query("event", "Of those, the one of this event type.", text()),
        ]
    }
}

/// The two ends of a span of time.
fn period() -> [Parameter; 2] {
    // Empty, they are absent.
    let moment = || AnyOfBuilder::new().item(Timestamp::schema()).item(text().max_length(Some(0)));
    [
        query("since", "Those from this moment on.", moment()),
        query("until", "Those before this moment.", moment()),
    ]
}

fn limit() -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000));
    number.default(Some(50.into()))
}

fn query(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

fn header(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::from(query(name, about, schema)).parameter_in(ParameterIn::Header).build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
