//! The spans, and what they tell, by the names of OpenTelemetry's semantic conventions where these have one.

use std::sync::Arc;

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::Span;

use crate::attempt::Outcome;
use crate::config;
use crate::event::{Draft, Labels, Recorded};
use crate::event_type::EventType;
use crate::id::HookId;
use crate::metrics::Metrics;
use crate::store::Duplicate;
use crate::trace_context::TraceContext;

use super::exporter::Exporter;

/// Where spans begin; clones share it.
#[derive(Clone)]
pub struct Traces(Option<Arc<Exporter>>);

/// The spans of events that are being accepted, in their order; none at all where nothing is exported.
pub struct Accepting(Vec<Option<Span>>);

/// The span of an attempt, if it has one.
pub struct Attempting(Option<Span>);

const MESSAGING_SYSTEM: &str = "hookyard";
/// The `error.type` of what was broken off.
const CANCELLED: &str = "cancelled";

impl Traces {
    /// Begins to export, if the configuration names a collector; whether it is there shows later.
    ///
    /// # Errors
    /// When the configuration, or a variable of the OpenTelemetry specification, is of no use.
    pub fn start(config: &config::Traces, metrics: &Metrics) -> Result<Self, config::Error> {
        let exporter = (!config.endpoint.is_empty()).then(|| Exporter::start(config, metrics.clone()));
        Ok(Self(exporter.transpose()?.map(Arc::new)))
    }

    /// Begins the spans of events that are about to be accepted. From here on, these are who comes before in the events'
    /// traces.
    pub fn accept(&self, drafts: &mut [Draft]) -> Accepting {
        let Some(exporter) = &self.0 else { return Accepting(Vec::new()) };
        Accepting(drafts.iter_mut().map(|draft| exporter.accept(draft)).collect())
    }

    /// Begins the span of an attempt, the `n`th of a delivery to a hook at a host and port; says which context its
    /// request sends on.
    pub fn attempt(
        &self,
        event: &Recorded,
        n: u16,
        hook: HookId,
        authority: &str,
    ) -> (Attempting, Option<TraceContext>) {
        let Some(parent) = Labels::trace(&event.labels) else { return (Attempting(None), None) };
        let span = self.0.as_ref().and_then(|exporter| exporter.attempt(event, parent, n, hook, authority));
        let context = span.as_ref().and_then(|span| context_of(span, Some(parent)));
        (Attempting(span), Some(context.unwrap_or_else(|| parent.clone())))
    }

    /// Hands over what is left, and ends; gives up on a collector that is slow.
    pub async fn stop(&self) {
        if let Some(exporter) = &self.0 {
            exporter.stop().await;
        }
    }
}

impl Exporter {
    fn accept(&self, draft: &mut Draft) -> Option<Span> {
        let parent = Labels::trace(&draft.labels);
        let mut span = self.begin("emit", SpanKind::Producer, parent)?;
        let context = context_of(&span, parent)?;
        span.set_attributes(about("emit", &draft.event_type));
        span.set_attribute(number("messaging.message.body.size", draft.body.bytes.len()));
        span.update_name(format!("emit {}", draft.event_type));
        draft.labels.get_or_insert_default().trace = Some(context);
        Some(span)
    }

    fn attempt(
        &self,
        event: &Recorded,
        parent: &TraceContext,
        n: u16,
        hook: HookId,
        authority: &str,
    ) -> Option<Span> {
        let mut span = self.begin("deliver", SpanKind::Client, Some(parent))?;
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        span.set_attributes(about("deliver", &event.event_type));
        span.set_attributes([
            KeyValue::new("messaging.message.id", event.id.to_string()),
            KeyValue::new("hookyard.hook.id", hook.to_string()),
            KeyValue::new("hookyard.attempt", i64::from(n)),
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("server.address", host.trim_matches(['[', ']']).to_owned()),
        ]);
        if let Ok(port) = port.parse::<u16>() {
            span.set_attribute(KeyValue::new("server.port", i64::from(port)));
        }
        if n > 1 {
            span.set_attribute(KeyValue::new("http.request.resend_count", i64::from(n - 1)));
        }
        span.update_name(format!("deliver {}", event.event_type));
        Some(span)
    }

    /// A span, unless its trace is not sampled.
    fn begin(&self, name: &'static str, kind: SpanKind, parent: Option<&TraceContext>) -> Option<Span> {
        if parent.is_some_and(|parent| !parent.is_sampled()) {
            return None;
        }
        let parent = parent.map(|parent| Context::new().with_remote_span_context(remote(parent)));
        let builder = SpanBuilder::from_name(name).with_kind(kind);
        let span = self.tracer.build_with_context(builder, &parent.unwrap_or_default());
        span.is_recording().then_some(span)
    }
}

impl Accepting {
    /// Ends the spans with what came of the events, or why all were refused.
    pub fn end(mut self, accepted: Result<&[(Arc<Recorded>, Duplicate)], &'static str>) {
        for (index, span) in std::mem::take(&mut self.0).into_iter().enumerate() {
            let Some(mut span) = span else { continue };
            match accepted.map(|events| events.get(index)) {
                Ok(Some((event, duplicate))) => span.set_attributes([
                    KeyValue::new("messaging.message.id", event.id.to_string()),
                    number("hookyard.matched", event.matches.len()),
                    KeyValue::new("hookyard.duplicate", *duplicate),
                ]),
                Ok(None) => {}
                Err(why) => fail(&mut span, why),
            }
            span.end();
        }
    }
}

impl Attempting {
    /// Ends the span with what the attempt met; nothing, where this machine could not make it.
    pub fn end(mut self, outcome: Option<Outcome>) {
        let Some(mut span) = self.0.take() else { return };
        match outcome {
            Some(Outcome::Answered { status, .. }) => {
                span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
                if outcome.is_some_and(|outcome| !outcome.is_success()) {
                    fail(&mut span, status.to_string());
                }
            }
            Some(Outcome::Failed(kind)) => fail(&mut span, kind.as_str()),
            None => fail(&mut span, "unable"),
        }
        span.end();
    }
}

/// Of those whose emitter gave up waiting, nobody knows.
impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.iter_mut().flatten().for_each(|span| fail(span, CANCELLED));
    }
}

/// One that was broken off has met nothing.
impl Drop for Attempting {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|span| fail(span, CANCELLED));
    }
}

fn fail(span: &mut Span, why: impl Into<opentelemetry::Value>) {
    span.set_attribute(KeyValue::new("error.type", why.into()));
    span.set_status(Status::error(""));
}

/// What is said of an event in either span.
fn about(operation: &'static str, event_type: &EventType) -> [KeyValue; 4] {
    [
        KeyValue::new("messaging.system", MESSAGING_SYSTEM),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.destination.name", event_type.to_string()),
    ]
}

fn number(name: &'static str, value: usize) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

/// A context as the SDK takes it.
fn remote(context: &TraceContext) -> SpanContext {
    let (trace_id, parent_id) = (context.trace_id(), context.parent_id());
    let state = context.tracestate().and_then(|state| state.parse().ok()).unwrap_or_default();
    let flags = TraceFlags::new(context.flags());
    SpanContext::new(TraceId::from_bytes(trace_id), SpanId::from_bytes(parent_id), flags, true, state)
}

/// The context that has this span for the parent of what follows.
fn context_of(span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext> {
    let own = span.span_context();
    let context =
        TraceContext::of(own.trace_id().to_bytes(), own.span_id().to_bytes(), own.trace_flags().to_u8())?;
    let state = parent.and_then(TraceContext::tracestate);
    Some(state.into_iter().fold(context, TraceContext::with_tracestate))
}
