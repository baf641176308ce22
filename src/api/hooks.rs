//! Hooks over HTTP: subscribing, unsubscribing, looking at them, pausing and resuming; what is done with a hook's
//! deliveries and secret stands beside, in `handling`.

pub mod client_certificate;
pub mod delivery;
pub mod filter;
pub mod handling;
pub mod headers;
pub mod stats;

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::account::{AccountId, Scope};
use crate::clock::Timestamp;
use crate::condition::Condition;
use crate::event_type::{EventType, OWN_PREFIX};
use crate::hookyard::{Change, Hook, HookQuery, Subscribe, Which};
use crate::id::HookId;
use crate::subscription::{DeliveryPolicy, Status};

use super::answer::{self, Deleted};
use super::call::Call;
use super::error::{Error, Kind};
use super::list;
use super::object::{Names, Object};
use super::openapi::{asked, refused, vocabulary};
use super::query::Query;

pub use client_certificate::{delete_client_certificate, get_client_certificate, set_client_certificate};
pub use delivery::set_delivery;
pub use filter::set_filter;
pub use handling::{replay, rotate_secret, sample, test};
pub use headers::set_headers;
pub use stats::{account_stats, stats};

pub const WISH: Names<9> =
    ["url", "event", "secret", "headers", "filter", "delivery", "client_certificate", "replay", "account"];
pub const NAMING: Names<4> = ["id", "url", "event", "account"];
const STATUSES: [&str; 3] = ["active", "paused", "deactivated"];

/// A hook as the API shows it: one flat object.
#[derive(Serialize, ToSchema)]
#[schema(as = Hook)]
pub struct Shape<'a> {
    #[serde(serialize_with = "answer::text")]
    id: HookId,
    /// As it was sent.
    url: &'a str,
    #[schema(value_type = EventType)]
    event: Option<&'a EventType>,
    /// Whether it is delivered to: its status is `active`.
    active: bool,
    #[schema(value_type = vocabulary::HookStatus)]
    status: &'static str,
    #[serde(serialize_with = "answer::text")]
    created_at: Timestamp,
    /// When it was deactivated, if it was.
    #[serde(serialize_with = "answer::text_or_null", skip_serializing_if = "Option::is_none")]
    deactivated_at: Option<Timestamp>,
    /// Why it was deactivated.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// How many deliveries wait.
    pending: u64,
    /// How many of them are replays that have not been attempted yet: they were asked for again, or came back with the hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaying: Option<u64>,
    /// How many deliveries were given up and are kept.
    dead: u64,
    #[serde(serialize_with = "answer::text_or_null")]
    last_attempt_at: Option<Timestamp>,
    #[serde(serialize_with = "answer::text_or_null")]
    next_attempt_at: Option<Timestamp>,
    /// The names of its custom headers, if it has any. Their values are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<&'a str>>,
    /// What must hold of an event's data, if that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    /// How it is served, where that is not as configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a DeliveryPolicy>,
    /// What it shows receivers that ask who calls, if that is its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<client_certificate::Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What its deliveries are signed with. It is shown here and when it is rotated, nowhere else.
    secret: Option<Cow<'a, str>>,
}

/// What a DELETE names.
#[derive(Debug)]
enum Named {
    Hooks(Which),
    /// An id that no hook can have.
    Nothing,
}

