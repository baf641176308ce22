//! What is done with a hook beside its life: samples for whoever sets one up, a test delivery, a new secret, a replay.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::hookyard::{DEFAULT_OVERLAP, Replay, Replayed, Rotate, Sample};
use crate::id::{EventId, HookId};

use super::super::answer::{self, Queued};
use super::super::deliveries::AttemptShape;
use super::super::error::Error;
use super::super::object::{Names, Object};
use super::super::openapi::{asked, refused};
use super::super::query::moment;
use super::{Shape, open, shape, target};

pub const ROTATION: Names<2> = ["secret", "overlap"];
pub const REPLAY: Names<4> = ["since", "until", "status", "dry_run"];

/// What a receiver gets, and under which id.
#[derive(Serialize, ToSchema)]
#[schema(as = Sample)]
struct SampleShape<'a> {
    id: EventId,
    event: &'a str,
    timestamp: &'a str,
    #[schema(value_type = Value)]
    data: &'a RawValue,
}

/// Shows what a hook would get: recent events of the account, or else the catalogue's example.
#[utoipa::path(
    get, path = "/api/v1/hooks/sample", tag = "Hooks", operation_id = "list_samples",
    security(("key" = ["hooks"])), params(asked::Sample, asked::Account),
    responses(
        (status = 200, description = "At least one.", body = [SampleShape<'static>]),
        refused::Key, refused::Name, refused::EventType, refused::Store,
    ),
)]
pub async fn sample(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let account = call.account(None)?;
    let event = call.query.get("event").ok_or_else(|| Error::field("event is required"))?;
    super::permit(&call, event)?;
    let limit = call.query.page()?.limit;
    let samples = call.hookyard.samples(&account, event, limit).await?;
    let shapes: Vec<SampleShape<'_>> = samples.iter().map(SampleShape::of).collect();
    Ok(answer::json(StatusCode::OK, &shapes))
}

/// Delivers the catalogue's example once, now, and tells what it met.
///
/// The request has the header `webhook-test: true`. It counts neither for the hook's health nor for its deliveries.
#[utoipa::path(
    post, path = "/api/v1/hooks/{id}/test", tag = "Hooks", operation_id = "test_hook",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The attempt, whatever it met.", body = AttemptShape),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn test(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let attempt = call.hookyard.test(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &AttemptShape::of(&attempt)))
}

/// Gives a hook, and those that share its secret, a new one.
///
/// For a while every request is signed with both.
#[utoipa::path(
    post, path = "/api/v1/hooks/{id}/rotate-secret", tag = "Hooks", operation_id = "rotate_secret",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    request_body(content = ref("#/components/schemas/RotateSecret")),
    responses(
        (status = 200, description = "The hook, with the new secret.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn rotate_secret(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.optional_body(payload).await?;
    let wish = body.as_deref().map(rotation).transpose()?.unwrap_or_default();
    let (account, id) = target(&call)?;
    let rotated = call.hookyard.rotate_secret(&account, id, wish).await?;
    let shape = Shape { secret: Some(rotated.secret.shown()), ..shape(&rotated.hook) };
    Ok(answer::json(StatusCode::OK, &shape))
}

/// Delivers to a hook again: what was given up, what it has not got, or every event that it wants and that is kept.
///
/// Attempt numbers go on, the schedule begins anew. A dry run says how many that would be, and changes nothing.
#[utoipa::path(
    post, path = "/api/v1/hooks/{id}/replay", tag = "Hooks", operation_id = "replay_hook",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    request_body(content = ref("#/components/schemas/ReplayHook")),
    responses(
        (status = 202, description = "They are due.", body = Queued),
        (status = 200, description = "So many would be.", body = Queued),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Deactivated, refused::Store,
    ),
)]
pub async fn replay(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.optional_body(payload).await?;
    let (wish, dry_run) = body.as_deref().map(wanted).transpose()?.unwrap_or_default();
    let (account, id) = target(&call)?;
    let (status, queued) = match dry_run {
        true => (StatusCode::OK, call.hookyard.count_replay(&account, id, wish).await?),
        false => (StatusCode::ACCEPTED, call.hookyard.replay(&account, id, wish).await?),
    };
    Ok(answer::json(status, &Queued { queued }))
}

fn rotation(body: &[u8]) -> Result<Rotate, Error> {
    let object = Object::read(body, &ROTATION)?;
    let secret = object.text("secret")?.map(|secret| secret.into_owned());
    let overlap = object.text("overlap")?.map(|text| duration(&text)).transpose()?;
    Ok(Rotate { secret, overlap: overlap.unwrap_or(DEFAULT_OVERLAP), ..Rotate::default() })
}

fn duration(text: &str) -> Result<Duration, Error> {
    humantime::parse_duration(text)
        .map_err(|_| Error::field("overlap must be a duration such as \"24h\" or \"30m\""))
}

/// What is to be replayed, and whether it is only to be counted.
fn wanted(body: &[u8]) -> Result<(Replay, bool), Error> {
    let object = Object::read(body, &REPLAY)?;
    let what = match object.text("status")?.as_deref() {
        None | Some("dead") => Replayed::Dead,
        Some("all") => Replayed::All,
        Some("missing") => Replayed::Missing,
        Some(_) => return Err(Error::field("status must be one of dead, missing, all")),
    };
    let time = |name: &str| object.text(name)?.map(|text| moment(name, &text)).transpose();
    let replay = Replay { since: time("since")?, until: time("until")?, what };
    Ok((replay, object.flag("dry_run")?.unwrap_or(false)))
}

impl<'a> SampleShape<'a> {
    fn of(sample: &'a Sample) -> Self {
        let Sample { id, event, timestamp, data } = sample;
        Self { id: *id, event, timestamp, data: answer::raw(data) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_rotation_overlaps_for_a_day_unless_told() {
        assert_eq!(rotation(b"{}").unwrap().overlap, Duration::from_secs(86_400));
        let given = rotation(br#"{"secret":"sixteen-visible!","overlap":"1h 30m"}"#).unwrap();
        assert_eq!((given.secret.as_deref(), given.overlap.as_secs()), (Some("sixteen-visible!"), 5_400));
        for bad in [r#"{"overlap":"soon"}"#, r#"{"overlap":"-1h"}"#, r#"{"overlap":60}"#, r#"{"secret":1}"#] {
            assert!(rotation(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_replay_is_of_dead_letters_unless_told() {
        let (given, dry_run) = wanted(b"{}").unwrap();
        assert_eq!((given.what, dry_run), (Replayed::Dead, false));
        let body = br#"{"status":"all","until":"2026-01-15T10:30:00Z","dry_run":true}"#;
        let (given, dry_run) = wanted(body).unwrap();
        assert_eq!((given.what, given.until), (Replayed::All, Some(Timestamp(1_768_473_000_000))));
        assert!(dry_run);
        assert_eq!(wanted(br#"{"status":"missing"}"#).unwrap().0.what, Replayed::Missing);
        assert_eq!(
            wanted(br#"{"status":"pending"}"#).unwrap_err().to_string(),
            "status must be one of dead, missing, all"
        );
        assert!(
            wanted(br#"{"since":"now"}"#).unwrap_err().to_string().starts_with("since must be an RFC 3339")
        );
    }
}
