//! Repeating: a request that is sent again under the same `Idempotency-Key` is answered as before, whatever is in it.

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use crate::repeats::{Answered, RepeatKey};

use super::refusal::Refusal;
use super::visit::Visit;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Answers a request, or as it was answered before; a refusal is not remembered. Its body has been read before: over a
/// connection on which one is left, nothing more is heard.
pub async fn once(
    visit: &Visit<'_>,
    request: &HttpRequest,
    answer: impl Future<Output = Result<HttpResponse, Refusal>>,
) -> Result<HttpResponse, Refusal> {
    let Some(key) = key(request) else { return answer.await };
    let key = RepeatKey::of(&key, visit.sender(), &request.uri().to_string());
    let answered = visit.hookyard().repeats().once(key, async {
        let response = answer.await?;
        let status = response.status().as_u16();
        // Each answer here is one that is made in memory.
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        Ok(Answered { status, body })
    });
    let Answered { status, body } =
        answered.await.map_err(|refusal: std::sync::Arc<Refusal>| (*refusal).clone())?;
    let mut response =
        HttpResponse::with_body(StatusCode::from_u16(status).unwrap_or_default(), body).map_into_boxed_body();
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(response)
}

/// What the sender calls the request, if anything.
pub fn key(request: &HttpRequest) -> Option<String> {
    let key = request.headers().get(&IDEMPOTENCY_KEY)?.as_bytes();
    Some(String::from_utf8_lossy(key).into_owned()).filter(|key| !key.is_empty())
}
