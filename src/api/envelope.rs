//! The envelope of every exchange: a trailing slash is nothing, a request has an id, an error has its shape.
//!
//! Handlers take the bare request and payload, no extractor that could fail by itself, so every error that comes out
//! of them is an [`Error`].

use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::uri::{PathAndQuery, Uri};
use actix_web::middleware::Next;

use super::error::Error;
use super::stalling::Watch;
use super::tally::Tally;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ID_LENGTH: usize = 16;

/// 64 random bits in hex: names one request in answers and logs.
struct RequestId([u8; ID_LENGTH]);

/// Wraps the handling of a request.
pub async fn wrap(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Instant::now();
    // Of the path, what the application that we may be mounted in has left to us.
    let path = request.match_info().unprocessed();
    if path.len() > 1
        && let Some(uri) = without_trailing_slash(request.uri())
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    if let Some(watch) = request.conn_data::<Watch>() {
        watch.begin();
    }
    let id = RequestId::random();
    let mut response = next.call(request).await?;
    if let Some(error) = response.response().error().and_then(|error| error.as_error::<Error>()) {
        // Not its message, which may repeat what the caller sent: many a URL is a secret by itself.
        tracing::debug!(
            request_id = id.as_str(),
            status = response.status().as_u16(),
            code = error.code(),
            "refused"
        );
        let answer = error.answer(Some(id.as_str()));
        response = response.into_response(answer);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // What is made while it is sent ends when it is made; nobody knows how long that takes.
    if let Some(watch) = response.request().conn_data::<Watch>()
        && response.response().body().size() != BodySize::Stream
    {
        watch.end();
    }
    if let Some(tally) = response.request().app_data::<Tally>() {
        tally.count(response.request(), response.status(), began);
    }
    Ok(response)
}

/// The same address without the slashes at the end of its path, if there are any.
fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || path == "/" {
        return None;
    }
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    let target = match uri.query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

impl RequestId {
    fn random() -> Self {
        let mut text = [0; ID_LENGTH];
        hex::encode_to_slice(rand::random::<[u8; ID_LENGTH / 2]>(), &mut text)
            .expect("two digits for each byte");
        Self(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(uri: &str) -> Option<String> {
        without_trailing_slash(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn a_trailing_slash_is_dropped_and_the_query_stays() {
        assert_eq!(trimmed("/api/v1/hooks/?url=a%2F"), Some("/api/v1/hooks?url=a%2F".into()));
        assert_eq!(trimmed("/api/v1/hooks//"), Some("/api/v1/hooks".into()));
        assert_eq!(trimmed("//"), Some("/".into()));
        assert_eq!(trimmed("/"), None);
        assert_eq!(trimmed("/api/v1/hooks?url=/"), None);
    }

    #[test]
    fn request_ids_are_sixteen_hex_digits_and_differ() {
        let (first, second) = (RequestId::random(), RequestId::random());
        assert!(first.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()) && first.as_str().len() == 16);
        assert_ne!(first.as_str(), second.as_str());
    }
}
