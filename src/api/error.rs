//! Errors: what refusals look like on the wire, and which refusal each error of the face becomes.
//!
//! One shape for all, `{"error":{"code":…,"message":…,"request_id":…}}`. Codes are stable; messages are for people and
//! name the field that is meant.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::hookyard::{
    EmitError, EndpointError, HeadersError, LookupError, ReplayError, RotateError, SubscribeError,
    Unavailable,
};
use crate::throttle::Excess;

use super::answer;

/// A request that is refused, and why.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: Cow<'static, str>,
}

/// What a caller can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MalformedJson,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed {
        allow: &'static str,
    },
    RequestTimeout,
    IdempotencyConflict,
    HookDeactivated,
    BackupRunning,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidUrl,
    BlockedUrl,
    UnknownEvent,
    InvalidField,
    RateLimited {
        retry_after_seconds: u32,
    },
    /// The same for those whose key is unknown, who are hung up on.
    Guessing {
        retry_after_seconds: u32,
    },
    Unavailable {
        retry_after_seconds: u16,
    },
}

/// An error as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct Shape<'a> {
    #[schema(inline)]
    error: Inside<'a>,
}

#[derive(Serialize, ToSchema)]
struct Inside<'a> {
    /// What is wrong, for programs: it stays the same.
    code: &'a str,
    /// What is wrong, for people.
    message: &'a str,
    /// The id of this exchange, as in `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson | Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::IdempotencyConflict | Self::HookDeactivated | Self::BackupRunning => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidUrl | Self::BlockedUrl | Self::UnknownEvent | Self::InvalidField => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::RateLimited { .. } | Self::Guessing { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::HookDeactivated => "hook_deactivated",
            Self::BackupRunning => "backup_running",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::InvalidUrl => "invalid_url",
            Self::BlockedUrl => "blocked_url",
            Self::UnknownEvent => "unknown_event",
            Self::InvalidField => "invalid_field",
            Self::RateLimited { .. } | Self::Guessing { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// The header that this kind of answer owes its caller.
    pub fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::MethodNotAllowed { allow } => Some((ALLOW, HeaderValue::from_static(allow))),
            Self::RateLimited { retry_after_seconds } | Self::Guessing { retry_after_seconds } => {
                Some((RETRY_AFTER, retry_after_seconds.into()))
            }
            Self::Unavailable { retry_after_seconds } => Some((RETRY_AFTER, retry_after_seconds.into())),
            _ => None,
        }
    }
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A field that is missing or is not what it has to be; the message names it.
    pub fn field(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidField, message)
    }

    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// Turns a failed look-up of a `what` into a refusal.
    pub fn lookup(what: &'static str) -> impl FnOnce(LookupError) -> Self {
        move |error| match error {
            LookupError::NotFound => Self::not_found(format!("there is no such {what}")),
            LookupError::Cursor => Self::field(error.to_string()),
            LookupError::Unavailable(why) => why.into(),
        }
    }

    /// Turns what comes too fast into a refusal.
    pub fn too_fast(what: &'static str) -> impl FnOnce(Excess) -> Self {
        move |excess| match excess {
            Excess::Now { seconds } => {
                let message = format!("{what} has had too many in a short time; come back in {seconds} s");
                Self::new(Kind::RateLimited { retry_after_seconds: seconds }, message)
            }
            Excess::Ever => Self::field(format!("that is more than {what} may ever have at once")),
        }
    }

    /// The same refusal, said of the entry of an array.
    pub fn of_entry(self, index: usize) -> Self {
        Self { message: format!("[{index}]: {}", self.message).into(), ..self }
    }

    /// What is wrong, in the word for programs.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The answer on the wire.
    pub fn answer(&self, request_id: Option<&str>) -> HttpResponse {
        let inside = Inside { code: self.kind.code(), message: &self.message, request_id };
        let mut response = answer::json(self.kind.status(), &Shape { error: inside });
        if let Some((name, value)) = self.kind.header() {
            response.headers_mut().insert(name, value);
        }
        if let Kind::Guessing { .. } = self.kind {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }

    /// What a caller can do something about.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.answer(None)
    }
}

