//! Signatures: what proves to a receiver that a request comes from here and is whole.
//!
//! Each request has two. `webhook-signature` follows Standard Webhooks and covers id, time and body; the other covers
//! the body alone. Senders use a [`Signer`]; receivers written in Rust call [`verify`]. Remembering ids, so that
//! nothing is processed twice, is left to the receiver.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::clock::Timestamp;
use crate::subscription::{PreviousSecret, SECRET_PREFIX, Secret, VERIFYING_PREFIX};

/// The header with the event's id: the same on every attempt, so that receivers can drop duplicates.
pub const ID: &str = "webhook-id";
/// The header with the unix seconds of the attempt.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with one signature or, while a secret is rotated, two.
pub const SIGNATURE: &str = "webhook-signature";

/// How far a request's time may be from the receiver's clock, as Standard Webhooks recommends.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Signs requests with one secret, and while it is rotated with those before it too.
///
/// The keys are worked in when it is made; each signature starts from a copy of that state.
#[derive(Clone)]
pub struct Signer {
    standard: Key,
    /// The keys before, newest first, and until when each signs too.
    previous: Vec<(Key, Timestamp)>,
    /// None for a pair of keys, of which the receiver has the public half alone.
    plain: Option<Hmac<Sha256>>,
}

/// What one signature is made with.
#[derive(Clone)]
enum Key {
    /// HMAC-SHA256, with a key that the receiver has too.
    Shared(Hmac<Sha256>),
    /// ed25519.
    Pair(Arc<Ed25519KeyPair>),
}

/// The headers of a received request that [`verify`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
}

/// Why a received request is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the request has no usable header {0}")]
    MissingHeader(&'static str),
    #[error("{TIMESTAMP} is not a number of seconds")]
    BadTimestamp,
    #[error("the request was signed too long ago")]
    TooOld,
    #[error("the request claims to be signed in the future")]
    TooNew,
    /// What follows `whsec_` is no base64.
    #[error("the secret cannot be decoded")]
    BadSecret,
    #[error("no signature matches")]
    NoMatch,
}

/// What the value of the other signature begins with.
const PLAIN_PREFIX: &str = "sha256=";
/// What a signature begins with that is made with a shared key.
const VERSION: &str = "v1,";
/// What one begins with that is made with the private half of a pair.
const PAIR_VERSION: &str = "v1a,";

impl Signer {
    /// Signs with `secret` alone.
    pub fn new(secret: &Secret) -> Self {
        let text = secret.reveal();
        let (standard, plain) = match secret.key_pair() {
            Some(pair) => (Key::Pair(Arc::new(pair)), None),
            None => {
                let key = standard_key(text).expect("a secret was decoded when it was parsed");
                (Key::Shared(key), Some(keyed(text.as_bytes())))
            }
        };
        Self { standard, previous: Vec::new(), plain }
    }

    /// Signs with `secret` and, where the header has room for several signatures, also with the `previous` ones until
    /// their overlaps end.
    pub fn rotating(secret: &Secret, previous: &[PreviousSecret]) -> Self {
        let keyed = |one: &PreviousSecret| (Self::new(&one.secret).standard, one.until);
        Self { previous: previous.iter().map(keyed).collect(), ..Self::new(secret) }
    }

    /// The value of `webhook-signature` for a request with this id and time: `v1,` and base64, one for each secret that
    /// counts, with spaces between.
    pub fn standard(&self, id: &str, now: Timestamp, body: &[u8]) -> String {
        let timestamp = now.unix_seconds().to_string();
        let mut text = String::with_capacity(2 * 48);
        self.standard.sign(id, &timestamp, body, &mut text);
        for (previous, _) in self.previous.iter().filter(|(_, until)| now < *until) {
            text.push(' ');
            previous.sign(id, &timestamp, body, &mut text);
        }
        text
    }

    /// The value of the other signature header: `sha256=` and hex, over the body, keyed with the secret as shown; none
    /// where the receiver has no secret.
    pub fn hex(&self, body: &[u8]) -> Option<String> {
        self.plain.as_ref().map(|key| plain_value(key, body))
    }
}

