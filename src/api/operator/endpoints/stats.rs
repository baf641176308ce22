//! How many of an endpoint's messages stand where.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::api::answer;
use crate::api::operator::refusal::Refusal;
use crate::api::operator::visit::Visit;
use crate::clock::Timestamp;
use crate::hookyard::{Narrowed, Period, Standing};

use super::named;

/// The longest time over which they are counted: 28 days.
const LONGEST_MS: u64 = 28 * 24 * 60 * 60 * 1000;
/// By how much a caller's clock may be off.
const TOLERANCE_MS: u64 = 5 * 60 * 1000;

#[derive(Serialize)]
struct Shape {
    success: u64,
    pending: u64,
    sending: u64,
    fail: u64,
    canceled: u64,
}

/// Counts the messages of an endpoint by where they stand.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let now = Timestamp::now();
    let until = visit.moment("until")?;
    if until.is_some_and(|until| until > Timestamp(now.0 + TOLERANCE_MS)) {
        return Err(Refusal::bad_request("invalid_range", "'until' cannot be in the future"));
    }
    let until = until.unwrap_or(now);
    let earliest = Timestamp(until.0.saturating_sub(LONGEST_MS));
    let since = visit.moment("since")?.unwrap_or(earliest);
    if since.0 + TOLERANCE_MS < earliest.0 {
        let why = format!("'since' cannot be more than 28 days prior to {until}");
        return Err(Refusal::bad_request("invalid_range", why));
    }
    let (account, endpoint) = named(&visit).await?;
    // Of what is accepted in this very millisecond nobody can tell on which side of it it is.
    let accepted = Period { since, until: Timestamp(until.0 + 1) };
    let narrowed = Narrowed { topics: Default::default(), accepted, hide_own: !visit.is_organisation() };
    let Standing { delivered, waiting, retrying, dead } =
        visit.hookyard().standing(&account.id, &endpoint, &narrowed).await?;
    let shape = Shape { success: delivered, pending: waiting, sending: retrying, fail: dead, canceled: 0 };
    Ok(answer::json(StatusCode::OK, &shape))
}
