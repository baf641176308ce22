//! Endpoints: a URL and a secret, prepared so that an attempt has little left to do.

use std::fmt;
use std::time::Duration;

use actix_http::Uri;
use actix_http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use bytes::Bytes;
use url::Position;

use crate::clock::Timestamp;
use crate::delivery::client::Settings;
use crate::delivery::signature::{self, Signer};
use crate::delivery::withholding::withhold;
use crate::event::Body;
use crate::id::{EventId, EventNo, MessageId};
use crate::subscription::{CustomHeaders, EndpointUrl, Envelope, Subscription};
use crate::trace_context::TraceContext;

/// Where the events of a subscription go, and how they are signed.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) target: Target,
    /// Of the subscription's own.
    custom: Vec<(HeaderName, HeaderValue)>,
    envelope: Envelope,
    signer: Signer,
    /// How long an attempt may take, where it is not as configured.
    pub(super) timeout: Option<Duration>,
    /// Whether requests say where their events stand among others.
    has_sequence: bool,
}

/// What one attempt sends.
#[derive(Clone)]
pub struct Request {
    /// The event's id, the same on every attempt.
    pub id: EventId,
    /// What is delivered of it, the same on every attempt.
    pub body: Body,
    /// The attempt's number within the delivery, from 1.
    pub n: u16,
    /// Whether somebody asked for this attempt; no schedule did.
    pub asked: bool,
    /// The event's place among all others; a test has none.
    pub sequence: Option<EventNo>,
    /// Whether it is a test that the hook's owner asked for; the receiver is told.
    pub test: bool,
    /// The trace that the request belongs to, and whom it has for a parent in it.
    pub trace: Option<TraceContext>,
}

/// A URL as the HTTP library takes it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Whether the connection is to have TLS.
    pub tls: bool,
    /// The URL with `http` for its scheme whichever it has, since the connector does TLS; with a port, without a
    /// fragment.
    pub uri: Uri,
    /// The value of `host`: without the port where the scheme implies it.
    host: HeaderValue,
}

impl Target {
    /// The host and the port to connect to; an IPv6 address without the brackets that a URL puts around it.
    pub fn place(&self) -> (&str, u16) {
        let host = self.uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (host, self.uri.port_u16().unwrap_or_default())
    }

    /// Whether a connection to the one will do for the other.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.tls == other.tls && self.uri.authority() == other.uri.authority()
    }
}

/// The URL is one that no HTTP request can carry; the egress guard refuses such a URL when a hook subscribes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("url has characters that no HTTP request can carry")]
pub struct Unsendable;

static WEBHOOK_ID: HeaderName = HeaderName::from_static(signature::ID);
static WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static(signature::TIMESTAMP);
static WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static(signature::SIGNATURE);
/// The same three by the names that receivers of messages may look for.
static BRANDED: [HeaderName; 3] = [
    HeaderName::from_static("svix-id"),
    HeaderName::from_static("svix-timestamp"),
    HeaderName::from_static("svix-signature"),
];
static WEBHOOK_SEQUENCE: HeaderName = HeaderName::from_static("webhook-sequence");
static WEBHOOK_TEST: HeaderName = HeaderName::from_static("webhook-test");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Without the body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, body, n, asked, sequence, test, trace } = self;
        let body = format_args!("{} bytes", body.bytes.len());
        f.debug_struct("Request")
            .field("id", id)
            .field("body", &body)
            .field("n", n)
            .field("asked", asked)
            .field("sequence", sequence)
            .field("test", test)
            .field("trace", trace)
            .finish()
    }
}

impl Endpoint {
    /// Prepares the endpoint of a subscription.
    ///
    /// # Errors
    /// When no HTTP request can carry the URL.
    pub fn of(subscription: &Subscription) -> Result<Self, Unsendable> {
        let Subscription { url, secret, previous_secrets, headers, envelope, delivery, .. } = subscription;
        let signer = Signer::rotating(secret, previous_secrets);
        let (timeout, has_sequence) = (delivery.timeout, delivery.sequence);
        let custom = custom(headers);
        Ok(Self { custom, envelope: *envelope, timeout, has_sequence, ..Self::new(url, signer)? })
    }

