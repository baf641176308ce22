//! The client of the HTTP API that the commands share: one server, one key, blocking calls.
//!
//! What comes back is the API's JSON as it came, or the line that tells a person what went wrong. It knows no
//! command and prints nothing.

pub mod authorities;
pub mod connection;
mod query;
mod refusal;

use std::io::Read;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use ureq::http::{self, Request, Response, StatusCode};
use ureq::tls::TlsConfig;
use ureq::{Agent, AsSendBody, Body, ResponseExt};
use url::Url;

use self::connection::Key;
use super::Failure;

pub use self::connection::Connection;
pub use self::query::Query;

/// Calls one server with one key.
pub struct Client {
    agent: Agent,
    base: Url,
    key: Option<Key>,
    /// Where the key came from, or where one was looked for in vain.
    key_origin: String,
    account: Option<String>,
}

/// What the API answered to a request that it did not refuse.
pub struct Answer {
    /// The JSON as it came; `null` where the API had nothing to say.
    pub json: Box<RawValue>,
    /// The query of the next page, when the answer is a page of a list and there is more.
    pub next: Option<Query>,
}

/// How long the server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin; a replay of a deep backlog is moved before it is answered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// The largest answer that is read into memory. A page has up to 1,000 entries, an entry data of up to 1 MiB.
const ANSWER_LIMIT: u64 = 2 << 30;

impl Client {
    fn new(base: Url, tls: TlsConfig, key: (Option<Key>, String), account: Option<String>) -> Self {
        let (key, key_origin) = key;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .tls_config(tls)
            .user_agent(concat!("hookyard-cli/", env!("CARGO_PKG_VERSION")));
        if connection::is_this_machine(&base) {
            // A proxy would look for the server on itself.
            config = config.proxy(None);
        }
        Self { agent: config.build().into(), base, key, key_origin, account }
    }

    /// Asks for one object, or for one page of a list.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn get(&self, path: &str, query: &Query) -> Result<Answer, Failure> {
        self.answered(self.run("GET", path, query, &[], ())?)
    }

    /// Sends `body` as JSON.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn post(&self, path: &str, query: &Query, body: &impl Serialize) -> Result<Answer, Failure> {
        self.send("POST", path, query, body)
    }

    /// Puts `body`, as JSON, in the place of what is there.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn put(&self, path: &str, query: &Query, body: &impl Serialize) -> Result<Answer, Failure> {
        self.send("PUT", path, query, body)
    }

    /// Changes what `body`, as JSON, has of what is there.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn patch(&self, path: &str, query: &Query, body: &impl Serialize) -> Result<Answer, Failure> {
        self.send("PATCH", path, query, body)
    }

    /// Sends JSON text as it is, with headers of the caller's.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn post_json(
        &self,
        path: &str,
        query: &Query,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.answered(self.run("POST", path, query, &headers, body)?)
    }

    /// Asks for something to be done that needs no words.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn act(&self, path: &str) -> Result<Answer, Failure> {
        self.answered(self.run("POST", path, &Query::new(), &[], "")?)
    }

    /// Asks for what the path and the query name to be removed.
    ///
    /// # Errors
    /// When no answer comes, or a refusal.
    pub fn delete(&self, path: &str, query: &Query) -> Result<Answer, Failure> {
        self.answered(self.run("DELETE", path, query, &[], ())?)
    }

    /// Asks for something that is no JSON and may be large, to be read piece by piece.
    ///
    /// # Errors
    /// When no answer comes, or a refusal; reading fails when the connection breaks off.
    pub fn download(&self, path: &str, query: &Query) -> Result<impl Read + use<>, Failure> {
        let response = self.accepted(self.run("GET", path, query, &[], ())?)?;
        Ok(response.into_body().into_reader())
    }

    /// Where this client calls, for messages.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        query: &Query,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let body = serde_json::to_vec(body).map_err(anyhow::Error::from)?;
        let headers = [("content-type", "application/json")];
        self.answered(self.run(method, path, query, &headers, &body[..])?)
    }

    fn run(
        &self,
        method: &str,
        path: &str,
        query: &Query,
        headers: &[(&str, &str)],
        body: impl AsSendBody,
    ) -> Result<Response<Body>, Failure> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query.for_account(self.account.as_deref()).text().as_deref());
        let mut request = Request::builder().method(method).uri(url.as_str());
        if let Some(key) = &self.key {
            request = request.header(http::header::AUTHORIZATION, key.bearer());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| self.no_answer(&error.into()))?;
        self.agent.run(request).map_err(|error| self.no_answer(&error))
    }

    /// The response, unless it is a refusal.
    fn accepted(&self, mut response: Response<Body>) -> Result<Response<Body>, Failure> {
        if response.status().is_success() {
            return Ok(response);
        }
        let body = response.body_mut().with_config().limit(refusal::LIMIT).read_to_vec();
        let body = body.map_err(|error| self.no_answer(&error))?;
        Err(self.refused(response.get_uri().path(), response.status(), response.headers(), &body))
    }

    fn answered(&self, response: Response<Body>) -> Result<Answer, Failure> {
        let mut response = self.accepted(response)?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Answer { json: RawValue::NULL.to_owned(), next: None });
        }
        let next = response.headers().get(http::header::LINK).and_then(Query::of_next_page);
        let body = response.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec();
        let body = body.map_err(|error| self.no_answer(&error))?;
        let json = serde_json::from_slice(&body).map_err(|_| self.foreign(response.status()))?;
        Ok(Answer { json, next })
    }
}

impl Answer {
    /// The answer as what the command expects.
    ///
    /// # Errors
    /// When it is something else, as a server of another version may answer.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        decode(&self.json)
    }

    /// The entries of an answer that is a list.
    ///
    /// # Errors
    /// When it is none.
    pub fn entries(&self) -> Result<Vec<Box<RawValue>>, Failure> {
        decode(&self.json)
    }
}

/// A part of an answer as what the command expects.
///
/// # Errors
/// When it is something else.
pub fn decode<T: DeserializeOwned>(json: &RawValue) -> Result<T, Failure> {
    serde_json::from_str(json.get()).map_err(|error| {
        let why =
            anyhow::anyhow!("{error}: is the server of another version? --json shows the answer as it came");
        why.context("the answer is not as expected").into()
    })
}
