//! Messages: events, as this API shows them.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::account::{Account, Scope};
use crate::api::answer;
use crate::api::error::Error;
use crate::api::trace_context;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::event_type::{EventType, OWN_PREFIX};
use crate::filter::Channel;
use crate::hookyard::{EmitError, Emitted, Order};
use crate::id::{EventId, Kind, MessageId, OfMessage};
use crate::label::Uid;

use super::applications;
use super::input::{self, Faults};
use super::refusal::{Fault, Refusal};
use super::repeating;
use super::visit::Visit;

/// The most channels of one message.
const CHANNELS_LIMIT: usize = 5;
/// Whoever sends messages or manages endpoints may look at messages.
const LOOKING: [Scope; 2] = [Scope::Events, Scope::Hooks];
/// How many days a payload may be asked to be kept; here it is kept as long as the configuration says.
const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 5..=90;

/// What stands in the place of a payload that was expunged.
const EXPUNGED: &[u8] = br#"{"expired":true}"#;

/// What is sent of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish<'a> {
    event_type: String,
    #[serde(borrow, alias = "data")]
    payload: &'a RawValue,
    event_id: Option<String>,
    channels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "input::some")]
    payload_retention_period: Option<i64>,
    application: Option<applications::Wish>,
    transformations_params: Option<Transformations>,
}

/// Of how the body is made of the payload, what is not a program.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transformations {
    /// JSON that is sent instead of the payload, byte for byte.
    raw_payload: Option<String>,
}

/// A message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape<'a> {
    #[serde(serialize_with = "answer::text")]
    id: MessageId,
    event_id: Option<&'a Uid>,
    event_type: &'a EventType,
    payload: &'a RawValue,
    channels: Option<&'a [Channel]>,
    #[serde(serialize_with = "answer::precise")]
    timestamp: Timestamp,
}

/// Accepts a message: it is durable when this is answered.
pub async fn create(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let with_content = visit.asked_flag("with_content", true)?;
    visit.permit(&[Scope::Events])?;
    let body = visit.body(payload).await?;
    let wish: Wish<'_> = input::read(&body)?;
    let mut faults = Faults::default();
    faults.limited("event_type", &wish.event_type);
    if wish.event_type.starts_with(OWN_PREFIX) {
        faults.note(&["event_type"], format!("names that begin with {OWN_PREFIX} are the router's own"));
    }
    if !wish.payload.get().starts_with('{') {
        faults.note(&["payload"], "Payload must be an object.");
    }
    if wish.payload_retention_period.is_some_and(|days| !RETENTION_DAYS.contains(&days)) {
        faults.note(&["payload_retention_period"], "Validation error");
    }
    let raw = wish.transformations_params.and_then(|given| given.raw_payload);
    if raw.as_ref().is_some_and(|raw| serde_json::from_str::<IgnoredAny>(raw).is_err()) {
        faults.note(&["transformations_params", "raw_payload"], "must be JSON");
    }
    let uid = faults.uid(OfMessage::PREFIX, wish.event_id);
    let channels = faults.channels(CHANNELS_LIMIT, wish.channels);
    let profile = wish
        .application
        .map(|wish| faults.within("application", |faults| applications::profile(wish, faults)));
    faults.check()?;
    let account = applications::named_or_made(&visit, profile, &[Scope::Events]).await?;
    visit.hookyard().admit_events(&account.id, 1).map_err(Error::too_fast("this account"))?;
    let data = raw.map_or_else(|| body.slice_ref(wish.payload.get().as_bytes()), Bytes::from);
    let mut event = Event::of_json(wish.event_type, data).account(account.id.clone()).of_any_type();
    if let Some(uid) = uid {
        event = event.uid(uid);
    }
    if !channels.is_empty() {
        event = event.channels(channels);
    }
    if let Some(key) = repeating::key(&request) {
        let sender = hex::encode(visit.sender());
        event = event.repeated_by(account.no, &format!("{sender} {key} {}", request.uri()));
    }
    if let Some(context) = trace_context::of(request.headers()) {
        event = event.trace_context(context);
    }
    let accepted = visit.hookyard().try_accept(event).await?;
    Ok(show(StatusCode::ACCEPTED, &accepted, with_content))
}

/// Lists the messages of an application, newest first.
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (page, narrowed) = visit.narrowed_page()?;
    let with_content = visit.asked_flag("with_content", true)?;
    let account = visit.application(&LOOKING)?;
    let stretch = page.stretch::<MessageId>(Order::Descending)?.map(EventId::of);
    let listed = visit.hookyard().list_events(&account.id, &narrowed, stretch).await?;
    let id = |event: &Emitted| MessageId::of(event.receipt.id).to_string();
    Ok(page.answer(&listed, id, |event| shape(event, with_content)))
}

/// Shows a message.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let with_content = visit.asked_flag("with_content", true)?;
    let (_, event) = named(&visit).await?;
    Ok(show(StatusCode::OK, &event, with_content))
}

/// Forgets the payload of a message, and what waits of it.
pub async fn expunge(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let (account, event) = named(&visit).await?;
    visit.hookyard().expunge_event(&account.id, event.receipt.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The message that the path names, and its application.
pub async fn named(visit: &Visit<'_>) -> Result<(Account, Emitted), Refusal> {
    let account = visit.application(&LOOKING)?;
    let event = visit.hookyard().find_event(&account.id, visit.segment("msg_id")).await?;
    let hidden = event.receipt.event.is_own() && !visit.is_organisation();
    if hidden { Err(Refusal::not_found()) } else { Ok((account, event)) }
}

/// A message as an answer.
pub fn show(status: StatusCode, event: &Emitted, with_content: bool) -> HttpResponse {
    answer::json(status, &shape(event, with_content))
}

/// A message, or all of it but for its payload.
pub fn shape(event: &Emitted, with_content: bool) -> Shape<'_> {
    let payload: &[u8] = match (with_content, event.is_expunged) {
        (false, _) => b"{}",
        (true, true) => EXPUNGED,
        (true, false) => &event.data,
    };
    Shape {
        id: MessageId::of(event.receipt.id),
        event_id: event.labels.uid.as_ref(),
        event_type: &event.receipt.event,
        payload: answer::raw(payload),
        channels: Some(&event.labels.channels[..]).filter(|channels| !channels.is_empty()),
        timestamp: event.accepted_at,
    }
}

impl From<EmitError> for Refusal {
    fn from(error: EmitError) -> Self {
        match error {
            EmitError::Conflict => Self::conflict("conflict", "A conflict has occurred"),
            EmitError::UnknownAccount(_) => Self::not_found(),
            EmitError::EventType(error) => Self::invalid(Fault::body(["event_type"], error.to_string())),
            EmitError::Schema { mismatch, .. } => {
                let path = ["payload"].into_iter().chain(mismatch.path.split('/').skip(1));
                Self::invalid(Fault::body(path, mismatch.why.clone()))
            }
            EmitError::Unavailable(why) => why.into(),
            error => Error::from(error).into(),
        }
    }
}