    /// Prepares an endpoint without custom headers.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn new(url: &EndpointUrl, signer: Signer) -> Result<Self, Unsendable> {
        let target = target(url).ok_or(Unsendable)?;
        let (custom, envelope) = (Vec::new(), Envelope::Documented);
        Ok(Self { target, custom, envelope, signer, timeout: None, has_sequence: false })
    }

    /// Host and port, as they may be logged.
    pub fn authority(&self) -> &str {
        self.target.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Takes what the receiver repeats of the custom headers out of its answer.
    pub(super) fn withhold_from(&self, response: &mut [u8]) {
        for (_, value) in &self.custom {
            withhold(value.as_bytes(), response);
        }
    }

    /// The body of a request, in this endpoint's envelope.
    pub(super) fn body(&self, request: &Request) -> Bytes {
        match self.envelope {
            Envelope::Documented => request.body.bytes.clone(),
            Envelope::Payload => request.body.data_bytes(),
        }
    }

    /// The headers of a request that is sent now, signed afresh.
    pub(super) fn headers(
        &self,
        request: &Request,
        body: &[u8],
        now: Timestamp,
        settings: &Settings,
    ) -> HeaderMap {
        let id = match self.envelope {
            Envelope::Documented => request.id.to_string(),
            Envelope::Payload => MessageId::of(request.id).to_string(),
        };
        let standard = self.signer.standard(&id, now, body);
        let mut headers = HeaderMap::with_capacity(8 + self.custom.len());
        // First, so that ours stand in their place should they come to have one name.
        for (name, value) in &self.custom {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(HOST, self.target.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("hookyard/", env!("CARGO_PKG_VERSION"))));
        let own = [(&WEBHOOK_ID, value(id)), (&WEBHOOK_TIMESTAMP, now.unix_seconds().into())];
        let own = own.into_iter().chain([(&WEBHOOK_SIGNATURE, value(standard))]);
        for ((name, value), branded) in own.zip(&BRANDED) {
            if self.envelope == Envelope::Payload && settings.has_svix_headers {
                headers.insert(branded.clone(), value.clone());
            }
            headers.insert(name.clone(), value);
        }
        if self.envelope == Envelope::Documented
            && let Some(hex) = self.signer.hex(body)
        {
            headers.insert(settings.signature_header.clone(), value(hex));
        }
        if let Some(no) = request.sequence.filter(|_| self.has_sequence) {
            headers.insert(WEBHOOK_SEQUENCE.clone(), no.0.into());
        }
        if request.test {
            headers.insert(WEBHOOK_TEST.clone(), HeaderValue::from_static("true"));
        }
        if let Some(trace) = &request.trace {
            headers.insert(TRACEPARENT.clone(), value(trace.to_string()));
            // A custom one is of another trace.
            headers.remove(&TRACESTATE);
            if let Some(state) = trace.tracestate() {
                headers.insert(TRACESTATE.clone(), value(state.to_owned()));
            }
        }
        headers
    }
}

/// The URL as the HTTP library takes it; nothing where a character is none of HTTP's.
///
/// WHATWG URLs may hold some that RFC 3986 has no room for, in the host above all.
pub(super) fn target(url: &EndpointUrl) -> Option<Target> {
    let plain: Uri = url.url()[..Position::AfterQuery].parse().ok()?;
    let host = HeaderValue::from_str(plain.authority()?.as_str()).ok()?;
    let path = plain.path_and_query()?.clone();
    let uri = Uri::builder().scheme("http").authority(url.authority()).path_and_query(path).build().ok()?;
    Some(Target { tls: url.url().scheme() == "https", uri, host })
}

/// The custom headers as the HTTP library takes them.
fn custom(headers: &CustomHeaders) -> Vec<(HeaderName, HeaderValue)> {
    let sendable = |(name, value): (&str, &str)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    };
    // What they hold was checked when they were made: it is all sendable.
    headers.reveal().filter_map(sendable).collect()
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("ids, numbers, signatures and trace contexts are printable ASCII")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::delivery::guard::Guard;
    use crate::delivery::tls::trusting_the_web;

    fn seen(url: &str) -> (bool, String, String) {
        let target = target(&url.parse().unwrap()).unwrap();
        (target.tls, target.uri.to_string(), target.host.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_event_of_a_trace_outweighs_custom_headers_that_earlier_versions_let_hooks_have() {
        const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let own = [("traceparent", "theirs"), ("tracestate", "theirs=1")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signer = Signer::new(&"sixteen-visible!".parse().unwrap());
        let endpoint = Endpoint {
            custom: custom(&CustomHeaders::kept(own).unwrap()),
            ..Endpoint::new(&"https://example.com".parse().unwrap(), signer).unwrap()
        };
        let guard = Arc::new(Guard::new(true, Vec::new()));
        let settings =
            Settings::new(Duration::from_secs(1), "x-signature", guard, trusting_the_web()).unwrap();
        let sent = |trace: Option<TraceContext>| {
            let body = Body::build(&"new_lead".parse().unwrap(), "2025-01-15T10:30:00Z", b"1");
            let id = EventId::from_bytes([7; 20]);
            let request = Request { id, body, n: 1, asked: false, sequence: None, test: false, trace };
            let headers = endpoint.headers(&request, b"", Timestamp(0), &settings);
            ["traceparent", "tracestate"].map(|name| Some(headers.get(name)?.to_str().unwrap().to_owned()))
        };
        let theirs = ["theirs", "theirs=1"].map(|value| Some(value.to_owned()));
        assert_eq!(sent(None), theirs);
        let context: TraceContext = PARENT.parse().unwrap();
        assert_eq!(sent(Some(context.clone())), [Some(PARENT.to_owned()), None]);
        let context = context.with_tracestate("ours=2");
        assert_eq!(sent(Some(context)), [PARENT, "ours=2"].map(|value| Some(value.to_owned())));
    }

    #[test]
    fn a_target_has_a_port_and_no_fragment_and_its_host_header_no_needless_port() {
        let of = |tls, uri: &str, host: &str| (tls, uri.to_owned(), host.to_owned());
        assert_eq!(seen("https://example.com"), of(true, "http://example.com:443/", "example.com"));
        assert_eq!(
            seen("http://example.com:80/a?b#c"),
            of(false, "http://example.com:80/a?b", "example.com")
        );
        assert_eq!(seen("https://example.com:80/"), of(true, "http://example.com:80/", "example.com:80"));
        assert_eq!(seen("https://[2600::1]/ü"), of(true, "http://[2600::1]:443/%C3%BC", "[2600::1]"));
    }
}
