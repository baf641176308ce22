//! Custom headers: what a subscription's requests carry beside the headers that are ours.
//!
//! Values may be credentials, so they are treated as secrets: nothing here but `reveal` shows one. A name may not be
//! one that a request has anyway, or that frames it or belongs to the connection; where a header of ours comes to have
//! the name of one that is stored, ours is sent.

use std::collections::BTreeMap;
use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The most headers of one subscription.
pub const HEADERS_LIMIT: usize = 20;
/// The most bytes that the names and values of one subscription's headers have together. Receivers commonly refuse a
/// head beyond 8 KiB, and ours are in it too.
pub const HEADER_BYTES_LIMIT: usize = 4096;

/// The custom headers of a subscription, by their names in lower case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomHeaders(BTreeMap<Box<str>, HeaderText>);

/// Why these cannot be a subscription's headers. Says no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeaders {
    #[error("headers has more than {HEADERS_LIMIT} entries")]
    TooMany,
    #[error("headers has more than {HEADER_BYTES_LIMIT} bytes, names and values together")]
    TooLarge,
    #[error("headers: {0:?} is no name of a header")]
    Name(String),
    #[error("headers: {0:?} is a header that the request has anyway, or that belongs to its connection")]
    Reserved(String),
    #[error("headers: {0:?} is given twice")]
    Twice(String),
    #[error(
        "headers: the value of {0:?} must be visible ASCII characters, with spaces and tabs only between them"
    )]
    Value(String),
}

/// The value of a header.
#[derive(Clone)]
struct HeaderText(Zeroizing<String>);

/// Headers that are ours, that frame a request, or that belong to a connection (RFC 9110, 7.6.1).
const RESERVED: [&str; 18] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "range",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// What the names of whole families of them begin with: those of Standard Webhooks, and those for proxies.
const RESERVED_FAMILIES: [&str; 2] = ["webhook-", "proxy-"];
/// How much of a wrong name is repeated to whoever sent it, in characters.
const NAME_SHOWN: usize = 64;

impl CustomHeaders {
    /// Headers of these names and values; `signature_header` is the configured one, which is ours too.
    ///
    /// # Errors
    /// The first reason why they cannot be.
    pub fn new(
        given: impl IntoIterator<Item = (String, String)>,
        signature_header: &str,
    ) -> Result<Self, NotHeaders> {
        let (mut headers, mut bytes) = (Self::default(), 0);
        for (name, value) in given {
            let value = HeaderText(Zeroizing::new(value));
            let shown = || name.chars().take(NAME_SHOWN).collect::<String>();
            if !is_name(&name) {
                return Err(NotHeaders::Name(shown()));
            }
            let lower = name.to_ascii_lowercase();
            if is_reserved(&lower) || lower.eq_ignore_ascii_case(signature_header) {
                return Err(NotHeaders::Reserved(shown()));
            }
            if !value.is_sendable() {
                return Err(NotHeaders::Value(shown()));
            }
            bytes += lower.len() + value.0.len();
            if bytes > HEADER_BYTES_LIMIT {
                return Err(NotHeaders::TooLarge);
            }
            if headers.0.insert(lower.into(), value).is_some() {
                return Err(NotHeaders::Twice(shown()));
            }
            if headers.0.len() > HEADERS_LIMIT {
                return Err(NotHeaders::TooMany);
            }
        }
        Ok(headers)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in lower case and in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// Names and values in clear, for the requests and the store alone.
    pub(crate) fn reveal(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.0.as_str()))
    }

    /// What [`Self::reveal`] gave to the store; nothing where it can be no headers.
    pub(crate) fn kept(stored: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        // Names that came to be reserved since are no damage: ours are sent in their place.
        let pairs = stored.into_iter().map(|(name, value)| (name.into(), HeaderText(Zeroizing::new(value))));
        let headers = Self(pairs.collect());
        let is_whole = headers.0.iter().all(|(name, value)| is_name(name) && value.is_sendable());
        is_whole.then_some(headers)
    }
}