/// Subscribes a URL to an event type.
///
/// One account, URL and event type have one hook: asking again finds it, resumes it if it is paused, and brings it
/// back if it was deactivated. Nothing is sent to the URL because of this.
#[utoipa::path(
    post, path = "/api/v1/hooks/subscribe", tag = "Hooks", operation_id = "subscribe",
    security(("key" = ["hooks"])), params(asked::Account),
    request_body(content = ref("#/components/schemas/Subscribe")),
    responses(
        (status = 201, description = "The hook is made, or active again.", body = Shape<'static>, headers(("location", description = "Where it is."))),
        (status = 200, description = "The hook was there.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Hook, refused::Store,
    ),
)]
pub async fn subscribe(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.body(payload).await?;
    let wish = wish(&body, |named| call.account(named))?;
    permit(&call, &wish.event)?;
    let subscribed = call.hookyard.subscribe(wish).await?;
    let status = match subscribed.change {
        Change::Created | Change::Reactivated => StatusCode::CREATED,
        Change::Nothing | Change::Resumed => StatusCode::OK,
    };
    let shape = Shape { secret: Some(subscribed.secret.shown()), ..shape(&subscribed.hook) };
    let mut response = answer::json(status, &shape);
    // The hook stands beside the resource that made it. One that was there already is told as well: a client that lost
    // the first answer has nothing else to delete it by.
    let hooks = call.path().trim_end_matches("subscribe");
    if let Ok(location) = HeaderValue::try_from(call.public(&format!("{hooks}{}", shape.id))) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Unsubscribes the hooks that the body or the query string names.
///
/// Once this is answered, no attempt starts for them. Naming none that exists is no mistake.
#[utoipa::path(
    delete, path = "/api/v1/hooks/subscribe", tag = "Hooks", operation_id = "unsubscribe",
    security(("key" = ["hooks"])), params(asked::Named, asked::Account),
    request_body(content = ref("#/components/schemas/Unsubscribe")),
    responses(
        (status = 200, description = "They are gone.", body = Deleted),
        refused::Key, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn unsubscribe(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.optional_body(payload).await?;
    let object = body.as_deref().map(|body| Object::read(body, &NAMING)).transpose()?;
    let named = named(object.as_ref(), &call.query)?;
    let account = match &object {
        Some(object) => call.account(object.text("account")?.as_deref())?,
        None => call.account(None)?,
    };
    remove(&call, &account, named).await
}

/// Unsubscribes one hook.
///
/// Once this is answered, no attempt starts for it. Naming one that does not exist is no mistake.
#[utoipa::path(
    delete, path = "/api/v1/hooks/{id}", tag = "Hooks", operation_id = "delete_hook",
    security(("key" = ["hooks"])), params(("id" = String, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "It is gone.", body = Deleted),
        refused::Key, refused::Field, refused::Store,
    ),
)]
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    remove(&call, &account, Named::of_id(call.segment("id"))).await
}

