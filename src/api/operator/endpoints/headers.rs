//! The headers that the requests to an endpoint carry beside those that are ours.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::api::answer;
use crate::api::operator::input;
use crate::api::operator::refusal::{Fault, Refusal};
use crate::api::operator::visit::Visit;
use crate::hookyard::HeadersError;
use crate::subscription::NotHeaders;

use super::named;

/// Headers whose values are credentials: they are named, and not shown.
const SENSITIVE: [&str; 5] =
    ["authorization", "proxy-authenticate", "proxy-authorization", "www-authenticate", "x-auth-token"];
/// What the names of headers begin with that proxies and clouds keep for themselves, and those that sign messages.
const FORBIDDEN_FAMILIES: [&str; 9] =
    ["svix-", "x-amz-", "x-amzn-", "x-azure-", "x-fd-", "x-gfe", "x-goog-", "x-google", "x-svix-"];
/// Names that a request of another kind than ours has.
const FORBIDDEN: [&str; 8] = [
    "age",
    "cache-control",
    "clear-site-data",
    "content-language",
    "content-location",
    "expires",
    "pragma",
    "warning",
];

/// All the headers, as they are to be.
#[derive(Deserialize)]
struct Replacement {
    headers: BTreeMap<String, String>,
}

/// Some headers, as they are to be; `null` takes one away.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// The names of others to be taken away.
    #[serde(default)]
    delete_headers: Vec<String>,
}

#[derive(Serialize)]
struct Shape<'a> {
    headers: BTreeMap<&'a str, &'a str>,
    sensitive: Vec<&'a str>,
}

/// Shows the headers.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (_, endpoint) = named(&visit).await?;
    let (sensitive, shown): (Vec<_>, Vec<_>) =
        endpoint.headers.reveal().partition(|(name, _)| SENSITIVE.contains(name));
    let sensitive = sensitive.into_iter().map(|(name, _)| name).collect();
    Ok(answer::json(StatusCode::OK, &Shape { headers: shown.into_iter().collect(), sensitive }))
}

/// Replaces them all.
pub async fn update(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (account, endpoint) = named(&visit).await?;
    let body = visit.body(payload).await?;
    let Replacement { headers } = input::read(&body)?;
    vet(headers.keys())?;
    visit.hookyard().set_headers(&account.id, endpoint.id, headers).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Changes some of them.
pub async fn patch(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (account, endpoint) = named(&visit).await?;
    let body = visit.body(payload).await?;
    let Change { mut headers, delete_headers } = input::read(&body)?;
    headers.extend(delete_headers.into_iter().map(|name| (name, None)));
    vet(headers.keys())?;
    let change = |all: &mut BTreeMap<String, String>| {
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            match value {
                Some(value) => drop(all.insert(name, value)),
                None => drop(all.remove(&name)),
            }
        }
    };
    visit.hookyard().change_headers(&account.id, endpoint.id, change).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn vet<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    for name in names {
        let name = name.to_ascii_lowercase();
        if FORBIDDEN.contains(&name.as_str()) {
            return Err(refused("Header uses a forbidden key."));
        }
        if FORBIDDEN_FAMILIES.iter().any(|family| name.starts_with(family)) {
            return Err(refused("Header starts with a forbidden prefix."));
        }
    }
    Ok(())
}

fn refused(why: &str) -> Refusal {
    Refusal::invalid(Fault::body(["headers", "__all__"], why))
}

/// Headers that were sent with an endpoint that is made.
pub fn given(headers: BTreeMap<String, String>) -> Result<Vec<(String, String)>, Refusal> {
    vet(headers.keys())?;
    Ok(headers.into_iter().collect())
}

/// The refusal of headers that cannot be.
pub fn refused_by(error: &NotHeaders) -> Refusal {
    match error {
        NotHeaders::Reserved(_) => refused("Header uses a forbidden key."),
        NotHeaders::Name(_) => refused("Invalid Header Name."),
        NotHeaders::Value(_) => refused("Invalid Header Value."),
        error => refused(&error.to_string()),
    }
}

impl From<HeadersError> for Refusal {
    fn from(error: HeadersError) -> Self {
        match error {
            HeadersError::Headers(error) => refused_by(&error),
            HeadersError::NotFound => Self::not_found(),
            HeadersError::Unavailable(why) => why.into(),
        }
    }
}
