//! Traces: accepting an event is a span, and each attempt is one below it. A collector gets them; nobody waits for it.

use std::time::{Duration, Instant};

use hookyard::{Config, Event, Hookyard};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;

use crate::support::api::{Api, Receipt};
use crate::support::collector::{Collector, Seen};
use crate::support::embedding::{lead, leads, open, quick, subscribe};
use crate::support::exposition::Exposition;
use crate::support::patience::{Gate, until_some};
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::{Server, start_in_vain};
use crate::support::settings::Settings;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const STATE: &str = "rojo=00f067aa0ba902b7";

/// A server that exports soon after.
fn exporting(collector: &Collector) -> Settings {
    Settings::quick()
        .set("traces.endpoint", &format!("{:?}", collector.endpoint()))
        .variable("OTEL_BSP_SCHEDULE_DELAY", "20")
}

fn exporting_config(directory: &std::path::Path, collector: &Collector) -> Config {
    let mut config = quick(directory);
    config.traces.endpoint = collector.endpoint();
    config
}

fn emit(api: &Api, flags: &str) -> Receipt {
    let parent = format!("00-{TRACE}-{PARENT}-{flags}");
    let headers = [("content-type", "application/json"), ("traceparent", &parent), ("tracestate", STATE)];
    let body = json!({"event": "new_lead", "data": "marker-of-data"}).to_string();
    api.send("POST", "/api/v1/events", &headers, Some(body.as_bytes())).expect(202)
}

fn named<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|seen| seen.span.name == name).collect()
}

fn figure(hookyard: &Hookyard, outcome: &str) -> f64 {
    Exposition::parse(&hookyard.metrics()).of("hookyard_spans_total", "outcome", outcome)
}

/// The span that a request names for its parent.
#[track_caller]
fn of_request<'a>(spans: &[&'a Seen], request: &Received) -> &'a Seen {
    let parent = request.header("traceparent");
    spans
        .iter()
        .copied()
        .find(|seen| seen.traceparent() == parent)
        .unwrap_or_else(|| panic!("no span {parent}"))
}

#[test]
fn an_event_and_its_attempts_are_spans_of_the_trace_that_its_receiver_is_told() {
    let collector = Collector::start();
    let server = Server::start_with(exporting(&collector));
    let receiver = Receiver::answering([500, 200]);
    let hook = server.api().subscribe(&receiver.url("/marker-of-path?marker-of-query"), "new_lead");

    let receipt = emit(&server.api(), "01");

    let spans = collector.wait_for(3);
    let [emitted] = named(&spans, "emit new_lead")[..] else { panic!("{spans:?}") };
    assert_eq!(
        (hex::encode(&emitted.span.trace_id), hex::encode(&emitted.span.parent_span_id)),
        (TRACE.into(), PARENT.into())
    );
    assert_eq!((emitted.span.kind(), emitted.span.trace_state.as_str()), (SpanKind::Producer, STATE));
    assert_eq!(emitted.attribute("messaging.message.id"), Some(receipt.id.clone()));
    assert_eq!(emitted.attribute("hookyard.matched").as_deref(), Some("1"));

    let attempts = named(&spans, "deliver new_lead");
    let requests = receiver.wait_for(2);
    for (request, (status, code)) in
        requests.iter().zip([("500", StatusCode::Error), ("200", StatusCode::Unset)])
    {
        let attempt = of_request(&attempts, request);
        assert_eq!(attempt.span.parent_span_id, emitted.span.span_id);
        assert_eq!(
            (attempt.span.trace_id.clone(), attempt.span.kind()),
            (emitted.span.trace_id.clone(), SpanKind::Client)
        );
        assert_eq!(request.header("tracestate"), STATE);
        let said = |name: &str| attempt.attribute(name).unwrap_or_default();
        assert_eq!(
            (said("http.response.status_code").as_str(), said("http.request.method").as_str()),
            (status, "POST")
        );
        assert_eq!(
            (said("messaging.message.id"), said("hookyard.hook.id")),
            (receipt.id.clone(), hook.id.clone())
        );
        assert_eq!(
            format!("{}:{}", said("server.address"), said("server.port")),
            receiver.address().to_string()
        );
        assert_eq!(attempt.span.status.as_ref().map_or(StatusCode::Unset, |status| status.code()), code);
        assert_eq!(attempt.service, "hookyard");
    }
    let wire: Vec<u8> = collector.requests().into_iter().flat_map(|request| request.body).collect();
    let wire = String::from_utf8_lossy(&wire);
    assert!(!wire.contains("marker") && !wire.contains(&hook.secret.expect("the answer shows it")), "{wire}");
}