/// Lists the hooks of the account.
#[utoipa::path(
    get, path = "/api/v1/hooks", tag = "Hooks", operation_id = "list_hooks",
    security(("key" = ["hooks"])), params(asked::Hooks, asked::Page, asked::Account),
    responses(
        (status = 200, description = "A page of them.", body = [Shape<'static>]),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let (query, page) = (narrowed(&call.query)?, call.query.page()?);
    let hooks = call.hookyard.hooks(&account, query, page).await.map_err(Error::lookup("account"))?;
    Ok(list::page(&call, &hooks, shape))
}

/// Shows a hook.
#[utoipa::path(
    get, path = "/api/v1/hooks/{id}", tag = "Hooks", operation_id = "get_hook",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.hook(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// Pauses a hook: its deliveries wait, and none is lost. Attempts in flight finish.
#[utoipa::path(
    post, path = "/api/v1/hooks/{id}/pause", tag = "Hooks", operation_id = "pause_hook",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn pause(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.pause(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// Resumes a paused hook: what waits goes out.
#[utoipa::path(
    post, path = "/api/v1/hooks/{id}/resume", tag = "Hooks", operation_id = "resume_hook",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn resume(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.resume(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

fn open(request: &HttpRequest) -> Result<Call<'_>, Error> {
    Call::open(request, &[Scope::Hooks])
}

/// Keeps the router's own events, which tell of every account's hooks, for `admin` keys.
fn permit(call: &Call<'_>, event: &str) -> Result<(), Error> {
    if event.starts_with(OWN_PREFIX) && !call.is_admin() {
        return Err(Error::new(Kind::Forbidden, "the router's own events need a key with the scope admin"));
    }
    Ok(())
}

/// The hook that the path names, and the account in which it is looked for.
fn target(call: &Call<'_>) -> Result<(AccountId, HookId), Error> {
    let account = call.account(None)?;
    let id = call.segment("id").parse().map_err(|_| Error::not_found("there is no such hook"))?;
    Ok((account, id))
}

async fn remove(call: &Call<'_>, account: &AccountId, named: Named) -> Result<HttpResponse, Error> {
    let deleted = match named {
        Named::Hooks(which) => call.hookyard.unsubscribe(account, which).await?,
        Named::Nothing => 0,
    };
    Ok(answer::json(StatusCode::OK, &Deleted::count(deleted)))
}

fn wish(body: &[u8], account: impl Fn(Option<&str>) -> Result<AccountId, Error>) -> Result<Subscribe, Error> {
    let object = Object::read(body, &WISH)?;
    Ok(Subscribe {
        account: account(object.text("account")?.as_deref())?,
        url: object.required_text("url")?.into_owned(),
        event: object.required_text("event")?.into_owned(),
        secret: object.text("secret")?.map(|secret| secret.into_owned()),
        headers: headers::read(&object)?,
        condition: filter::read(&object)?,
        delivery: delivery::read(&object)?.unwrap_or_default(),
        client_certificate: client_certificate::of_member(&object)?,
        replay: object.flag("replay")?.unwrap_or(false),
    })
}

/// What the body names, or else the query string. An id outweighs a URL: clients send back the hook that they got.
fn named(object: Option<&Object<'_, 4>>, query: &Query<'_>) -> Result<Named, Error> {
    let member = |name: &str| -> Result<Option<String>, Error> {
        let given = object.map(|object| object.text(name)).transpose()?.flatten();
        Ok(given.map(|text| text.into_owned()).or_else(|| query.owned(name)))
    };
    if let Some(id) = member("id")? {
        return Ok(Named::of_id(&id));
    }
    let url = member("url")?
        .ok_or_else(|| Error::field("name the hook: its id, or its url with or without event"))?;
    Ok(Named::Hooks(Which::Url { url, event: member("event")? }))
}

impl Named {
    fn of_id(text: &str) -> Self {
        text.parse().map_or(Self::Nothing, |id| Self::Hooks(Which::Id(id)))
    }
}

fn narrowed(query: &Query<'_>) -> Result<HookQuery, Error> {
    let status = query.owned("status");
    if status.as_deref().is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Error::field(format!("status must be one of {}", STATUSES.join(", "))));
    }
    Ok(HookQuery {
        url: query.owned("url"),
        event: query.owned("event"),
        active: query.flag("active")?,
        status,
    })
}

fn shape(hook: &Hook) -> Shape<'_> {
    let subscription = &hook.subscription;
    let (deactivated_at, reason) = match &subscription.status {
        Status::Deactivated { at, reason } => (Some(*at), Some(reason.as_str())),
        Status::Active | Status::Paused => (None, None),
    };
    Shape {
        id: subscription.id,
        url: subscription.url.as_sent(),
        event: subscription.filter.only_type(),
        active: subscription.status == Status::Active,
        status: subscription.status.as_str(),
        created_at: subscription.created_at,
        deactivated_at,
        reason,
        pending: hook.pending,
        replaying: Some(hook.replaying).filter(|replaying| *replaying > 0),
        dead: hook.dead,
        last_attempt_at: hook.last_attempt_at,
        next_attempt_at: hook.next_attempt_at,
        headers: (!subscription.headers.is_empty()).then(|| subscription.headers.names().collect()),
        filter: subscription.condition.as_ref().map(Condition::as_str),
        delivery: Some(&subscription.delivery).filter(|policy| **policy != DeliveryPolicy::default()),
        client_certificate: subscription.client_certificate.as_ref().map(client_certificate::Shown::of),
        secret: None,
    }
}

#[cfg(test)]
mod tests;
