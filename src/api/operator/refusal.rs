//! Refusals: what errors look like in the operator's API, and which refusal each error of the face becomes.
//!
//! Two shapes: `{"code":…,"detail":"…"}`, and for a body or a query that breaks a rule, 422 with
//! `{"detail":[{"loc":[…],"msg":…,"type":…}]}`, an entry for each fault.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::api::answer;
use crate::api::error::{self, Kind};
use crate::hookyard::Unavailable;

/// A request that is refused, and why.
#[derive(Clone, Debug)]
pub enum Refusal {
    Standard {
        status: StatusCode,
        code: &'static str,
        detail: Cow<'static, str>,
        header: Option<(HeaderName, HeaderValue)>,
    },
    Invalid(Vec<Fault>),
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where it is: `body` or `query`, then the names that lead to it.
    loc: Vec<String>,
    /// What is wrong, for people.
    msg: String,
    /// What is wrong, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Most errors, as this API shows them.
#[derive(Serialize)]
pub struct Standard<'a> {
    code: &'a str,
    detail: &'a str,
}

/// What is wrong with a body or a query, as this API shows it.
#[derive(Serialize)]
pub struct Invalid<'a> {
    detail: &'a [Fault],
}

impl Fault {
    /// A member of the body that breaks a rule.
    pub fn body<'a>(path: impl IntoIterator<Item = &'a str>, msg: impl Into<String>) -> Self {
        Self::new("body", path, msg, "value_error")
    }

    /// A parameter of the query that breaks a rule.
    pub fn query(path: &[&str], msg: impl Into<String>) -> Self {
        Self::new("query", path.iter().copied(), msg, "value_error")
    }

    /// A body that is no JSON, or not of the shape that is wanted.
    pub fn shape<'a>(path: impl IntoIterator<Item = &'a str>, msg: impl Into<String>) -> Self {
        Self::new("body", path, msg, "value_error.jsondecode")
    }

    /// The same with a word of its own for programs.
    pub fn of_kind<'a>(
        path: impl IntoIterator<Item = &'a str>,
        msg: impl Into<String>,
        kind: &'static str,
    ) -> Self {
        Self::new("body", path, msg, kind)
    }

    /// The same of what stands in a field.
    pub fn within(mut self, field: &str) -> Self {
        self.loc.insert(1, field.to_owned());
        self
    }

    fn new<'a>(
        part: &'a str,
        path: impl IntoIterator<Item = &'a str>,
        msg: impl Into<String>,
        kind: &'static str,
    ) -> Self {
        let loc = std::iter::once(part).chain(path).map(str::to_owned).collect();
        Self { loc, msg: msg.into(), kind }
    }
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Standard { status, code, detail: detail.into(), header: None }
    }

    /// 400, with a code of its own.
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 400: a parameter of the query is none of what it can be.
    pub fn query() -> Self {
        Self::bad_request("generic_error", "Failed to deserialize query string")
    }

    /// 401: nobody knows who calls.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authentication_failed", "Invalid token")
    }

    /// 401: what was sent is what tokens are made with.
    pub fn secret_for_a_token() -> Self {
        let detail = "This is the secret that tokens are signed with, and no token. Sign one with it, or use an API key.";
        Self::new(StatusCode::UNAUTHORIZED, "authentication_failed", detail)
    }

    /// 403: the caller is known and may not do this.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "insufficient access",
            "Insufficient access for the given operation.",
        )
    }

    /// 404: there is none, or it is not the caller's to know of.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Entity not found")
    }

    /// 405: the path takes other methods.
    pub fn method(allow: &'static str) -> Self {
        error::Error::new(Kind::MethodNotAllowed { allow }, format!("this path takes {allow}")).into()
    }

    /// 409: something else has this name.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 501: the operation exists in name only.
    pub fn not_implemented() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", "This API endpoint is not yet implemented.")
    }

    /// 422 for a single fault.
    pub fn invalid(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }

    fn answer(&self) -> HttpResponse {
        match self {
            Self::Standard { status, code, detail, header } => {
                let mut response = answer::json(*status, &Standard { code, detail });
                if let Some((name, value)) = header {
                    response.headers_mut().insert(name.clone(), value.clone());
                }
                response
            }
            Self::Invalid(detail) => answer::json(StatusCode::UNPROCESSABLE_ENTITY, &Invalid { detail }),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard { detail, .. } => f.write_str(detail),
            Self::Invalid(faults) => {
                let messages: Vec<&str> = faults.iter().map(|fault| fault.msg.as_str()).collect();
                f.write_str(&messages.join("; "))
            }
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Standard { status, .. } => *status,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.answer()
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        error::Error::from(error).into()
    }
}

/// What the two APIs refuse alike: bodies that do not arrive, callers that come too often, a store that takes nothing.
impl From<error::Error> for Refusal {
    fn from(error: error::Error) -> Self {
        match error.kind() {
            Kind::Unauthorized => Self::unauthenticated(),
            Kind::Forbidden => Self::forbidden(),
            Kind::NotFound => Self::not_found(),
            Kind::BodyTooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", error.to_string())
            }
            kind => Self::Standard {
                status: error.status_code(),
                code: error.code(),
                detail: error.to_string().into(),
                header: kind.header(),
            },
        }
    }
}
