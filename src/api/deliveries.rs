//! Deliveries over HTTP: looking at them and their attempts, and trying one again.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::account::{AccountId, Scope};
use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::event_type::EventType;
use crate::hookyard::{Delivery, DeliveryQuery, DeliveryStatus, PageRequest};
use crate::id::{DeliveryId, EventId, HookId};

use super::answer::{self, Deleted};
use super::call::Call;
use super::error::Error;
use super::list;
use super::openapi::{asked, refused};
use super::query::Query;

/// A delivery as lists show it.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct Shape<'a> {
    id: DeliveryId,
    event_id: EventId,
    hook_id: HookId,
    event: &'a EventType,
    #[schema(value_type = DeliveryStatus)]
    status: &'static str,
    /// How many attempts were made.
    attempts: u16,
    #[serde(serialize_with = "answer::text_or_null")]
    next_attempt_at: Option<Timestamp>,
    /// The status that the last attempt was answered with.
    last_status: Option<u16>,
    /// Why the last attempt was not answered.
    #[schema(value_type = Option<ErrorKind>)]
    last_error: Option<&'static str>,
    #[serde(serialize_with = "answer::text")]
    created_at: Timestamp,
    /// The attempts, oldest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_log: Option<Vec<AttemptShape>>,
}

/// One HTTP request of a delivery, over.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptShape {
    /// Which attempt of its delivery it was.
    n: u16,
    #[schema(value_type = Timestamp)]
    at: String,
    /// What the receiver answered; null when no usable answer came.
    status: Option<u16>,
    /// Why no usable answer came.
    #[schema(value_type = Option<ErrorKind>)]
    error: Option<&'static str>,
    duration_ms: u32,
    /// The first bytes of the response's body; what is no UTF-8 is replaced.
    response: String,
}

