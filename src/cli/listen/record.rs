//! The record of one request, as a line of JSON.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use hookyard::signature;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::super::json_text;
use super::super::verification::{Age, Verdict};
use super::Arrival;

/// What is known of a request that arrived.
#[derive(Serialize)]
pub struct Record<'a> {
    at: String,
    method: &'a str,
    target: &'a str,
    pub event: Option<String>,
    pub webhook_id: Option<&'a str>,
    /// How often this `webhook-id` has come, this time included.
    pub times: Option<u64>,
    /// Between signing and arriving, in seconds; negative when it claims to come from the future.
    pub age_seconds: Option<i64>,
    /// Null without a secret.
    verified: Option<bool>,
    /// Why it is not verified.
    reason: Option<String>,
    #[serde(serialize_with = "number")]
    status: StatusCode,
    headers: BTreeMap<&'a str, &'a str>,
    /// As it was sent if that is JSON, or else a string.
    body: Option<Box<RawValue>>,
}

impl<'a> Record<'a> {
    pub fn of(arrival: &'a Arrival, times: Option<u64>) -> Self {
        let Arrival { request, verdict, status } = arrival;
        Self {
            at: request.time.to_string(),
            method: &request.method,
            target: &request.target,
            event: event(&request.body),
            webhook_id: request.fields.get(signature::ID),
            times,
            age_seconds: Age::of(&request.fields, request.time).map(|Age(seconds)| seconds),
            verified: (*verdict != Verdict::NoSecret).then_some(verdict.is_verified()),
            reason: match verdict {
                Verdict::Refused(refusal) => Some(refusal.to_string()),
                Verdict::Verified(_) | Verdict::NoSecret => None,
            },
            status: *status,
            headers: request.fields.iter().collect(),
            body: body(&request.body),
        }
    }
}

/// The event's name in a body of the documented shape.
fn event(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        event: String,
    }
    serde_json::from_slice::<Named>(body).ok().map(|named| named.event)
}

fn body(bytes: &[u8]) -> Option<Box<RawValue>> {
    let text = String::from_utf8_lossy(bytes);
    match json_text::is_json(bytes) {
        // Without line breaks, which a record must not have.
        true => RawValue::from_string(json_text::compact(&text)).ok(),
        false => to_raw_value(&text).ok(),
    }
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
