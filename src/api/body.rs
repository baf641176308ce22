//! Bodies: reading one within its limits of size and time, once it is known that its sender may send it.

use std::time::Duration;

use actix_web::body::{BodySize, BodyStream, MessageBody, SizedStream, to_bytes_limited};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::Payload;
use bytes::Bytes;
use tokio::time::timeout;

use super::call::Call;
use super::error::{Error, Kind};

/// How long a body may take to arrive. The largest one needs 5 Mbit/s for that; who is slower sends smaller batches.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Call<'_> {
    /// Reads a body that has to be there and to be called JSON.
    ///
    /// # Errors
    /// 415 when it is not called JSON, 413 when it is too large, 408 when it does not arrive, 400 when it breaks off.
    pub async fn body(&self, payload: Payload) -> Result<Bytes, Error> {
        json_type(self.headers())?;
        self.read(payload).await
    }

    /// Reads a body that may be left out, and then needs no type.
    ///
    /// # Errors
    /// As [`Call::body`], but a body without a type is taken for JSON.
    pub async fn optional_body(&self, payload: Payload) -> Result<Option<Bytes>, Error> {
        let body = self.read(payload).await?;
        if body.is_empty() {
            return Ok(None);
        }
        if self.headers().contains_key(CONTENT_TYPE) {
            json_type(self.headers())?;
        }
        Ok(Some(body))
    }

    /// Reads a body, whatever it is called.
    ///
    /// # Errors
    /// As [`Call::body`], but for its type.
    pub async fn any_body(&self, payload: Payload) -> Result<Bytes, Error> {
        self.read(payload).await
    }

    async fn read(&self, payload: Payload) -> Result<Bytes, Error> {
        plain_encoding(self.headers())?;
        let limit = self.hookyard.config().limits.request_bytes;
        // A body of known length gets a buffer of that length, and one that is too long is refused unread.
        match length(self.headers()) {
            Some(length) => collect(SizedStream::new(length, payload), limit).await,
            None => collect(BodyStream::new(payload), limit).await,
        }
    }
}

async fn collect(body: impl MessageBody, limit: usize) -> Result<Bytes, Error> {
    if matches!(body.size(), BodySize::Sized(length) if length > limit as u64) {
        return Err(too_large(limit));
    }
    match timeout(TIME_LIMIT, to_bytes_limited(body, limit)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => {
            Err(Error::new(Kind::BadRequest, "the body broke off or is not framed as HTTP wants it"))
        }
        Ok(Err(_)) => Err(too_large(limit)),
        Err(_) => {
            let seconds = TIME_LIMIT.as_secs();
            Err(Error::new(Kind::RequestTimeout, format!("the body did not arrive within {seconds} s")))
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(Kind::BodyTooLarge, format!("a request has at most {limit} bytes"))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Parameters such as `charset=utf-8` are ignored: JSON is UTF-8, and what is not is refused when it is parsed.
fn json_type(headers: &HeaderMap) -> Result<(), Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::new(Kind::UnsupportedMediaType, "the body must be sent with content-type: application/json"))
}

fn plain_encoding(headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Error::new(Kind::UnsupportedMediaType, "the body must be sent without a content-encoding"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn accepts(content_type: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        json_type(&headers).is_ok()
    }

    #[test]
    fn json_comes_with_or_without_a_charset() {
        assert!(accepts("application/json"));
        assert!(accepts("Application/JSON ; charset=UTF-8"));
        assert!(!accepts("application/jsonl"));
        assert!(!accepts("text/plain"));
        assert!(!accepts(""));
        assert_eq!(json_type(&HeaderMap::new()).unwrap_err().kind(), Kind::UnsupportedMediaType);
    }

    #[actix_web::test]
    async fn a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes() {
        let bytes = |length: usize| Bytes::from(vec![b' '; length]);
        assert_eq!(collect(bytes(4), 4).await.unwrap().len(), 4);
        assert_eq!(collect(bytes(5), 4).await.unwrap_err().kind(), Kind::BodyTooLarge);
    }
}
