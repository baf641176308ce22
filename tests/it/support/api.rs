//! A client of the HTTP API that keeps every answer, also the refusals, as a value.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Request;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};
use url::form_urlencoded;

use super::patience::{PATIENCE, until_some};

/// The headers of a JSON body.
pub const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// One caller of the API, with a key or without.
#[derive(Clone)]
pub struct Api {
    agent: Agent,
    base: String,
    key: Option<String>,
}

/// An answer of the API, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An error of the one shape that all have.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

/// A hook as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hook {
    pub id: String,
    pub url: String,
    pub event: String,
    pub active: bool,
    pub status: String,
    pub created_at: String,
    pub secret: Option<String>,
    pub deactivated_at: Option<String>,
    pub reason: Option<String>,
    pub pending: Option<u64>,
    pub dead: Option<u64>,
    pub last_attempt_at: Option<String>,
    pub next_attempt_at: Option<String>,
}

/// What the emitter of an event gets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    pub id: String,
    pub event: String,
    pub timestamp: String,
    pub matched: u64,
    pub duplicate: bool,
}

impl Api {
    /// A client of the server at `address`.
    pub fn at(address: SocketAddr, key: Option<&str>) -> Self {
        Self::calling(format!("http://{address}"), TlsConfig::default(), key)
    }

    /// A client of the server at `address` that speaks TLS and believes this authority alone.
    pub fn over_tls(address: SocketAddr, key: Option<&str>, authority: &[u8]) -> Self {
        let roots = RootCerts::new_with_certs(&[Certificate::from_der(authority).to_owned()]);
        let tls = TlsConfig::builder().root_certs(roots).build();
        Self::calling(format!("https://{address}"), tls, key)
    }

    fn calling(base: String, tls: TlsConfig, key: Option<&str>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .max_idle_age(Duration::from_secs(1))
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .tls_config(tls)
            .build();
        Self { agent: config.into(), base, key: key.map(str::to_owned) }
    }