/// Lists the deliveries of the account.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "Deliveries", operation_id = "list_deliveries",
    security(("key" = ["hooks"])),
    params(asked::DeliveriesOf, asked::Deliveries, asked::Page, asked::Account),
    responses(
        (status = 200, description = "A page of them.", body = [Shape<'static>]),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let (query, page) = (filter(&call)?, call.query.page()?);
    let Some(query) = query else {
        return Ok(answer::json(StatusCode::OK, &[(); 0]));
    };
    show(&call, &account, query, page).await
}

/// Lists the deliveries of a hook.
#[utoipa::path(
    get, path = "/api/v1/hooks/{id}/deliveries", tag = "Deliveries", operation_id = "list_deliveries_of_hook",
    security(("key" = ["hooks"])),
    params(("id" = HookId, Path, description = "The hook's id."), asked::Deliveries, asked::Page, asked::Account),
    responses(
        (status = 200, description = "A page of them.", body = [Shape<'static>]),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn of_hook(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let id = call.segment("id").parse().map_err(|_| Error::not_found("there is no such hook"))?;
    let (query, page) = (filter(&call)?.unwrap_or_default(), call.query.page()?);
    call.hookyard.hook(&account, id).await.map_err(Error::lookup("hook"))?;
    show(&call, &account, DeliveryQuery { hook: Some(id), ..query }, page).await
}

/// Shows a delivery with its attempts.
#[utoipa::path(
    get, path = "/api/v1/deliveries/{id}", tag = "Deliveries", operation_id = "get_delivery",
    security(("key" = ["hooks"])), params(("id" = DeliveryId, Path, description = "The delivery's id."), asked::Account),
    responses(
        (status = 200, description = "The delivery.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    Ok(answer::json(StatusCode::OK, &with_log(&found(&call, &account, id).await?)))
}

/// Attempts a delivery again, now and with a fresh schedule, whatever became of it.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/retry", tag = "Deliveries", operation_id = "retry_delivery",
    security(("key" = ["hooks"])), params(("id" = DeliveryId, Path, description = "The delivery's id."), asked::Account),
    responses(
        (status = 202, description = "It is due; this is how it was found.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Field, refused::Deactivated, refused::Store,
    ),
)]
pub async fn retry(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    found(&call, &account, id).await?;
    let delivery = call.hookyard.retry(&account, id).await?;
    Ok(answer::json(StatusCode::ACCEPTED, &with_log(&delivery)))
}

/// Forgets what the receiver answered to an attempt.
#[utoipa::path(
    delete, path = "/api/v1/deliveries/{id}/attempts/{n}/response", tag = "Deliveries", operation_id = "expunge_response",
    security(("key" = ["hooks"])),
    params(
        ("id" = DeliveryId, Path, description = "The delivery's id."),
        ("n" = u16, Path, description = "The attempt's number within the delivery."),
        asked::Account,
    ),
    responses(
        (status = 200, description = "It is forgotten.", body = Deleted),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn expunge(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let n = call.segment("n").parse().map_err(|_| Error::not_found("there is no such attempt"))?;
    found(&call, &account, id).await?;
    call.hookyard.expunge_answer(&account, id, n).await.map_err(Error::lookup("attempt"))?;
    Ok(answer::json(StatusCode::OK, &Deleted::count(1)))
}

/// A delivery with its attempts.
pub fn with_log(delivery: &Delivery) -> Shape<'_> {
    let log = delivery.log.iter().map(AttemptShape::of).collect();
    Shape { attempt_log: Some(log), ..shape(delivery) }
}

fn open(request: &HttpRequest) -> Result<Call<'_>, Error> {
    Call::open(request, &[Scope::Hooks])
}

fn target(call: &Call<'_>) -> Result<(AccountId, DeliveryId), Error> {
    let account = call.account(None)?;
    let id = call.segment("id").parse().map_err(|_| Error::not_found("there is no such delivery"))?;
    Ok((account, id))
}

/// A delivery that the caller may know of: the router's own events tell of other accounts' hooks.
async fn found(call: &Call<'_>, account: &AccountId, id: DeliveryId) -> Result<Delivery, Error> {
    let delivery = call.hookyard.delivery(account, id).await.map_err(Error::lookup("delivery"))?;
    if delivery.event.is_own() && !call.is_admin() {
        return Err(Error::not_found("there is no such delivery"));
    }
    Ok(delivery)
}

async fn show(
    call: &Call<'_>,
    account: &AccountId,
    query: DeliveryQuery,
    page: PageRequest,
) -> Result<HttpResponse, Error> {
    let deliveries = call.hookyard.deliveries(account, query, page).await;
    let deliveries = deliveries.map_err(Error::lookup("account"))?;
    Ok(list::page(call, &deliveries, shape))
}

/// What the query string narrows the list to; nothing where it names a hook that cannot be.
fn filter(call: &Call<'_>) -> Result<Option<DeliveryQuery>, Error> {
    let narrowed = narrowed(&call.query)?;
    Ok(narrowed.map(|query| DeliveryQuery { hide_own: !call.is_admin(), ..query }))
}

fn narrowed(query: &Query<'_>) -> Result<Option<DeliveryQuery>, Error> {
    let status = query.get("status").map(status).transpose()?;
    let (since, until) = (query.timestamp("since")?, query.timestamp("until")?);
    let Ok(hook) = query.get("hook").map(str::parse).transpose() else {
        return Ok(None);
    };
    Ok(Some(DeliveryQuery { hook, event: query.owned("event"), hide_own: false, status, since, until }))
}

fn status(name: &str) -> Result<DeliveryStatus, Error> {
    let known = DeliveryStatus::ALL.into_iter().find(|status| status.as_str() == name);
    known.ok_or_else(|| {
        Error::field(format!(
            "status must be one of {}",
            DeliveryStatus::ALL.map(|one| one.as_str()).join(", ")
        ))
    })
}

fn shape(delivery: &Delivery) -> Shape<'_> {
    let (last_status, last_error) = delivery.log.last().map_or((None, None), |last| parts(last.outcome));
    Shape {
        id: delivery.id,
        event_id: delivery.event_id,
        hook_id: delivery.hook_id,
        event: &delivery.event,
        status: delivery.status.as_str(),
        attempts: delivery.attempts,
        next_attempt_at: delivery.next_attempt_at,
        last_status,
        last_error,
        created_at: delivery.created_at,
        attempt_log: None,
    }
}

impl AttemptShape {
    pub fn of(attempt: &Attempt) -> Self {
        let (status, error) = parts(attempt.outcome);
        Self {
            n: attempt.n,
            at: attempt.at.with_milliseconds(),
            status,
            error,
            duration_ms: attempt.duration_ms,
            response: String::from_utf8_lossy(&attempt.response).into_owned(),
        }
    }
}

/// An outcome's status, or why there is none.
fn parts(outcome: Outcome) -> (Option<u16>, Option<&'static str>) {
    match outcome {
        Outcome::Answered { status, .. } => (Some(status), None),
        Outcome::Failed(kind) => (None, Some(kind.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn attempt(n: u16, outcome: Outcome) -> Attempt {
        let response = Bytes::from_static(b"caf\xc3\xa9 \xff");
        let at = Timestamp(1_768_473_000_007);
        Attempt { n, at, asked: false, outcome, duration_ms: 12, response }
    }

    #[test]
    fn a_delivery_shows_what_its_last_attempt_met() {
        let answered = Outcome::Answered { status: 500, retry_after: None };
        let delivery = Delivery {
            id: DeliveryId::from_bytes([1; 20]),
            event_id: EventId::from_bytes([2; 20]),
            hook_id: HookId::from_bytes([3; 20]),
            url: "https://example.com/".parse().unwrap(),
            event: "new_lead".parse().unwrap(),
            status: DeliveryStatus::Pending,
            attempts: 2,
            next_attempt_at: Some(Timestamp(1_768_473_060_000)),
            created_at: Timestamp(1_768_473_000_000),
            log: vec![attempt(1, answered), attempt(2, Outcome::Failed(ErrorKind::Timeout))],
        };
        let json = serde_json::to_value(with_log(&delivery)).unwrap();
        assert_eq!(
            (&json["last_status"], &json["last_error"]),
            (&serde_json::Value::Null, &"timeout".into())
        );
        assert_eq!((&json["status"], &json["attempts"]), (&"pending".into(), &2.into()));
        assert_eq!(json["next_attempt_at"], "2026-01-15T10:31:00Z");
        let first = serde_json::json!({
            "n": 1, "at": "2026-01-15T10:30:00.007Z", "status": 500, "error": null, "duration_ms": 12,
            "response": "café \u{fffd}",
        });
        assert_eq!(json["attempt_log"][0], first);
        assert!(serde_json::to_value(shape(&delivery)).unwrap().get("attempt_log").is_none());
    }

    #[test]
    fn a_filter_knows_its_values() {
        let filtered = |query: &str| narrowed(&Query::parse(query)).map_err(|error| error.to_string());
        let query = filtered("status=dead&event=e&since=2026-01-15T10:30:00Z").unwrap().unwrap();
        assert_eq!((query.status, query.event.as_deref()), (Some(DeliveryStatus::Dead), Some("e")));
        assert_eq!(query.since, Some(Timestamp(1_768_473_000_000)));
        assert_eq!(filtered("status=x").unwrap_err(), "status must be one of pending, delivered, dead");
        assert!(filtered("until=yesterday").unwrap_err().starts_with("until must be an RFC 3339"));
        assert!(filtered("hook=17").unwrap().is_none());
    }
}
