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

/// A message.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    pub id: String,
}

/// An endpoint.
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
    pub metadata: Option<Box<RawValue>>,
    pub created_at: String,
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
