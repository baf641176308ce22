//! What a person is told when no answer comes, or one that says no.
//!
//! What the server finds wrong in what was asked for is wrong usage; everything else is a failure.

use std::fmt::{self, Display};
use std::io::ErrorKind;

use serde::Deserialize;
use ureq::http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use ureq::http::{StatusCode, Uri};

use super::{Client, Failure};

/// How much of a refusal is read; ours are short.
pub(super) const LIMIT: u64 = 1 << 20;

/// The shapes that the errors of the API have; the last two are the operator's API's.
#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    Ours { error: Inside },
    Standard { detail: String },
    Invalid { detail: Vec<Fault> },
}

#[derive(Deserialize)]
struct Inside {
    message: String,
    request_id: Option<String>,
}

/// What is wrong with one part of a request.
#[derive(Deserialize)]
struct Fault {
    /// Where it is: `body` or `query`, then the names that lead to it.
    loc: Vec<String>,
    msg: String,
}

impl Client {
    /// The request got no answer, or not all of it.
    pub(super) fn no_answer(&self, error: &ureq::Error) -> Failure {
        let server = self.server();
        let message = match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => format!(
                "no server listens at {server}; `hookyard serve` starts one, --url or HOOKYARD_URL names another"
            ),
            ureq::Error::HostNotFound => format!("there is no host of the name in {server}; is --url right?"),
            ureq::Error::Timeout(_) => format!("{server} does not answer in time ({error})"),
            ureq::Error::Protocol(_) => {
                format!("what answers at {server} does not speak HTTP ({error}); is --url right?")
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => insecure(server, error),
            ureq::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                insecure(server, error)
            }
            ureq::Error::Io(error) => format!("the connection to {server} broke off: {error}"),
            error => format!("no answer from {server}: {error}"),
        };
        Failure::Unreachable(message)
    }

    /// The request was refused.
    pub(super) fn refused(
        &self,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
            return self.foreign_with(status, headers);
        };
        let names_nothing = matches!(refusal, Refusal::Standard { .. });
        let error = Inside::from(refusal);
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let message = error.message;
        match status.as_u16() {
            401 if self.key.is_none() => Failure::other(format!(
                "{} asks for a key: give one with HOOKYARD_KEY or --key ({})",
                self.server(),
                self.key_origin
            )),
            401 => Failure::other(format!("{} does not know {}", self.server(), self.key_origin)),
            404 if names_nothing => Failure::other(format!("{message}: {path}")),
            403 => Failure::other(format!("{message}; it was asked with {}", self.key_origin)),
            400 | 413 | 415 | 422 => Failure::Usage(message),
            429 | 503 => Failure::Busy {
                retry_after_seconds: text(RETRY_AFTER).and_then(|text| text.parse().ok()),
                message,
            },
            500.. => {
                let request = error.request_id.unwrap_or_default();
                Failure::other(format!("{message} (status {}, request {request})", status.as_u16()))
            }
            _ => Failure::other(message),
        }
    }

    /// What answers is no hookyard.
    pub(super) fn foreign(&self, status: StatusCode) -> Failure {
        self.foreign_with(status, &HeaderMap::new())
    }

    fn foreign_with(&self, status: StatusCode, headers: &HeaderMap) -> Failure {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let elsewhere = location.and_then(|location| location.parse::<Uri>().ok());
        let hint = elsewhere.map(|to| format!(" and points to {to}")).unwrap_or_default();
        Failure::other(format!(
            "what answers at {} is no hookyard: its status is {}{hint}; is --url right?",
            self.server(),
            status.as_u16()
        ))
    }
}

impl From<Refusal> for Inside {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal {
            Refusal::Ours { error } => return error,
            Refusal::Standard { detail } => detail,
            Refusal::Invalid { detail } => detail.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "),
        };
        Self { message, request_id: None }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fault of something inside a field names the field; nobody is helped by the word for that.
        let names =
            self.loc.iter().skip(1).map(String::as_str).filter(|name| !["", "__all__"].contains(name));
        for name in names {
            write!(f, "{name}: ")?;
        }
        f.write_str(&self.msg)
    }
}

/// There is no TLS with the server that could be relied on.
fn insecure(server: &str, error: &dyn Display) -> String {
    format!(
        "no secure connection to {server} ({error}); --ca or HOOKYARD_CA names an authority that is not of the web's"
    )
}
