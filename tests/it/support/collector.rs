//! A collector of OpenTelemetry: it takes spans over OTLP/HTTP, as protobuf.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::patience::{Gate, until_some};
use super::receiver::{Received, Receiver};

/// A collector on a port of its own; dropping it closes the port.
pub struct Collector(Receiver);

/// A span as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub span: Span,
    pub service: String,
}

impl Collector {
    /// A collector that takes everything.
    pub fn start() -> Self {
        Self(Receiver::answering([200]))
    }

    /// A collector that does not answer before the gate is open.
    pub fn holding(gate: &Gate) -> Self {
        Self(Receiver::holding(gate))
    }

    /// What a configuration calls it.
    pub fn endpoint(&self) -> String {
        self.0.url("")
    }

    /// All requests, as they stood on the wire.
    pub fn requests(&self) -> Vec<Received> {
        self.0.requests()
    }

    /// All spans that came.
    pub fn spans(&self) -> Vec<Seen> {
        self.requests().iter().flat_map(spans).collect()
    }

    /// Waits until there are so many spans, and returns all of them.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        until_some(&format!("{count} spans have come"), || {
            Some(self.spans()).filter(|spans| spans.len() >= count)
        })
    }
}

impl Seen {
    /// The value of an attribute, as text.
    pub fn attribute(&self, name: &str) -> Option<String> {
        value(&self.span.attributes, name)
    }

    /// What a request has to say in `traceparent` whose parent is this span.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", hex::encode(&self.span.trace_id), hex::encode(&self.span.span_id))
    }
}

fn spans(request: &Received) -> Vec<Seen> {
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/traces"));
    assert_eq!(request.header("content-type"), "application/x-protobuf");
    let export = ExportTraceServiceRequest::decode(&request.body[..]).expect("protobuf of OTLP");
    let mut seen = Vec::new();
    for resource in export.resource_spans {
        let attributes = resource.resource.expect("a resource").attributes;
        let service = value(&attributes, "service.name").expect("a service has a name");
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        seen.extend(spans.map(|span| Seen { span, service: service.clone() }));
    }
    seen
}

fn value(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(flag) => Some(flag.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}
