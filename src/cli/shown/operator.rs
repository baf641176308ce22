//! What the operator's API shows, as far as the commands look at it.

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
