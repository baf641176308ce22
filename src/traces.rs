//! Traces: spans of what happens to events, for a collector of OpenTelemetry.
//!
//! Accepting an event is a span, and so is each attempt to deliver it, which is the former's child. The context of the
//! former is kept with the event, so that attempts after a restart are its children too. Where nothing is exported, or
//! the trace is not sampled, the context that came in goes on as it is. No span holds a payload, a secret or a path.
//!
//! Nobody waits for the collector: spans that its queue has no room for are counted and gone. Without the cargo feature
//! `otlp` there are none.

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod spans;

#[cfg(not(feature = "otlp"))]
pub use absent::{Accepting, Traces};
#[cfg(feature = "otlp")]
pub use spans::{Accepting, Traces};
