//! Answers: JSON on its way out.

use std::fmt::Display;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// Most answers fit; those that do not grow.
const USUAL_BYTES: usize = 256;

/// What was removed.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    success: bool,
    deleted: usize,
}

/// How many deliveries were made due.
#[derive(Serialize, ToSchema)]
pub struct Queued {
    pub queued: usize,
}

impl Deleted {
    pub fn count(deleted: usize) -> Self {
        Self { success: true, deleted }
    }
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    let mut body = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut body, value)
        .expect("what the API answers has string keys and is written to memory");
    let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// JSON that is there already, to be passed on as it is.
pub fn raw(json: &[u8]) -> &RawValue {
    serde_json::from_slice(json).unwrap_or(RawValue::NULL)
}

/// Serialises a moment to the millisecond.
pub fn precise<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.with_milliseconds())
}

/// The same for what may be absent.
pub fn precise_or_none<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => precise(moment, serializer),
        None => serializer.serialize_none(),
    }
}

/// Serialises what has a text as that text.
pub fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The same for what may be absent.
pub fn text_or_null<S: Serializer>(value: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
