//! Tokens that speak for one application.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::account::Scope;
use crate::api::answer;

use super::applications;
use super::input::{self, Faults};
use super::refusal::Refusal;
use super::repeating;
use super::visit::Visit;

/// How long a token counts, in seconds: unless told otherwise, and at most.
const LIFETIME_SECONDS: u64 = 24 * 60 * 60;
const LONGEST_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    #[serde(default)]
    feature_flags: Vec<String>,
    application: Option<applications::Wish>,
    /// In seconds.
    expiry: Option<u64>,
}

#[derive(Serialize)]
struct Shape<'a> {
    /// Where the API is described; there is no portal here.
    url: String,
    token: &'a str,
}

/// Makes a token that speaks for one application, for some time.
pub async fn app_portal_access(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let Wish { feature_flags, application, expiry } = input::read(&body)?;
        let mut faults = Faults::default();
        feature_flags.iter().for_each(|flag| faults.limited("feature_flags", flag));
        let profile = application
            .map(|wish| faults.within("application", |faults| applications::profile(wish, faults)));
        faults.check()?;
        let account = applications::named_or_made(&visit, profile, &[Scope::Admin]).await?;
        let seconds = expiry.map_or(LIFETIME_SECONDS, |seconds| seconds.min(LONGEST_LIFETIME_SECONDS));
        let token = visit.hookyard().application_token(&account, feature_flags, Duration::from_secs(seconds));
        let token = token.ok_or_else(Refusal::not_implemented)?;
        Ok(answer::json(StatusCode::OK, &Shape { url: visit.public("/docs"), token: &token }))
    })
    .await
}

/// Tokens end by themselves, or with their key.
pub async fn log_out() -> Result<HttpResponse, Refusal> {
    Err(Refusal::not_implemented())
}
