//! What the operator's API shows, as far as the commands look at it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An application.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    pub id: String,
    pub uid: Option<String>,
    pub name: String,
    pub throttle_rate: Option<u32>,
    /// How long the payloads of its messages are kept, where that is said of it.
    pub retention: Option<String>,
    pub metadata: Box<RawValue>,
    pub created_at: String,
}

/// A token that speaks for an application.
#[derive(Deserialize)]
pub struct PortalAccess {
    pub token: String,
}

/// An event type.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventType {
    pub name: String,
    pub description: String,
    pub archived: bool,
    pub deprecated: bool,
    pub feature_flag: Option<String>,
    pub schemas: Option<Box<RawValue>>,
    pub created_at: String,
}

/// A message; where it stands at an endpoint only in a list of an endpoint's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub id: String,
    pub event_id: Option<String>,
    pub event_type: String,
    pub payload: Box<RawValue>,
    pub channels: Option<Vec<String>>,
    pub timestamp: String,
    pub status_text: Option<String>,
    pub next_attempt: Option<String>,
}

/// An endpoint; where a message stands at it only in a list of a message's, which has no metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub id: String,
    pub uid: Option<String>,
    pub url: String,
    pub description: String,
    pub disabled: bool,
    pub event_types: Option<Vec<String>>,
    pub channels: Option<Vec<String>>,
    pub throttle_rate: Option<u32>,
    pub filter: Option<String>,
    /// How it is served, where that is not as configured.
    pub delivery: Option<Box<RawValue>>,
    pub client_certificate: Option<ClientCertificate>,
    pub metadata: Option<Box<RawValue>>,
    pub created_at: String,
    pub status_text: Option<String>,
    pub next_attempt: Option<String>,
}

/// What an endpoint shows receivers that ask who calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificate {
    pub fingerprint: String,
    pub not_after: String,
}

/// The headers of an endpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct Headers {
    pub headers: BTreeMap<String, String>,
    /// The names of those that are credentials.
    pub sensitive: Vec<String>,
}

/// What the requests to an endpoint are signed with.
#[derive(Deserialize)]
pub struct Secret {
    pub key: String,
}

/// How many of an endpoint's messages stand where.
pub type Stats = BTreeMap<String, u64>;

/// An attempt.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub id: String,
    pub msg_id: String,
    pub endpoint_id: String,
    pub url: String,
    pub response: String,
    /// 0 where no answer came.
    pub response_status_code: u16,
    pub response_duration_ms: u64,
    pub status_text: String,
    pub timestamp: String,
}
