//! Requests that a receiver has to judge, made from real deliveries.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::support::api::text;
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;

/// A request, and whether a receiver that has this secret is to trust it.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub secret: &'static str,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub genuine: bool,
}

pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEXT_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PLAIN_SECRET: &str = "sixteen-visible-characters-or-more";

/// Bytes that no parser and printer of JSON would leave as they are.
const EVENT: &str = r#"{"event":"new_lead","data":{"name":"Jané", "spelled":"\u00e9", "sum":1.50}}"#;

/// A delivery to a hook with this secret.
pub fn delivered(secret: &str) -> Received {
    delivery(secret, |_, _| {})
}

/// A delivery to a hook with this secret, to which something is done before the event.
fn delivery(secret: &str, prepare: impl Fn(&Server, &Value)) -> Received {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    let wish = json!({"url": receiver.url("/"), "event": "new_lead", "secret": secret});
    prepare(&server, &server.api().subscribing(&wish).expect(201));
    assert_eq!(server.api().post_text("/api/v1/events", EVENT).status, 202);
    receiver.wait_for(1).remove(0)
}

fn delivered_during_a_rotation() -> Received {
    delivery(SECRET, |server, hook| {
        let path = format!("/api/v1/hooks/{}/rotate-secret", text(hook, "id"));
        server.api().post(&path, &json!({"secret": NEXT_SECRET})).expect::<Value>(200);
    })
}

/// All cases; the deliveries are made once.
pub fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let genuine = Case::of(&delivered(SECRET), "genuine", SECRET);
        let plain = Case::of(&delivered(PLAIN_SECRET), "with a secret of one's own", PLAIN_SECRET);
        let rotating = delivered_during_a_rotation();
        let changed = genuine.body.replace("1.50", "9.50");
        vec![
            genuine.clone(),
            plain,
            Case::of(&rotating, "in a rotation, with the new secret", NEXT_SECRET),
            Case::of(&rotating, "in a rotation, with the old secret", SECRET),
            Case { body: changed, ..genuine.forged("with another body") },
            Case { secret: NEXT_SECRET, ..genuine.forged("with another secret") },
            genuine.forged("with another id").with("webhook-id", "evt_another"),
            genuine.forged("signed ten minutes ago").signed_at(-600),
            genuine.forged("signed in ten minutes").signed_at(600),
            genuine.forged("without its id").without("webhook-id"),
            genuine.forged("without its time").without("webhook-timestamp"),
            genuine.forged("without a signature").without("webhook-signature"),
        ]
    })
}

impl Case {
    fn of(request: &Received, name: &'static str, secret: &'static str) -> Self {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers = names.map(|name| (name.to_owned(), request.header(name).to_owned())).to_vec();
        Self { name, secret, headers, body: request.text().to_owned(), genuine: true }
    }

    fn forged(&self, name: &'static str) -> Self {
        Self { name, genuine: false, ..self.clone() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Signed well, but so many seconds from now.
    fn signed_at(self, seconds: i64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let time = now.saturating_add_signed(seconds);
        let webhook = Webhook::new(self.secret).expect("the secret is sound");
        let time_signed = i64::try_from(time).expect("no far future");
        let signature = webhook.sign(self.header("webhook-id"), time_signed, self.body.as_bytes());
        let signature = signature.expect("it can be signed");
        self.with("webhook-timestamp", &time.to_string()).with("webhook-signature", &signature)
    }

    fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(known, _)| known == name);
        &header.expect("it has this header").1
    }

    pub fn header_map(&self) -> HeaderMap {
        let pair = |(name, value): &(String, String)| {
            let name: HeaderName = name.parse().expect("a header's name");
            (name, HeaderValue::from_str(value).expect("a header's value"))
        };
        self.headers.iter().map(pair).collect()
    }

    pub fn verdict(&self) -> &'static str {
        if self.genuine { "accepted" } else { "refused" }
    }

    pub fn to_json(&self) -> Value {
        let headers: serde_json::Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        json!({"name": self.name, "secret": self.secret, "headers": headers, "body": self.body})
    }
}
