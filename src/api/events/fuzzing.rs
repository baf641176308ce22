//! Fuzzing of the event parser: what a body asks to emit is read as another reader of JSON reads it, and delivered so.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderValue;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::error::Kind;
use super::*;
use crate::event::Body;
use crate::event_type::EventType;

/// The members of an object, of which the last of a name counts.
type Members = BTreeMap<String, Box<RawValue>>;

/// What a receiver reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivered<'a> {
    event: String,
    timestamp: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

const BATCH_LIMIT: usize = 8;

/// Decodes a body; before it and a NUL there may be an `Idempotency-Key`.
pub fn emit_body(input: &[u8]) {
    let (key, body) = match input.iter().position(|byte| *byte == 0) {
        Some(at) => (HeaderValue::from_bytes(&input[..at]).ok(), &input[at + 1..]),
        None => (None, input),
    };
    let headers: HeaderMap = key.into_iter().map(|key| (IDEMPOTENCY_KEY.clone(), key)).collect();
    let Ok(key) = idempotency_key(&headers) else { return };
    let account = |named: Option<&str>| match named {
        None => Ok(AccountId::default_account()),
        Some(named) => named.parse().map_err(|_| Error::field("account")),
    };
    let body = Bytes::copy_from_slice(body);
    match posted(&body, key, BATCH_LIMIT, account) {
        Ok(Posted::One(event)) => as_another_reads_it(&event, &members(&body), key),
        Ok(Posted::Batch(events)) => {
            let entries: Vec<Members> = serde_json::from_slice(&body).expect("it is an array of objects");
            assert!(events.len() <= BATCH_LIMIT && events.len() == entries.len());
            for (event, entry) in events.iter().zip(&entries) {
                as_another_reads_it(event, entry, None);
            }
        }
        Err(error) => {
            let text = std::str::from_utf8(&body).ok();
            let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
            // Some JSON stands for no value: numbers beyond all range, halves of characters.
            let is_value = text.is_some_and(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
            // A batch with a key is refused without a look at it.
            let unread = key.is_some() && body.trim_ascii_start().starts_with(b"[");
            let malformed = error.kind() == Kind::MalformedJson;
            assert!(if malformed { !is_value } else { is_json || unread }, "{error}");
        }
    }
}

fn members(body: &[u8]) -> Members {
    serde_json::from_slice(body).expect("it is an object")
}

/// Holds an event against the members that it was read from.
fn as_another_reads_it(event: &Event, members: &Members, key: Option<&str>) {
    let text = |name: &str| {
        members.get(name).and_then(|value| serde_json::from_str::<Option<String>>(value.get()).unwrap())
    };
    assert_eq!(Some(&event.event_type), text("event").as_ref());
    assert_eq!(event.timestamp, text("timestamp"));
    assert_eq!(event.idempotency_key, text("id").or(key.map(str::to_owned)));
    assert_eq!(event.account.to_string(), text("account").unwrap_or_else(|| "default".to_owned()));
    assert_eq!(event.data, members["data"].get().as_bytes());

    let timestamp = event.timestamp.as_deref().unwrap_or("2025-01-15T10:30:00Z");
    let Ok(event_type) = event.event_type.parse::<EventType>() else { return };
    if Timestamp::parse(timestamp).is_none() {
        return;
    }
    let body = Body::build(&event_type, timestamp, &event.data);
    let delivered: Delivered<'_> = serde_json::from_slice(&body.bytes).expect("what is delivered is JSON");
    assert_eq!((delivered.event, &*delivered.timestamp), (event.event_type.clone(), timestamp));
    assert_eq!(delivered.data.get().as_bytes(), event.data);
    assert_eq!((body.data(), body.timestamp()), (&event.data[..], timestamp));
}
