//! A consumer of the HTTP API, as the demonstration has one: subscribes, emits, looks at a hook.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use awc::http::Method;
use awc::http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub const SUBSCRIBE: &str = "/api/v1/hooks/subscribe";
pub const EVENTS: &str = "/api/v1/events";
pub const HOOKS: &str = "/api/v1/hooks";

/// Calls one server with one key.
pub struct Consumer {
    http: awc::Client,
    base: String,
    authorization: String,
}

/// A hook as the API shows it.
#[derive(Debug, Deserialize)]
pub struct Hook {
    pub id: String,
    pub status: String,
    /// Why it is deactivated.
    pub reason: Option<String>,
    pub pending: u64,
    pub dead: u64,
    /// Only in the answer to subscribe.
    pub secret: Option<String>,
}

/// What the emitter of an event gets.
#[derive(Debug, Deserialize)]
pub struct Receipt {
    pub id: String,
    pub timestamp: String,
    pub matched: u64,
}

impl Consumer {
    pub fn new(address: SocketAddr, key: &str) -> Self {
        let http = awc::Client::builder().disable_redirects().finish();
        Self { http, base: format!("http://{address}"), authorization: format!("Bearer {key}") }
    }

    /// Sends a JSON text and reads the answer.
    ///
    /// # Errors
    /// When there is none, or one with another status than `expected`.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: String,
        expected: u16,
    ) -> anyhow::Result<T> {
        self.call(Method::POST, path, body, expected).await
    }

    /// Looks at a hook.
    ///
    /// # Errors
    /// When it is not shown.
    pub async fn hook(&self, id: &str) -> anyhow::Result<Hook> {
        self.call(Method::GET, &format!("{HOOKS}/{id}"), String::new(), 200).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
        expected: u16,
    ) -> anyhow::Result<T> {
        let what = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.insert_header((AUTHORIZATION, self.authorization.as_str()));
        if !body.is_empty() {
            request = request.insert_header((CONTENT_TYPE, "application/json"));
        }
        let answer = request.send_body(body).await;
        // Its errors are neither `Send` nor `Sync`.
        let mut answer = answer.map_err(|error| anyhow::anyhow!("no answer to {what}: {error}"))?;
        let body = answer.body().await.with_context(|| format!("no whole answer to {what}"))?;
        let (status, text) = (answer.status().as_u16(), String::from_utf8_lossy(&body));
        ensure!(status == expected, "{what}: expected {expected}, got {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{what}: not the expected answer: {text}"))
    }
}
