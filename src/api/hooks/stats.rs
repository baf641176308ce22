//! Attempts by the hour over HTTP.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::hookyard::Hour;
use crate::id::HookId;

use super::super::answer;
use super::super::error::Error;
use super::super::openapi::{asked, refused};
use super::{open, target};

/// The attempts of the last days, and of each of their hours.
#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
pub struct Shape {
    attempts: u64,
    successes: u64,
    failures: u64,
    /// Newest first; those without attempts are left out.
    hours: Vec<HourShape>,
}

/// The attempts that began in an hour.
#[derive(Serialize, ToSchema)]
#[schema(as = HourStats)]
struct HourShape {
    /// When the hour began.
    #[serde(serialize_with = "answer::text")]
    at: Timestamp,
    attempts: u32,
    successes: u32,
    failures: u32,
}

/// Counts the attempts for a hook by the hour.
///
/// The last 7 days with attempts are kept at least. It costs the same however many there were.
#[utoipa::path(
    get, path = "/api/v1/hooks/{id}/stats", tag = "Hooks", operation_id = "get_hook_stats",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The attempts.", body = Shape),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn stats(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hours = call.hookyard.hook_hours(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &Shape::of(&hours)))
}

/// Counts the attempts for all hooks of the account by the hour.
#[utoipa::path(
    get, path = "/api/v1/hooks/stats", tag = "Hooks", operation_id = "get_stats",
    security(("key" = ["hooks"])), params(asked::Account),
    responses(
        (status = 200, description = "The attempts.", body = Shape),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn account_stats(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let hours = call.hookyard.account_hours(&account).await.map_err(Error::lookup("account"))?;
    Ok(answer::json(StatusCode::OK, &Shape::of(&hours)))
}

impl Shape {
    fn of(hours: &[Hour]) -> Self {
        let sum = |of: fn(&Hour) -> u32| hours.iter().map(|hour| u64::from(of(hour))).sum();
        Self {
            attempts: sum(|hour| hour.attempts),
            successes: sum(|hour| hour.successes),
            failures: sum(|hour| hour.failures()),
            hours: hours.iter().rev().map(HourShape::of).collect(),
        }
    }
}

impl HourShape {
    fn of(hour: &Hour) -> Self {
        let Hour { attempts, successes, .. } = *hour;
        Self { at: hour.began_at(), attempts, successes, failures: hour.failures() }
    }
}
