//! What is done with a hook beside its life: samples for whoever sets one up, a test delivery, a new secret, a replay.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::hookyard::{DEFAULT_OVERLAP, Replay, Replayed, Rotate, Sample};
use crate::id::EventId;

use super::super::answer::{self, Queued};
use super::super::deliveries::AttemptShape;
use super::super::error::Error;
use super::super::object::{Names, Object};
use super::super::query::moment;
use super::{Shape, open, shape, target};

const ROTATION: Names<2> = ["secret", "overlap"];
const REPLAY: Names<3> = ["since", "until", "status"];

/// What a receiver gets, and under which id.
#[derive(Serialize)]
struct SampleShape<'a> {
    id: EventId,
    event: &'a str,
    timestamp: &'a str,
    data: &'a RawValue,
}

/// `GET /api/v1/hooks/sample`
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

/// `POST /api/v1/hooks/{id}/test`
pub async fn test(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let attempt = call.hookyard.test(&account, id).await.map_err(Error::lookup("hook"))?;
    Ok(answer::json(StatusCode::OK, &AttemptShape::of(&attempt)))
}

/// `POST /api/v1/hooks/{id}/rotate-secret`
pub async fn rotate_secret(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.optional_body(payload).await?;
    let wish = body.as_deref().map(rotation).transpose()?.unwrap_or_default();
    let (account, id) = target(&call)?;
    let rotated = call.hookyard.rotate_secret(&account, id, wish).await?;
    let shape = Shape { secret: Some(rotated.secret.reveal()), ..shape(&rotated.hook) };
    Ok(answer::json(StatusCode::OK, &shape))
}

/// `POST /api/v1/hooks/{id}/replay`
pub async fn replay(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.optional_body(payload).await?;
    let wish = body.as_deref().map(wanted).transpose()?.unwrap_or_default();
    let (account, id) = target(&call)?;
    let queued = call.hookyard.replay(&account, id, wish).await?;
    Ok(answer::json(StatusCode::ACCEPTED, &Queued { queued }))
}

fn rotation(body: &[u8]) -> Result<Rotate, Error> {
    let object = Object::read(body, &ROTATION)?;
    let secret = object.text("secret")?.map(|secret| secret.into_owned());
    let overlap = object.text("overlap")?.map(|text| duration(&text)).transpose()?;
    Ok(Rotate { secret, overlap: overlap.unwrap_or(DEFAULT_OVERLAP) })
}

fn duration(text: &str) -> Result<Duration, Error> {
    humantime::parse_duration(text)
        .map_err(|_| Error::field("overlap must be a duration such as \"24h\" or \"30m\""))
}

fn wanted(body: &[u8]) -> Result<Replay, Error> {
    let object = Object::read(body, &REPLAY)?;
    let what = match object.text("status")?.as_deref() {
        None | Some("dead") => Replayed::Dead,
        Some("all") => Replayed::All,
        Some(_) => return Err(Error::field("status must be one of dead, all")),
    };
    let time = |name: &str| object.text(name)?.map(|text| moment(name, &text)).transpose();
    Ok(Replay { since: time("since")?, until: time("until")?, what })
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
        assert_eq!(wanted(b"{}").unwrap().what, Replayed::Dead);
        let given = wanted(br#"{"status":"all","until":"2026-01-15T10:30:00Z"}"#).unwrap();
        assert_eq!((given.what, given.until), (Replayed::All, Some(Timestamp(1_768_473_000_000))));
        assert_eq!(
            wanted(br#"{"status":"pending"}"#).unwrap_err().to_string(),
            "status must be one of dead, all"
        );
        assert!(
            wanted(br#"{"since":"now"}"#).unwrap_err().to_string().starts_with("since must be an RFC 3339")
        );
    }
}
