//! Answers: what a receiver's response, or the lack of one, amounts to.

use std::time::{Duration, UNIX_EPOCH};

use actix_http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, RETRY_AFTER, TRANSFER_ENCODING, UPGRADE,
};
use actix_http::{ResponseHead, StatusCode, Version};

use crate::attempt::{ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::delivery::connection::Rest;

/// What a response's status line and headers amount to.
///
/// A status below 200 is none that a delivery can end with: nothing that was sent asks for an interim response.
pub fn outcome(head: &ResponseHead, now: Timestamp) -> Outcome {
    let status = head.status;
    if status.is_informational() {
        return Outcome::Failed(ErrorKind::Protocol);
    }
    let asks = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = if asks { retry_after(head.headers(), now) } else { None };
    Outcome::Answered { status: status.as_u16(), retry_after }
}

/// What there is to read after the head.
pub fn rest(head: &ResponseHead) -> Rest {
    let is_wanted = !head.status.is_informational() && !is_bodiless(head.status);
    Rest { is_wanted, ends_cleanly: ends_cleanly(head) }
}

/// Whether it is known where this response ends, so that the next request on its connection gets its own answer and not
/// the rest of this one.
///
/// It is not where the response has no length (RFC 9112, 6.3: it ends with the connection) or two (someone may go by the
/// other), was not the final one, or came from an HTTP/1.0 server that is about to hang up.
fn ends_cleanly(head: &ResponseHead) -> bool {
    let (status, headers) = (head.status, head.headers());
    if status.is_informational() {
        return false;
    }
    if head.version < Version::HTTP_11 && !mentions(headers, &CONNECTION, "keep-alive") {
        return false;
    }
    let chunked = mentions(headers, &TRANSFER_ENCODING, "chunked");
    let has_one_length = headers.contains_key(CONTENT_LENGTH) != chunked;
    is_bodiless(status) || has_one_length && !headers.contains_key(UPGRADE)
}

/// Statuses whose responses have no body, whatever their headers say (RFC 9110, 15.3.5 and 15.4.5).
fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn mentions(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let words =
        headers.get_all(name).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    words.into_iter().any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large to count is a long time, and nobody waits longer than the policy allows.
        let seconds = text.parse::<u32>().unwrap_or(u32::MAX);
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    Some(now.until(Timestamp::default().after(since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_768_473_000_000);

    fn asked(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, actix_http::header::HeaderValue::from_static(value));
        retry_after(&headers, NOW)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked(" 0 "), Some(Duration::ZERO));
        assert_eq!(asked("99999999999999999999"), Some(Duration::from_secs(u32::MAX.into())));
        assert_eq!(asked("Thu, 15 Jan 2026 10:31:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(asked("Thu, 15 Jan 2026 10:00:00 GMT"), Some(Duration::ZERO), "it is past");
        for nonsense in ["", "-1", "1.5", "soon", "+5", "Thu, 99 Jan 2026 10:31:30 GMT"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }
}
