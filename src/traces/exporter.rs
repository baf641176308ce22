//! The exporter: a bounded queue of spans, a thread that hands them over, and the HTTP client that it does so with.
//!
//! The queue and its thread are the SDK's, which drops what it has no room for without saying how much; hence what is in
//! it is counted here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData,
    SpanProcessor,
};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use crate::config::{self, Traces};
use crate::metrics::Metrics;

/// Where the spans go.
pub struct Exporter {
    pub tracer: SdkTracer,
    provider: SdkTracerProvider,
    stopped: AtomicBool,
}

/// The SDK's queue, of which it is known how many spans are in it.
#[derive(Debug)]
struct Queue {
    inner: BatchSpanProcessor,
    length: Arc<AtomicUsize>,
    metrics: Metrics,
}

/// What the queue's thread hands spans to.
#[derive(Debug)]
struct Counted {
    inner: SpanExporter,
    length: Arc<AtomicUsize>,
    metrics: Metrics,
    /// Whether the last batch did not get through.
    failing: AtomicBool,
}

/// The HTTP client, which has the queue's thread for itself.
#[derive(Debug)]
struct Collector(ureq::Agent);

/// The most spans that wait: some MiB, and a tenth of a second of what a busy machine makes.
const QUEUE_LIMIT: usize = 8192;
/// How long a request to the collector may take, and how long spans are handed over when the router stops.
const TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the queue's thread rests. The SDK reads it; without any rest, its thread would take a whole core.
const SCHEDULE_DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
/// How much of an answer is read, in bytes; it says little.
const ANSWER_LIMIT: u64 = 64 * 1024;
/// Where spans go below an endpoint, by the specification of OTLP/HTTP.
const PATH: &str = "/v1/traces";

impl Exporter {
    /// Starts the queue's thread.
    ///
    /// # Errors
    /// When the endpoint, or a variable of the OpenTelemetry specification, is of no use.
    pub fn start(config: &Traces, metrics: Metrics) -> Result<Self, config::Error> {
        let endpoint = format!("{}{PATH}", config.endpoint.trim_end_matches('/'));
        let inner = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_http_client(Collector::default())
            .build();
        let inner = inner.map_err(|error| {
            config::Error::value(Traces::ENDPOINT, format!("{:?}", config.endpoint), error.to_string())
        })?;
        if std::env::var(SCHEDULE_DELAY).is_ok_and(|delay| delay.trim().parse() == Ok(0_u64)) {
            return Err(config::Error::value(SCHEDULE_DELAY, 0, "1 or more milliseconds"));
        }
        let length = Arc::new(AtomicUsize::new(0));
        let counted = Counted {
            inner,
            length: length.clone(),
            metrics: metrics.clone(),
            failing: AtomicBool::new(false),
        };
        let limits = BatchConfigBuilder::default().with_max_queue_size(QUEUE_LIMIT).build();
        let inner = BatchSpanProcessor::builder(counted).with_batch_config(limits).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queue { inner, length, metrics })
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
            .with_resource(resource(config))
            .build();
        let scope = InstrumentationScope::builder("hookyard").with_version(env!("CARGO_PKG_VERSION")).build();
        info!(endpoint = config.endpoint, "spans are exported");
        Ok(Self { tracer: provider.tracer_with_scope(scope), provider, stopped: AtomicBool::new(false) })
    }

    /// Hands over what is in the queue, if that does not take too long, and ends.
    pub async fn stop(&self) {
        let (stopped, done) = oneshot::channel();
        self.stop_once(move || {
            // Whoever asked may have gone.
            let _ = stopped.send(());
        });
        // An error says that another call stopped it, or that there is no thread.
        let _ = done.await;
    }

    /// Ends the provider, which blocks, in a thread of its own.
    fn stop_once(&self, then: impl FnOnce() + Send + 'static) {
        if self.stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        let provider = self.provider.clone();
        let stopping = move || {
            if let Err(error) = provider.shutdown_with_timeout(STOP_TIMEOUT) {
                warn!(%error, "not all spans were handed over");
            }
            then();
        };
        // Without a thread, the provider ends where it is dropped.
        let _ = thread::Builder::new().name("hookyard-spans".to_owned()).spawn(stopping);
    }
}

/// Whoever lets go of the last handle of a router that was not shut down does not wait for the collector.
impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop_once(|| {});
    }
}

/// What is said of whoever exports.
fn resource(config: &Traces) -> Resource {
    Resource::builder_empty()
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())])
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.length.fetch_add(1, Ordering::Relaxed) < QUEUE_LIMIT {
            return self.inner.on_end(span);
        }
        self.length.fetch_sub(1, Ordering::Relaxed);
        self.metrics.spans.dropped.inc();
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let exported = self.inner.export(batch).await;
        self.length.fetch_sub(count, Ordering::Relaxed);
        let spans = &self.metrics.spans;
        let counter = if exported.is_ok() { &spans.exported } else { &spans.failed };
        counter.inc_by(count as u64);
        match (&exported, self.failing.swap(exported.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => warn!(%error, "the collector takes no spans; they are lost"),
            (Ok(()), true) => info!("the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl Default for Collector {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("hookyard/", env!("CARGO_PKG_VERSION")));
        Self(config.build().into())
    }
}

#[async_trait]
impl HttpClient for Collector {
    /// Blocks, as its caller does.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(head, &body[..]));
        let answer = answer.inspect_err(|error| debug!(%error, "the collector does not answer"))?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(ANSWER_LIMIT).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}
