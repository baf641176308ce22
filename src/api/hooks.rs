//! Hooks over HTTP: subscribing, unsubscribing, looking at them, pausing and resuming; what is done with a hook's
//! deliveries and secret stands beside, in `handling`.

mod handling;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::account::{AccountId, Scope};
use crate::clock::Timestamp;
use crate::event_type::{EventType, OWN_PREFIX};
use crate::hookyard::{Change, Hook, HookQuery, Subscribe, Which};
use crate::id::HookId;
use crate::subscription::Status;

use super::answer::{self, Deleted};
use super::call::Call;
use super::error::{Error, Kind};
use super::list;
use super::object::{Names, Object};
use super::query::Query;

const WISH: Names<5> = ["url", "event", "secret", "replay", "account"];
const NAMING: Names<4> = ["id", "url", "event", "account"];
const STATUSES: [&str; 3] = ["active", "paused", "deactivated"];

/// A hook as the API shows it: one flat object.
#[derive(Serialize)]
struct Shape<'a> {
    #[serde(serialize_with = "answer::text")]
    id: HookId,
    url: &'a str,
    event: Option<&'a EventType>,
    active: bool,
    status: &'static str,
    #[serde(serialize_with = "answer::text")]
    created_at: Timestamp,
    #[serde(flatten)]
    end: Option<End<'a>>,
    pending: u64,
    dead: u64,
    #[serde(serialize_with = "answer::text_or_null")]
    last_attempt_at: Option<Timestamp>,
    #[serde(serialize_with = "answer::text_or_null")]
    next_attempt_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// When and why a hook was deactivated.
#[derive(Serialize)]
struct End<'a> {
    #[serde(serialize_with = "answer::text")]
    deactivated_at: Timestamp,
    reason: &'a str,
}

pub use handling::{replay, rotate_secret, sample, test};

/// What a DELETE names.
#[derive(Debug)]
enum Named {
    Hooks(Which),
    /// An id that no hook can have.
    Nothing,
}

/// `POST /api/v1/hooks/subscribe`
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
    let shape = Shape { secret: Some(subscribed.secret.reveal()), ..shape(&subscribed.hook) };
    let mut response = answer::json(status, &shape);
    // The hook stands beside the resource that made it. One that was there already is told as well: a client that lost
    // the first answer has nothing else to delete it by.
    let hooks = call.path().trim_end_matches("subscribe");
    if let Ok(location) = HeaderValue::try_from(call.public(&format!("{hooks}{}", shape.id))) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// `DELETE /api/v1/hooks/subscribe`
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

/// `DELETE /api/v1/hooks/{id}`
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    remove(&call, &account, Named::of_id(call.segment("id"))).await
}

/// `GET /api/v1/hooks`
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let (query, page) = (filter(&call.query)?, call.query.page()?);
    let hooks = call.hookyard.hooks(&account, query, page).await.map_err(Error::lookup("account"))?;
    Ok(list::page(&call, &hooks, shape))
}

/// `GET /api/v1/hooks/{id}`
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.hook(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// `POST /api/v1/hooks/{id}/pause`
pub async fn pause(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.pause(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// `POST /api/v1/hooks/{id}/resume`
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

fn filter(query: &Query<'_>) -> Result<HookQuery, Error> {
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
    let end = match &subscription.status {
        Status::Deactivated { at, reason } => Some(End { deactivated_at: *at, reason }),
        Status::Active | Status::Paused => None,
    };
    Shape {
        id: subscription.id,
        url: subscription.url.as_sent(),
        event: subscription.filter.event_types().first(),
        active: subscription.status == Status::Active,
        status: subscription.status.as_str(),
        created_at: subscription.created_at,
        end,
        pending: hook.pending,
        dead: hook.dead,
        last_attempt_at: hook.last_attempt_at,
        next_attempt_at: hook.next_attempt_at,
        secret: None,
    }
}

#[cfg(test)]
mod tests;