impl HeaderText {
    /// Whether it is a field value without white space around it (RFC 9110, 5.5), and ASCII.
    fn is_sendable(&self) -> bool {
        let bytes = self.0.as_bytes();
        let (first, last) = (bytes.first(), bytes.last());
        let inside = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        bytes.iter().all(inside)
            && first
                .zip(last)
                .is_some_and(|(first, last)| first.is_ascii_graphic() && last.is_ascii_graphic())
    }
}

impl PartialEq for HeaderText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for HeaderText {}

/// Names alone.
impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Whether it is a token (RFC 9110, 5.6.2).
fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(inside)
}

fn is_reserved(lower: &str) -> bool {
    RESERVED.contains(&lower) || RESERVED_FAMILIES.iter().any(|family| lower.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "x-fetchply-signature";

    fn of(given: &[(&str, &str)]) -> Result<CustomHeaders, NotHeaders> {
        let owned = given.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        CustomHeaders::new(owned, SIGNATURE)
    }

    #[test]
    fn names_are_compared_without_their_case_and_values_are_kept() {
        let headers = of(&[("X-Tenant", "acme"), ("Authorization", "Bearer a\tb c")]).unwrap();
        assert_eq!(headers.names().collect::<Vec<_>>(), ["authorization", "x-tenant"]);
        let clear: Vec<_> = headers.reveal().collect();
        assert_eq!(clear, [("authorization", "Bearer a\tb c"), ("x-tenant", "acme")]);
        assert_eq!(of(&[("X-A", "1"), ("x-a", "2")]), Err(NotHeaders::Twice("x-a".into())));
    }

    #[test]
    fn what_is_ours_or_the_connections_is_refused_in_any_case() {
        for name in RESERVED.into_iter().chain([
            "webhook-id",
            "Webhook-Signature",
            "webhook-test",
            "webhook-anything",
            "X-Fetchply-Signature",
            "Proxy-Authorization",
            "Transfer-Encoding",
            "CONTENT-LENGTH",
        ]) {
            assert_eq!(of(&[(name, "a")]), Err(NotHeaders::Reserved(name.into())), "{name}");
        }
        assert!(of(&[("webhooks", "a"), ("accept", "b"), ("cookie", "c=d")]).is_ok());
    }

    #[test]
    fn what_is_no_name_or_no_value_is_refused() {
        for name in ["", " ", "a b", ":path", "a:", "ä", "a\r\nb", "a\0", "x(y)", "x\"y"] {
            assert!(matches!(of(&[(name, "a")]), Err(NotHeaders::Name(_))), "{name:?}");
        }
        for value in ["", " a", "a ", "\ta", "a\r\nb", "a\nb", "a\0b", "ä", "\u{7f}", "a\u{85}b"] {
            assert_eq!(of(&[("x", value)]), Err(NotHeaders::Value("x".into())), "{value:?}");
        }
    }

    #[test]
    fn there_are_limits() {
        let many = |count: usize| {
            let names = (0..count).map(|n| (format!("x-{n}"), "v".to_owned()));
            CustomHeaders::new(names, SIGNATURE)
        };
        assert!(many(HEADERS_LIMIT).is_ok());
        assert_eq!(many(HEADERS_LIMIT + 1), Err(NotHeaders::TooMany));
        assert!(of(&[("x", &"v".repeat(HEADER_BYTES_LIMIT - 1))]).is_ok());
        assert_eq!(of(&[("x", &"v".repeat(HEADER_BYTES_LIMIT))]), Err(NotHeaders::TooLarge));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_value() {
        let headers = of(&[("authorization", "marker-value")]).unwrap();
        assert_eq!(format!("{headers:?}"), r#"["authorization"]"#);
        let error = of(&[("authorization", "marker-value ")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("marker"));
    }
}
