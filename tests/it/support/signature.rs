//! Checks of the signatures that a receiver makes, written apart from the code that signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use standardwebhooks::Webhook;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::receiver::Received;

/// The header whose name is configurable, by default.
pub const HEX_HEADER: &str = "x-fetchply-signature";

impl Received {
    /// Whether the Standard Webhooks library takes it as signed with `secret`.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        verifier(secret).verify(&self.body, &self.header_map()).is_ok()
    }

    /// Asserts that both signatures are made with `secret`.
    #[track_caller]
    pub fn assert_signed_with(&self, secret: &str) {
        let verified = verifier(secret).verify(&self.body, &self.header_map());
        assert!(verified.is_ok(), "{verified:?}: {:?}", self.headers);
        assert_eq!(self.header(HEX_HEADER), hex_signature(secret, &self.body));
    }

    fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().expect("a header name");
            map.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        map
    }
}

/// `sha256=` and the hex digits of HMAC-SHA256 over the body, keyed with the secret as it is shown.
pub fn hex_signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    let tag = mac.chain_update(body).finalize().into_bytes();
    tag.iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// `v1,` and base64 of HMAC-SHA256 over id, time and body, keyed with the bytes of a secret that encodes none.
pub fn standard_signature(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> String {
    assert!(!secret.starts_with("whsec_"), "the key of such a secret is what it encodes");
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    let tag = mac.chain_update(format!("{id}.{timestamp}.")).chain_update(body).finalize().into_bytes();
    format!("v1,{}", BASE64.encode(tag))
}

fn verifier(secret: &str) -> Webhook {
    let verifier = match secret.strip_prefix("whsec_") {
        Some(_) => Webhook::new(secret),
        None => Webhook::from_bytes(secret.as_bytes().to_vec()),
    };
    verifier.expect("a secret that a receiver can use")
}
