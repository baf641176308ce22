//! What the configuration says about serving endpoints.

use std::time::Duration;

use crate::retry;

/// How endpoints are served.
#[derive(Clone, Debug)]
pub struct Policy {
    pub retry: retry::Policy,
    /// Unhealthy outcomes in a row after which an endpoint is probed.
    pub probe_after: u32,
    /// Attempts in flight to one endpoint.
    pub max_in_flight: u32,
    /// Deliveries in the window.
    pub window: usize,
    /// How long a subscriber stays with nothing to do, unless somebody waits for its place.
    pub idle: Duration,
}
