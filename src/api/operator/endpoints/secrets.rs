//! What the requests to an endpoint are signed with.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::api::answer;
use crate::api::operator::input::{self, Faults};
use crate::api::operator::refusal::{Fault, Refusal};
use crate::api::operator::repeating;
use crate::api::operator::visit::Visit;
use crate::clock::Timestamp;
use crate::hookyard::{DEFAULT_OVERLAP, Rotate, RotateError};
use crate::subscription::{PREVIOUS_SECRETS_LIMIT, SECRET_PREFIX, SIGNING_PREFIX, Secret, Subscription};

use super::named;

/// The longest time for which an old secret still signs, in seconds: a week.
const LONGEST_GRACE_SECONDS: u32 = 7 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    key: Option<String>,
    grace_period_seconds: Option<u32>,
}

#[derive(Serialize)]
struct Shape<'a> {
    key: &'a str,
}

/// Shows the secret.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (_, endpoint) = named(&visit).await?;
    Ok(answer::json(StatusCode::OK, &Shape { key: &endpoint.secret.shown() }))
}

/// Gives the endpoint a new secret; the old one signs too until its time of grace is over.
pub async fn rotate(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let (account, endpoint) = named(&visit).await?;
        let Wish { key, grace_period_seconds: grace } = input::read(&body)?;
        let secret = key.map(|key| given("key", &key)).transpose()?;
        let mut faults = Faults::default();
        if grace.is_some_and(|seconds| seconds > LONGEST_GRACE_SECONDS) {
            faults.note(&["grace_period_seconds"], format!("must be at most {LONGEST_GRACE_SECONDS}"));
        }
        faults.check()?;
        vet_count(&endpoint)?;
        let overlap = grace.map_or(DEFAULT_OVERLAP, |seconds| Duration::from_secs(seconds.into()));
        let secret = secret.map(|secret| secret.reveal().to_owned());
        let rotated = visit
            .hookyard()
            .rotate_secret(&account.id, endpoint.id, Rotate { secret, overlap, kept: PREVIOUS_SECRETS_LIMIT })
            .await?;
        // Earlier clients expect no body here, and look at none.
        Ok(answer::json(StatusCode::OK, &Shape { key: &rotated.secret.shown() }))
    })
    .await
}

/// A secret that was sent.
pub fn given(field: &str, text: &str) -> Result<Secret, Refusal> {
    if ![SECRET_PREFIX, SIGNING_PREFIX].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(Refusal::invalid(Fault::shape([field], format!("{field}: invalid prefix"))));
    }
    text.parse().map_err(|_| Refusal::invalid(Fault::body(["key", "__all__"], "secret length invalid")))
}

fn vet_count(endpoint: &Subscription) -> Result<(), Refusal> {
    let now = Timestamp::now();
    let counting = endpoint.previous_secrets.iter().map(|one| one.until).filter(|until| now < *until);
    match (counting.clone().count() >= PREVIOUS_SECRETS_LIMIT, counting.min()) {
        (true, Some(soonest)) => Err(Refusal::bad_request(
            "limit_reached",
            format!(
                "You can only rotate a key {PREVIOUS_SECRETS_LIMIT} times; please wait for old keys to expire. \
                 Your next key expires at {soonest}."
            ),
        )),
        _ => Ok(()),
    }
}

impl From<RotateError> for Refusal {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::NotFound => Self::not_found(),
            RotateError::Unavailable(why) => why.into(),
            RotateError::Secret(_) | RotateError::Overlap => {
                Self::invalid(Fault::body(["key", "__all__"], error.to_string()))
            }
        }
    }
}