#[test]
fn attempts_after_a_kill_are_below_the_span_from_before() {
    let collector = Collector::start();
    let mut server = Server::start_with(exporting(&collector).steady_schedule("100ms"));
    let receiver = Receiver::answering([500]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    emit(&server.api(), "01");
    let before = collector.wait_for(2);
    let [emitted] = named(&before, "emit new_lead")[..] else { panic!("{before:?}") };

    server.kill();
    let made = receiver.requests().len();
    server.restart();

    let attempt = until_some("one of the attempts since then is told of", || {
        let (spans, requests) = (collector.spans(), receiver.requests());
        let attempts = named(&spans, "deliver new_lead");
        let told_of = |request: &Received| {
            attempts.iter().find(|seen| seen.traceparent() == request.header("traceparent")).copied()
        };
        requests[made..].iter().find_map(told_of).map(|seen| seen.span.clone())
    });
    assert_eq!(
        (attempt.trace_id, attempt.parent_span_id),
        (emitted.span.trace_id.clone(), emitted.span.span_id.clone())
    );
}

#[test]
fn errors_without_an_answer_have_their_kind() {
    let collector = Collector::start();
    let server = Server::start_with(exporting(&collector).late_schedule());
    let receiver = Receiver::answering_with(|_| Answer::nonsense());
    server.api().subscribe(&receiver.url("/"), "new_lead");

    emit(&server.api(), "01");

    let spans = collector.wait_for(2);
    let [attempt] = named(&spans, "deliver new_lead")[..] else { panic!("{spans:?}") };
    assert_eq!(attempt.attribute("error.type").as_deref(), Some("protocol"));
    assert_eq!(attempt.attribute("http.response.status_code"), None);
}

#[test]
fn what_is_not_sampled_is_passed_on_and_exported_nowhere() {
    let collector = Collector::start();
    let mut server = Server::start_with(exporting(&collector).set("traces.sample_ratio", "0.0"));
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");

    emit(&server.api(), "00");
    server.api().emit("new_lead", &json!(1));

    let requests = receiver.wait_for(2);
    let mut parents: Vec<&str> = requests.iter().flat_map(|request| request.values("traceparent")).collect();
    assert_eq!(parents.pop(), Some(&*format!("00-{TRACE}-{PARENT}-00")));
    assert_eq!(parents, [""; 0], "an event without a trace gets none");
    server.terminate();
    assert!(server.wait_for_exit().success());
    assert_eq!(collector.requests().len(), 0);
}

#[test]
fn variables_of_the_specification_count_behind_ours() {
    let load = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Config::load(None, env).expect("accepted").config.traces
    };
    let standard =
        [("OTEL_SERVICE_NAME", "theirs"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")];
    let traces = load(&standard);
    assert_eq!((traces.service_name.as_str(), traces.endpoint.as_str()), (standard[0].1, standard[1].1));
    let traces = load(&[("HOOKYARD_TRACES__SERVICE_NAME", "ours"), standard[0], standard[1]]);
    assert_eq!((traces.service_name.as_str(), traces.endpoint.as_str()), ("ours", standard[1].1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_trace_begins_one_and_a_shutdown_hands_over_what_is_left() {
    let (directory, collector) = (tempfile::tempdir().expect("a temporary directory"), Collector::start());
    let mut config = exporting_config(directory.path(), &collector);
    config.traces.service_name = "router-7".to_owned();
    let hookyard = open(config).await;
    let receiver = Receiver::answering([200]);
    subscribe(&hookyard, &receiver).await;

    hookyard.emit_batch(leads(2)).await.expect("accepted");
    let repeated = || Event::new("new_message", &1).expect("it serialises").idempotency_key("k");
    hookyard.emit(repeated()).await.expect("accepted");
    hookyard.emit(repeated()).await.expect("accepted");
    receiver.wait_for(2);
    hookyard.shutdown().await;

    let spans = collector.spans();
    let (emitted, attempts) = (named(&spans, "emit new_lead"), named(&spans, "deliver new_lead"));
    assert_eq!((emitted.len(), attempts.len(), spans.len()), (2, 2, 6));
    assert_ne!(emitted[0].span.trace_id, emitted[1].span.trace_id);
    for request in receiver.requests() {
        let attempt = of_request(&attempts, &request);
        assert!(emitted.iter().any(|emitted| emitted.span.span_id == attempt.span.parent_span_id));
        assert_eq!(attempt.service, "router-7");
    }
    let duplicates =
        named(&spans, "emit new_message").into_iter().map(|seen| seen.attribute("hookyard.duplicate"));
    let mut duplicates: Vec<_> = duplicates.flatten().collect();
    duplicates.sort();
    assert_eq!(duplicates, ["false", "true"]);
    assert_eq!(figure(&hookyard, "exported"), 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emitter_that_gives_up_leaves_no_span_of_a_success() {
    let (directory, collector) = (tempfile::tempdir().expect("a temporary directory"), Collector::start());
    let hookyard = open(exporting_config(directory.path(), &collector)).await;

    let emitting = hookyard.emit(lead(1));
    assert!(futures::poll!(Box::pin(emitting)).is_pending());
    hookyard.shutdown().await;

    let spans = collector.spans();
    let [emitted] = named(&spans, "emit new_lead")[..] else { panic!("{spans:?}") };
    assert_eq!(emitted.attribute("error.type").as_deref(), Some("cancelled"));
    assert_eq!(emitted.span.status.as_ref().map(|status| status.code()), Some(StatusCode::Error));
}

#[test]
fn a_delay_that_would_take_a_whole_core_is_refused() {
    let settings = exporting(&Collector::start()).variable("OTEL_BSP_SCHEDULE_DELAY", "0");
    let ended = start_in_vain(&settings);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
    assert!(ended.output.contains("OTEL_BSP_SCHEDULE_DELAY"), "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_holds_up_nobody_and_what_is_lost_is_counted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let gate = Gate::default();
    let collector = Collector::holding(&gate);
    let hookyard = open(exporting_config(directory.path(), &collector)).await;
    let receiver = Receiver::answering([200]);
    subscribe(&hookyard, &receiver).await;

    let others = || Event::new("new_message", &1).expect("it serialises");
    for _ in 0..20 {
        hookyard.emit_batch((0..1000).map(|_| others()).collect()).await.expect("accepted");
    }
    hookyard.emit(lead(1)).await.expect("accepted");

    receiver.wait_for(1);
    assert!(figure(&hookyard, "dropped") > 0.0 && figure(&hookyard, "exported") == 0.0);
    let stopping = Instant::now();
    hookyard.shutdown().await;
    assert!(stopping.elapsed() < Duration::from_secs(9), "{:?}", stopping.elapsed());
    gate.open();
}