impl From<Unavailable> for Error {
    fn from(error: Unavailable) -> Self {
        let retry_after_seconds = match error {
            Unavailable::Full => 1,
            // It has to be opened again, or another process has to come up.
            Unavailable::Store | Unavailable::ShuttingDown => 5,
            // A person has to make room.
            Unavailable::Disk => 30,
        };
        Self::new(Kind::Unavailable { retry_after_seconds }, error.to_string())
    }
}

impl From<EmitError> for Error {
    fn from(error: EmitError) -> Self {
        let kind = match error {
            EmitError::UnknownEvent { .. } | EmitError::OwnEvent => Kind::UnknownEvent,
            EmitError::EventType(_)
            | EmitError::Timestamp
            | EmitError::IdempotencyKey { .. }
            | EmitError::Schema { .. }
            | EmitError::BatchTooLarge { .. } => Kind::InvalidField,
            EmitError::DataTooLarge { .. } => Kind::BodyTooLarge,
            EmitError::Conflict => Kind::IdempotencyConflict,
            EmitError::UnknownAccount(_) => Kind::NotFound,
            EmitError::Unavailable(why) => return why.into(),
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ReplayError> for Error {
    fn from(error: ReplayError) -> Self {
        let kind = match error {
            ReplayError::NotFound(_) => Kind::NotFound,
            ReplayError::Deactivated => Kind::HookDeactivated,
            ReplayError::NotWanted => Kind::InvalidField,
            ReplayError::Unavailable(why) => return why.into(),
        };
        Self::new(kind, error.to_string())
    }
}

impl From<RotateError> for Error {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::Secret(_) | RotateError::Overlap => Self::field(error.to_string()),
            RotateError::NotFound => Self::not_found("there is no such hook"),
            RotateError::Unavailable(why) => why.into(),
        }
    }
}

impl From<HeadersError> for Error {
    fn from(error: HeadersError) -> Self {
        match error {
            HeadersError::Headers(_) => Self::field(error.to_string()),
            HeadersError::NotFound => Self::not_found("there is no such hook"),
            HeadersError::Unavailable(why) => why.into(),
        }
    }
}

impl From<EndpointError> for Error {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::NotFound => Self::not_found("there is no such hook"),
            EndpointError::Unavailable(why) => why.into(),
            error => Self::field(error.to_string()),
        }
    }
}

impl From<SubscribeError> for Error {
    fn from(error: SubscribeError) -> Self {
        let kind = match error {
            SubscribeError::Url(_) => Kind::InvalidUrl,
            SubscribeError::Blocked(_) => Kind::BlockedUrl,
            SubscribeError::Secret(_)
            | SubscribeError::Headers(_)
            | SubscribeError::Delivery(_)
            | SubscribeError::ClientCertificate(_)
            | SubscribeError::EventType(_) => Kind::InvalidField,
            SubscribeError::UnknownEvent { .. } | SubscribeError::OwnEvent => Kind::UnknownEvent,
            SubscribeError::UnknownAccount(_) => Kind::NotFound,
            SubscribeError::Unavailable(why) => return why.into(),
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_says_when_to_come_back() {
        let response = Error::from(EmitError::Unavailable(Unavailable::Full)).answer(Some("1f"));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
    }

    #[test]
    fn an_unknown_key_is_told_the_scheme() {
        let response = Error::new(Kind::Unauthorized, "who?").answer(None);
        assert_eq!(response.headers().get("www-authenticate").unwrap(), "Bearer");
    }

    #[test]
    fn data_over_the_limit_is_a_body_over_the_limit() {
        let error = Error::from(EmitError::DataTooLarge { size: 2, limit: 1 });
        assert_eq!(error.kind(), Kind::BodyTooLarge);
    }
}