impl Key {
    /// Adds a signature with its version to a text.
    fn sign(&self, id: &str, timestamp: &str, body: &[u8], text: &mut String) {
        match self {
            Self::Shared(key) => {
                text.push_str(VERSION);
                BASE64.encode_string(standard_tag(key, id, timestamp, body), text);
            }
            Self::Pair(pair) => {
                text.push_str(PAIR_VERSION);
                BASE64.encode_string(pair.sign(&signed_text(id, timestamp, body)), text);
            }
        }
    }
}

impl<'a> Headers<'a> {
    /// Picks the three headers with a function that finds a header by its name in lower case.
    ///
    /// # Errors
    /// [`VerifyError::MissingHeader`] for the first that is not there.
    pub fn find(get: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, VerifyError> {
        let need = |name| get(name).ok_or(VerifyError::MissingHeader(name));
        Ok(Self { id: need(ID)?, timestamp: need(TIMESTAMP)?, signature: need(SIGNATURE)? })
    }
}

/// Verifies that whoever holds `secret`, or the private half of that `whpk_…`, sent this `body` under these headers, within `tolerance` of `now`.
///
/// `body` must be the bytes as they were received, before any parsing. Several signatures may be given, separated by
/// spaces; one that matches is enough, and those of unknown versions are passed over. They are compared in constant
/// time.
///
/// ```
/// use hookyard::clock::Timestamp;
/// use hookyard::signature::{self, Headers, VerifyError};
///
/// let received = [
///     ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
///     ("webhook-timestamp", "1614265330"),
///     ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
/// ];
/// let headers = Headers::find(|name| Some(received.iter().find(|header| header.0 == name)?.1))?;
/// let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// let now = Timestamp(1_614_265_335_000); // a receiver says Timestamp::now()
/// signature::verify(secret, &headers, br#"{"test": 2432232314}"#, signature::TOLERANCE, now)?;
/// # Ok::<(), VerifyError>(())
/// ```
///
/// # Errors
/// The first reason not to trust the request; the time is looked at before the signatures.
pub fn verify(
    secret: &str,
    headers: &Headers<'_>,
    body: &[u8],
    tolerance: Duration,
    now: Timestamp,
) -> Result<(), VerifyError> {
    let key = match secret.strip_prefix(VERIFYING_PREFIX) {
        Some(public) => Err(BASE64.decode(public).map_err(|_| VerifyError::BadSecret)?),
        None => Ok(standard_key(secret)?),
    };
    let signed_at = seconds(headers.timestamp).ok_or(VerifyError::BadTimestamp)?;
    let (now, tolerance) = (now.unix_seconds(), tolerance.as_secs());
    if now.saturating_sub(signed_at) > tolerance {
        return Err(VerifyError::TooOld);
    }
    if signed_at.saturating_sub(now) > tolerance {
        return Err(VerifyError::TooNew);
    }
    let key = match key {
        Ok(key) => key,
        Err(public) => return verify_pair(&public, headers, body),
    };
    let expected = BASE64.encode(standard_tag(&key, headers.id, headers.timestamp, body));
    let candidates = headers.signature.split(' ').filter_map(|signature| signature.strip_prefix(VERSION));
    let matched = candidates
        .map(|candidate| candidate.as_bytes().ct_eq(expected.as_bytes()))
        .fold(Choice::from(0), |found, equal| found | equal);
    if bool::from(matched) { Ok(()) } else { Err(VerifyError::NoMatch) }
}

/// Verifies a signature that was made with the private half of this key.
fn verify_pair(key: &[u8], headers: &Headers<'_>, body: &[u8]) -> Result<(), VerifyError> {
    let key = UnparsedPublicKey::new(&ED25519, key);
    let text = signed_text(headers.id, headers.timestamp, body);
    let mut candidates =
        headers.signature.split(' ').filter_map(|signature| signature.strip_prefix(PAIR_VERSION));
    let matches = |candidate: &str| BASE64.decode(candidate).is_ok_and(|tag| key.verify(&text, &tag).is_ok());
    if candidates.any(matches) { Ok(()) } else { Err(VerifyError::NoMatch) }
}

/// Verifies the other signature, `sha256=` and hex: that whoever holds `secret` sent this `body`, at whatever time.
///
/// It does not tell a new request from one that is sent again by someone who saw it; [`verify`] does.
///
/// # Errors
/// [`VerifyError::NoMatch`] when it is another's, or of another body. They are compared in constant time.
pub fn verify_body(secret: &str, value: &str, body: &[u8]) -> Result<(), VerifyError> {
    let expected = plain_value(&keyed(secret.as_bytes()), body);
    let equal = value.as_bytes().ct_eq(expected.as_bytes());
    if bool::from(equal) { Ok(()) } else { Err(VerifyError::NoMatch) }
}

/// Digits and nothing else: a number has one spelling here, or leading zeros.
fn seconds(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The key that a secret stands for: the bytes behind `whsec_`, or else the string's own.
fn standard_key(secret: &str) -> Result<Hmac<Sha256>, VerifyError> {
    match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => BASE64.decode(encoded).map(|key| keyed(&key)).map_err(|_| VerifyError::BadSecret),
        None => Ok(keyed(secret.as_bytes())),
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// What a signature covers.
fn signed_text(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

fn standard_tag(key: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> impl AsRef<[u8]> {
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    parts.into_iter().fold(key.clone(), |mac, part| mac.chain_update(part)).finalize().into_bytes()
}

fn plain_value(key: &Hmac<Sha256>, body: &[u8]) -> String {
    let mut hex = [0; 64];
    let tag = key.clone().chain_update(body).finalize().into_bytes();
    hex::encode_to_slice(tag, &mut hex).expect("a SHA-256 tag has 32 bytes");
    let hex = std::str::from_utf8(&hex).expect("hex is ASCII");
    [PLAIN_PREFIX, hex].concat()
}

#[cfg(test)]
mod tests {
    use standardwebhooks::Webhook;

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID_SENT: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const NOW: Timestamp = Timestamp(1_649_367_553_000);

    fn signer(secret: &str) -> Signer {
        Signer::new(&secret.parse().unwrap())
    }

    fn verified(secret: &str, signature: &str, body: &[u8], now: Timestamp) -> Result<(), VerifyError> {
        let headers = Headers { id: ID_SENT, timestamp: "1649367553", signature };
        verify(secret, &headers, body, TOLERANCE, now)
    }

    #[test]
    fn the_standard_signature_is_the_one_of_the_reference_implementation() {
        let signature = signer(SECRET).standard(ID_SENT, NOW, BODY);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        assert_eq!(signature, Webhook::new(SECRET).unwrap().sign(ID_SENT, 1_649_367_553, BODY).unwrap());
        assert_eq!(verified(SECRET, &signature, BODY, NOW), Ok(()));
    }

    #[test]
    fn a_secret_without_the_prefix_is_keyed_with_its_own_bytes() {
        let secret = "sixteen-visible!";
        let reference = Webhook::from_bytes(secret.as_bytes().to_vec()).unwrap();
        let signature = signer(secret).standard(ID_SENT, NOW, BODY);
        assert_eq!(signature, reference.sign(ID_SENT, 1_649_367_553, BODY).unwrap());
        assert_eq!(verified(secret, &signature, BODY, NOW), Ok(()));
    }

    /// The expected value comes from `openssl dgst -sha256 -hmac`.
    #[test]
    fn the_hex_signature_is_keyed_with_the_secret_as_shown() {
        let expected = "sha256=e0fc16c6d4a28f39a6e0935569f05d86e87367db24a4b6d9271215c603e49f6a";
        assert_eq!(signer(SECRET).hex(BODY).as_deref(), Some(expected));
        assert_eq!(verify_body(SECRET, expected, BODY), Ok(()));
        assert_eq!(verify_body(OTHER, expected, BODY), Err(VerifyError::NoMatch));
        assert_eq!(verify_body(SECRET, expected, &BODY[1..]), Err(VerifyError::NoMatch));
        assert_eq!(verify_body(SECRET, &expected[..70], BODY), Err(VerifyError::NoMatch));
    }

    #[test]
    fn a_rotation_signs_with_both_secrets_in_one_value() {
        let until = Timestamp(NOW.0 + 1);
        let previous = PreviousSecret { secret: SECRET.parse().unwrap(), until };
        let rotating = Signer::rotating(&OTHER.parse().unwrap(), &[previous]);
        let both = rotating.standard(ID_SENT, NOW, BODY);
        assert_eq!(both.split(' ').count(), 2);
        assert_eq!(verified(SECRET, &both, BODY, NOW), Ok(()));
        assert_eq!(verified(OTHER, &both, BODY, NOW), Ok(()));
        assert_eq!(rotating.hex(BODY), signer(OTHER).hex(BODY));
        assert_eq!(rotating.standard(ID_SENT, until, BODY).split(' ').count(), 1);
    }

    #[test]
    fn a_pair_of_keys_signs_with_the_one_and_is_verified_with_the_other() {
        let secret: Secret = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=".parse().unwrap();
        let (signer, public) = (Signer::new(&secret), secret.shown().into_owned());
        let signature = signer.standard(ID_SENT, NOW, BODY);
        assert!(signature.starts_with("v1a,") && signer.hex(BODY).is_none(), "{signature}");
        assert_eq!(verified(&public, &signature, BODY, NOW), Ok(()));
        assert_eq!(verified(&public, &signature, &BODY[1..], NOW), Err(VerifyError::NoMatch));
        assert_eq!(
            verified(&public, &format!("v1,{}", &signature[4..]), BODY, NOW),
            Err(VerifyError::NoMatch)
        );
        let other = "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
        assert_eq!(verified(other, &signature, BODY, NOW), Err(VerifyError::NoMatch));
        let previous = PreviousSecret { secret, until: Timestamp(NOW.0 + 1) };
        let rotating = Signer::rotating(&OTHER.parse().unwrap(), &[previous]).standard(ID_SENT, NOW, BODY);
        assert_eq!(verified(&public, &rotating, BODY, NOW), Ok(()));
        assert_eq!(verified(OTHER, &rotating, BODY, NOW), Ok(()));
    }

    #[test]
    fn one_match_among_strangers_is_enough() {
        let signature = signer(SECRET).standard(ID_SENT, NOW, BODY);
        let many = format!("v1a,{} v1,AAAA v2,{} {signature}", &signature[3..], &signature[3..]);
        assert_eq!(verified(SECRET, &many, BODY, NOW), Ok(()));
        let unknown = format!("v2,{}", &signature[3..]);
        assert_eq!(verified(SECRET, &unknown, BODY, NOW), Err(VerifyError::NoMatch));
    }

    #[test]
    fn whatever_is_tampered_with_does_not_match() {
        let signature = signer(SECRET).standard(ID_SENT, NOW, BODY);
        for bad in ["", "v1,", &signature[..20], &signature[3..]] {
            assert_eq!(verified(SECRET, bad, BODY, NOW), Err(VerifyError::NoMatch), "{bad}");
        }
        assert_eq!(verified(SECRET, &signature, &BODY[1..], NOW), Err(VerifyError::NoMatch));
        assert_eq!(verified(OTHER, &signature, BODY, NOW), Err(VerifyError::NoMatch));
        let headers = Headers { id: "msg_other", timestamp: "1649367553", signature: &signature };
        assert_eq!(verify(SECRET, &headers, BODY, TOLERANCE, NOW), Err(VerifyError::NoMatch));
    }

    #[test]
    fn a_request_out_of_its_time_is_refused_either_way() {
        let signature = signer(SECRET).standard(ID_SENT, NOW, BODY);
        let at = |seconds: i64| Timestamp(NOW.0.saturating_add_signed(seconds * 1000));
        assert_eq!(verified(SECRET, &signature, BODY, at(300)), Ok(()));
        assert_eq!(verified(SECRET, &signature, BODY, at(-300)), Ok(()));
        assert_eq!(verified(SECRET, &signature, BODY, at(301)), Err(VerifyError::TooOld));
        assert_eq!(verified(SECRET, &signature, BODY, at(-301)), Err(VerifyError::TooNew));
    }

    #[test]
    fn unusable_headers_and_secrets_say_so() {
        let headers = Headers { id: ID_SENT, timestamp: "yesterday", signature: "v1,AAAA" };
        assert_eq!(verify(SECRET, &headers, BODY, TOLERANCE, NOW), Err(VerifyError::BadTimestamp));
        assert_eq!(verify("whsec_!", &headers, BODY, TOLERANCE, NOW), Err(VerifyError::BadSecret));
        let signed = Headers { timestamp: "+1649367553", ..headers };
        assert_eq!(verify(SECRET, &signed, BODY, TOLERANCE, NOW), Err(VerifyError::BadTimestamp));
        let only_id = |name| (name == ID).then_some(ID_SENT);
        assert_eq!(Headers::find(only_id), Err(VerifyError::MissingHeader(TIMESTAMP)));
    }
}
