//! What stands in the place of spans in a build without them.

use std::sync::Arc;

use crate::attempt::Outcome;
use crate::config;
use crate::event::{Draft, Labels, Recorded};
use crate::id::HookId;
use crate::metrics::Metrics;
use crate::store::Duplicate;
use crate::trace_context::TraceContext;

/// Nothing is exported.
#[derive(Clone)]
pub struct Traces;

/// The spans of no events.
pub struct Accepting;

/// The span of no attempt.
pub struct Attempting;

impl Traces {
    /// None are there; a configuration that wants some was refused.
    pub fn start(_: &config::Traces, _: &Metrics) -> Result<Self, config::Error> {
        Ok(Self)
    }

    /// Leaves them as they are.
    pub fn accept(&self, _: &mut [Draft]) -> Accepting {
        Accepting
    }

    /// Sends on what came with the event.
    pub fn attempt(
        &self,
        event: &Recorded,
        _: u16,
        _: HookId,
        _: &str,
    ) -> (Attempting, Option<TraceContext>) {
        (Attempting, Labels::trace(&event.labels).cloned())
    }

    /// There is nothing to hand over.
    pub async fn stop(&self) {}
}

impl Accepting {
    /// Tells nobody.
    pub fn end(self, _: Result<&[(Arc<Recorded>, Duplicate)], &'static str>) {}
}

impl Attempting {
    /// Tells nobody.
    pub fn end(self, _: Option<Outcome>) {}
}
