//! Events over HTTP: emitting one or a batch, looking at them, delivering one again, and the catalogue.

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::account::{AccountId, Scope};
use crate::clock::Timestamp;
use crate::event::{Event, Receipt};
use crate::event_type::EventTypeSpec;
use crate::hookyard::{Emitted, EventHistory, EventQuery};
use crate::id::EventId;

use super::answer::{self, Deleted, Queued};
use super::call::Call;
use super::deliveries;
use super::error::Error;
use super::list;
use super::object::{Names, Object};
use super::openapi::{asked, refused};
use super::trace_context;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub const MEMBERS: Names<5> = ["event", "data", "timestamp", "id", "account"];

/// The member of a body that names the one hook to replay to.
pub const REPLAYING: Names<1> = ["hook"];

/// An event as the API shows it: its receipt, and what was emitted.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct Shape<'a> {
    #[serde(flatten)]
    receipt: &'a Receipt,
    #[schema(value_type = Value)]
    data: &'a RawValue,
    /// Whether its data was expunged, and is `null` therefore.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expunged: bool,
    #[schema(value_type = Timestamp)]
    accepted_at: String,
    /// The trace that it belongs to, if it came with one or began one: 32 digits, as `traceparent` has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// An event with what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = EventWithDeliveries)]
struct WithDeliveries<'a> {
    #[serde(flatten)]
    event: Shape<'a>,
    /// When it had become durable; null where that is not known any more.
    #[schema(value_type = Option<Timestamp>)]
    synced_at: Option<String>,
    deliveries: Vec<deliveries::Shape<'a>>,
}

/// What a body asks to emit.
#[derive(Debug)]
enum Posted {
    One(Event),
    Batch(Vec<Event>),
}

/// Emits an event, or an array of up to 1,000 of them.
///
/// When this is answered with 202, every event is on disk and survives a kill and a power cut. An array is accepted
/// whole or refused whole.
#[utoipa::path(
    post, path = "/api/v1/events", tag = "Events", operation_id = "emit",
    security(("key" = ["events"])),
    params(asked::Account, asked::IdempotencyKey, asked::TraceContext),
    request_body(content = ref("#/components/schemas/EmitOneOrMany")),
    responses(
        (status = 202, description = "Accepted.", body = ref("#/components/schemas/ReceiptOrReceipts")),
        refused::Key, refused::Name, refused::Body, refused::Event, refused::Store,
    ),
)]
pub async fn emit(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Events])?;
    let key = idempotency_key(request.headers())?;
    let body = call.body(payload).await?;
    let limit = call.hookyard.config().limits.batch_events;
    let trace = trace_context::of(request.headers());
    let traced = |event: Event| trace.iter().cloned().fold(event, Event::trace_context);
    match posted(&body, key, limit, |named| call.account(named))? {
        Posted::One(event) => {
            admit(&call, &event.account, 1)?;
            let receipt = call.hookyard.try_emit(traced(event)).await?;
            Ok(answer::json(StatusCode::ACCEPTED, &receipt))
        }
        Posted::Batch(events) => {
            admit_batch(&call, &events)?;
            let events = events.into_iter().map(traced).collect();
            let receipts = call.hookyard.try_emit_batch(events).await?;
            Ok(answer::json(StatusCode::ACCEPTED, &receipts))
        }
    }
}