    /// Sends any request, with the client's key.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        match self.try_send(method, path, headers, body) {
            Ok(reply) => reply,
            Err(error) => panic!("no answer to {method} {path}: {error}"),
        }
    }

    /// Sends any request to a server that may be gone.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // A client that is given no body for a POST would announce an empty chunked one.
        let bare = matches!(method, "GET" | "DELETE");
        Reply::read(match body {
            None if bare => self.agent.run(request.body(())?)?,
            body => self.agent.run(request.body(body.unwrap_or_default())?)?,
        })
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string())
    }

    /// Posts JSON as it is written here.
    pub fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, JSON, Some(body.as_bytes()))
    }

    /// Posts without a body, as to `…/pause`.
    pub fn act(&self, path: &str) -> Reply {
        self.send("POST", path, &[], Some(b""))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], None)
    }

    pub fn delete_with(&self, path: &str, body: &Value) -> Reply {
        self.send("DELETE", path, JSON, Some(body.to_string().as_bytes()))
    }

    /// Subscribes, which must not be refused.
    pub fn subscribe(&self, url: &str, event: &str) -> Hook {
        let reply = self.post("/api/v1/hooks/subscribe", &json!({"url": url, "event": event}));
        assert!(matches!(reply.status, 200 | 201), "{}", reply.describe());
        reply.decode()
    }

    /// The answer to a subscription with these fields.
    pub fn subscribing(&self, body: &Value) -> Reply {
        self.post("/api/v1/hooks/subscribe", body)
    }

    /// Deletes the hook with this id, which must exist.
    pub fn unsubscribe(&self, id: &str) {
        let gone: Value = self.delete(&format!("/api/v1/hooks/{id}")).expect(200);
        assert_eq!(gone, json!({"success": true, "deleted": 1}));
    }

    pub fn hook(&self, id: &str) -> Hook {
        self.get(&format!("/api/v1/hooks/{id}")).expect(200)
    }

    pub fn hooks(&self) -> Vec<Hook> {
        self.get("/api/v1/hooks").expect(200)
    }

    /// Waits until the hook looks as `condition` wants.
    #[track_caller]
    pub fn wait_for_hook(&self, id: &str, what: &str, condition: impl Fn(&Hook) -> bool) -> Hook {
        until_some(what, || Some(self.hook(id)).filter(|hook| condition(hook)))
    }

    pub fn pause(&self, id: &str) -> Hook {
        self.act(&format!("/api/v1/hooks/{id}/pause")).expect(200)
    }

    pub fn resume(&self, id: &str) -> Hook {
        self.act(&format!("/api/v1/hooks/{id}/resume")).expect(200)
    }

    /// Emits one event, which must be accepted.
    pub fn emit(&self, event: &str, data: &Value) -> Receipt {
        self.emitting(&json!({"event": event, "data": data})).expect(202)
    }

    /// Emits a batch, which must be accepted.
    pub fn emit_all(&self, batch: &[Value]) -> Vec<Receipt> {
        self.emitting(&Value::from(batch)).expect(202)
    }

    /// The answer to an event or a batch as it is given here.
    pub fn emitting(&self, body: &Value) -> Reply {
        self.post("/api/v1/events", body)
    }

    /// Makes the account if there is none, and a key of it that may manage hooks and emit.
    pub fn account(&self, account: &str) -> Self {
        self.key_of(account, &["hooks", "events"])
    }

    /// Makes the account if there is none, and a key of it with these scopes.
    pub fn key_of(&self, account: &str, scopes: &[&str]) -> Self {
        let made = self.post("/api/v1/accounts", &json!({"id": account}));
        assert!(matches!(made.status, 200 | 201), "{}", made.describe());
        let key: Value = self
            .post("/api/v1/keys", &json!({"account": account, "scopes": scopes, "name": "of a test"}))
            .expect(201);
        self.with_key(text(&key, "key"))
    }

    /// The same server, another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }

    /// The pages of a list, each of them behind the link in the one before.
    pub fn pages(&self, path: &str) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            assert!(pages.len() < 100, "the pages never end");
            let reply = self.get(&path);
            next = reply.next_page();
            pages.push(reply.expect(200));
        }
        pages
    }
}

impl Reply {
    fn read(response: ureq::http::Response<Body>) -> Result<Self, ureq::Error> {
        let (parts, mut body) = response.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Ok(Self {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: body.with_config().limit(64 << 20).read_to_vec()?,
        })
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn expect<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.describe());
        self.decode()
    }

    /// The error of a refusal that must have this status, checked for the shape that all have.
    #[track_caller]
    pub fn refused(&self, status: u16) -> Refusal {
        assert_eq!(self.status, status, "{}", self.describe());
        let body: Value = self.decode();
        let error = &body["error"];
        let request_id = body["request_id"].as_str().or(error["request_id"].as_str());
        assert!(request_id.is_some_and(|id| !id.is_empty()), "no request_id: {}", self.describe());
        assert_eq!(request_id, self.header("x-request-id"), "{}", self.describe());
        assert!(self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
        Refusal { code: text(error, "code").into(), message: text(error, "message").into() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and body, for a failing test to show.
    pub fn describe(&self) -> String {
        let body: String = self.text().chars().take(2_000).collect();
        format!("the answer was {} {body}", self.status)
    }

    #[track_caller]
    fn decode<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}; {}", self.describe()))
    }

    /// The path of the next page, from the `Link` header.
    pub fn next_page(&self) -> Option<String> {
        let link = self.header("link")?;
        let (target, relation) = link.strip_prefix('<')?.split_once('>')?;
        assert!(relation.contains(r#"rel="next""#), "{link}");
        Some(target[target.find("/api/").expect("a link within the API")..].to_owned())
    }
}

/// A field that must be a string.
#[track_caller]
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is no string in {value}"))
}

/// A query string of these pairs, the question mark included.
pub fn query(pairs: &[(&str, &str)]) -> String {
    format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}