/// Lists the events of the account.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "Events", operation_id = "list_events",
    security(("key" = ["events"]), ("key" = ["hooks"])), params(asked::Events, asked::Page, asked::Account),
    responses(
        (status = 200, description = "A page of them.", body = [Shape<'static>]),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let (since, until) = (call.query.timestamp("since")?, call.query.timestamp("until")?);
    let (event, hide_own) = (call.query.owned("event"), !call.is_admin());
    let (query, page) = (EventQuery { event, hide_own, since, until }, call.query.page()?);
    let events = call.hookyard.events(&account, query, page).await.map_err(Error::lookup("account"))?;
    Ok(list::page(&call, &events, shape))
}

/// Shows an event with its deliveries.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", tag = "Events", operation_id = "get_event",
    security(("key" = ["events"]), ("key" = ["hooks"])),
    params(("id" = EventId, Path, description = "The event's id."), asked::Account),
    responses(
        (status = 200, description = "The event.", body = WithDeliveries<'static>),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let history = found(&call, &account, id).await?;
    let shape = WithDeliveries {
        event: shape(&history.event),
        synced_at: history.synced_at.map(Timestamp::with_milliseconds),
        deliveries: history.deliveries.iter().map(deliveries::with_log).collect(),
    };
    Ok(answer::json(StatusCode::OK, &shape))
}

/// Delivers an event again: to all hooks that match it now, or to one of them.
///
/// Attempt numbers go on, the schedule begins anew.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/replay", tag = "Events", operation_id = "replay_event",
    security(("key" = ["events"]), ("key" = ["hooks"])),
    params(("id" = EventId, Path, description = "The event's id."), asked::Account),
    request_body(content = ref("#/components/schemas/ReplayEvent")),
    responses(
        (status = 202, description = "They are due.", body = Queued),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Deactivated, refused::Store,
    ),
)]
pub async fn replay(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.optional_body(payload).await?;
    let object = body.as_deref().map(|body| Object::read(body, &REPLAYING)).transpose()?;
    let hook = object.map(|object| object.text("hook").map(|hook| hook.map(Cow::into_owned))).transpose()?;
    let (account, id) = target(&call)?;
    let hook = hook.flatten().map(|hook| hook.parse()).transpose();
    let hook = hook.map_err(|_| Error::not_found("there is no such hook"))?;
    if !call.is_admin() {
        found(&call, &account, id).await?;
    }
    let queued = call.hookyard.replay_event(&account, id, hook).await?;
    Ok(answer::json(StatusCode::ACCEPTED, &Queued { queued }))
}

fn admit(call: &Call<'_>, account: &AccountId, events: usize) -> Result<(), Error> {
    call.hookyard.admit_events(account, events).map_err(Error::too_fast("this account"))
}

/// A batch of those with an admin key may be for several accounts; each has its share counted.
fn admit_batch(call: &Call<'_>, events: &[Event]) -> Result<(), Error> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(&event.account).or_insert(0) += 1;
    }
    counts.into_iter().try_for_each(|(account, count)| admit(call, account, count))
}

/// Forgets the data of an event. What waits of it is not delivered any more, and it cannot be delivered again.
#[utoipa::path(
    delete, path = "/api/v1/events/{id}/data", tag = "Events", operation_id = "expunge_event",
    security(("key" = ["hooks"])), params(("id" = EventId, Path, description = "The event's id."), asked::Account),
    responses(
        (status = 200, description = "It is forgotten.", body = Deleted),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn expunge(request: HttpRequest) -> Result<HttpResponse, Error> {
    // What waits for hooks goes with it.
    let call = Call::open(&request, &[Scope::Hooks])?;
    let (account, id) = target(&call)?;
    found(&call, &account, id).await?;
    call.hookyard.expunge_event(&account, id).await.map_err(Error::lookup("event"))?;
    Ok(answer::json(StatusCode::OK, &Deleted::count(1)))
}

fn open(request: &HttpRequest) -> Result<Call<'_>, Error> {
    Call::open(request, &[Scope::Events, Scope::Hooks])
}

fn target(call: &Call<'_>) -> Result<(AccountId, EventId), Error> {
    let account = call.account(None)?;
    let id = call.segment("id").parse().map_err(|_| Error::not_found("there is no such event"))?;
    Ok((account, id))
}

/// An event that the caller may know of: the router's own tell of other accounts' hooks.
async fn found(call: &Call<'_>, account: &AccountId, id: EventId) -> Result<EventHistory, Error> {
    let history = call.hookyard.event(account, id).await.map_err(Error::lookup("event"))?;
    if history.event.receipt.event.is_own() && !call.is_admin() {
        return Err(Error::not_found("there is no such event"));
    }
    Ok(history)
}

fn shape(event: &Emitted) -> Shape<'_> {
    Shape {
        receipt: &event.receipt,
        data: answer::raw(&event.data),
        expunged: event.is_expunged,
        accepted_at: event.accepted_at.with_milliseconds(),
        trace_id: event.labels.trace.as_ref().map(|context| hex::encode(context.trace_id())),
    }
}

/// Lists the event types: the whole catalogue, in its own order.
#[utoipa::path(
    get, path = "/api/v1/event-types", tag = "Events", operation_id = "list_event_types",
    security(("key" = ["hooks"]), ("key" = ["events"])),
    responses((status = 200, description = "All of them.", body = [EventTypeSpec]), refused::AnyKey),
)]
pub async fn types(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Hooks, Scope::Events])?;
    Ok(answer::json(StatusCode::OK, &call.hookyard.config().event_types))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some).map_err(|_| Error::field("the header Idempotency-Key must be text in UTF-8"))
}

fn posted(
    body: &Bytes,
    key: Option<&str>,
    limit: usize,
    account: impl Fn(Option<&str>) -> Result<AccountId, Error>,
) -> Result<Posted, Error> {
    let is_batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if !is_batch {
        let object = Object::read(body, &MEMBERS)?;
        return event(body, &object, key, &account).map(Posted::One);
    }
    if key.is_some() {
        return Err(Error::field(
            "the header Idempotency-Key is for a single event; give each of a batch an id",
        ));
    }
    let objects = Object::read_array(body, &MEMBERS, limit)?;
    let events = objects.iter().enumerate();
    let events =
        events.map(|(at, object)| event(body, object, None, &account).map_err(|error| error.of_entry(at)));
    events.collect::<Result<_, _>>().map(Posted::Batch)
}

/// One event as it stands in `body`; its data stays there.
fn event(
    body: &Bytes,
    object: &Object<'_, 5>,
    key: Option<&str>,
    account: &impl Fn(Option<&str>) -> Result<AccountId, Error>,
) -> Result<Event, Error> {
    let account = account(object.text("account")?.as_deref())?;
    let name = object.required_text("event")?;
    let data = object.raw("data").ok_or_else(|| Error::field("data is required; it may be null"))?;
    let id = object.text("id")?;
    if let (Some(key), Some(id)) = (key, &id)
        && key != id
    {
        return Err(Error::field("id and the header Idempotency-Key differ; give one of them"));
    }
    let mut event = Event::of_json(name.into_owned(), body.slice_ref(data.as_bytes())).account(account);
    event.idempotency_key = id.map(|id| id.into_owned()).or(key.map(str::to_owned));
    event.timestamp = object.text("timestamp")?.map(|timestamp| timestamp.into_owned());
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::super::error::Kind;
    use super::*;

    fn decode(body: &str, key: Option<&str>) -> Result<Posted, Error> {
        let account = |named: Option<&str>| Ok(named.unwrap_or("acme").parse().unwrap());
        posted(&Bytes::copy_from_slice(body.as_bytes()), key, 3, account)
    }

    fn one(body: &str) -> Event {
        match decode(body, None).unwrap() {
            Posted::One(event) => event,
            Posted::Batch(_) => panic!("a batch"),
        }
    }

    fn message(body: &str, key: Option<&str>) -> String {
        decode(body, key).unwrap_err().to_string()
    }

    #[test]
    fn data_keeps_every_byte() {
        for data in [
            r#"{ "b" : 1.0e+2,	"a":"\u00e9\/", "a":-0.0, "": [ 1 , 2 ] }"#,
            "null",
            "12345678901234567890.10",
            r#""\ud800""#,
            "[ ]",
        ] {
            let event = one(&format!(" {{\"event\":\"new_lead\", \"data\" :\n {data}\t, \"x\":1}} "));
            assert_eq!(event.data, data.as_bytes());
        }
    }

    #[test]
    fn data_is_not_copied() {
        let body = Bytes::from_static(br#"{"event":"a","data":{"large":true}}"#);
        let Posted::One(event) = posted(&body, None, 3, |_| Ok(AccountId::default_account())).unwrap() else {
            panic!("a batch")
        };
        assert!(body.as_ptr_range().contains(&event.data.as_ptr()));
    }

    #[test]
    fn a_missing_or_wrong_member_is_named() {
        assert_eq!(message(r#"{"event":"a"}"#, None), "data is required; it may be null");
        assert_eq!(message(r#"{"data":1}"#, None), "event is required");
        assert_eq!(message(r#"{"event":"a","data":1,"timestamp":5}"#, None), "timestamp must be a string");
        assert_eq!(message(r#"[{"event":"a","data":1},{"event":1}]"#, None), "[1]: event must be a string");
    }

    #[test]
    fn a_batch_is_bounded_and_may_be_empty() {
        let entry = r#"{"event":"a","data":1}"#;
        let three = format!(" [{entry},{entry},{entry}]");
        assert!(matches!(decode(&three, None), Ok(Posted::Batch(events)) if events.len() == 3));
        assert!(matches!(decode("[]", None), Ok(Posted::Batch(events)) if events.is_empty()));
        assert_eq!(
            message(&format!("[{entry},{entry},{entry},{entry}]"), None),
            "the array has more than 3 entries"
        );
    }

    #[test]
    fn the_header_and_the_id_are_one_key() {
        let body = r#"{"event":"a","data":1,"id":"k"}"#;
        let Ok(Posted::One(event)) = decode(body, Some("k")) else { panic!("refused") };
        assert_eq!(event.idempotency_key.as_deref(), Some("k"));
        let Ok(Posted::One(event)) = decode(r#"{"event":"a","data":1}"#, Some("h")) else {
            panic!("refused")
        };
        assert_eq!(event.idempotency_key.as_deref(), Some("h"));
        assert_eq!(decode(body, Some("other")).unwrap_err().kind(), Kind::InvalidField);
        assert_eq!(decode("[]", Some("k")).unwrap_err().kind(), Kind::InvalidField);
    }

    #[test]
    fn each_event_may_name_its_account() {
        assert_eq!(one(r#"{"event":"a","data":1}"#).account.as_str(), "acme");
        assert_eq!(one(r#"{"event":"a","data":1,"account":"other"}"#).account.as_str(), "other");
    }
}
