//! Verification: what a receiver with some secrets makes of a request's signatures.
//!
//! Both kinds are looked at, the one of Standard Webhooks and the plain one of the body, whatever the latter's header
//! is called. Which are there must all match; a request with neither is refused.

use std::fmt;
use std::time::Duration;

use hookyard::clock::Timestamp;
use hookyard::signature::{self, Headers, VerifyError};
use hookyard::subscription::Secret;

use super::fields::Fields;

/// The secrets of a receiver, of which each signature must match one, and how old a request may be.
pub struct Verifier {
    secrets: Vec<Secret>,
    tolerance: Duration,
}

/// Whether a request is to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With the names of the headers whose signatures match.
    Verified(Vec<String>),
    Refused(Refusal),
    /// There is no secret to verify it with.
    NoSecret,
}

/// Why a request is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Standard(#[from] VerifyError),
    #[error("{header} does not match")]
    Plain { header: String },
}

/// How long ago something was, in seconds; negative for what is still to come.
pub struct Age(pub i64);

const STANDARD: [&str; 3] = [signature::ID, signature::TIMESTAMP, signature::SIGNATURE];

impl Verifier {
    /// Verifies with these secrets, of which one that matches is enough.
    pub fn new(secrets: Vec<Secret>, tolerance: Duration) -> Self {
        Self { secrets, tolerance }
    }

    /// What is to be thought of a request with these fields and this body, at `now`.
    pub fn verdict(&self, fields: &Fields, body: &[u8], now: Timestamp) -> Verdict {
        if self.secrets.is_empty() {
            return Verdict::NoSecret;
        }
        self.verify(fields, body, now).map_or_else(Verdict::Refused, Verdict::Verified)
    }

    /// The names of the headers whose signatures match.
    ///
    /// # Errors
    /// The first reason not to trust the request.
    pub fn verify(&self, fields: &Fields, body: &[u8], now: Timestamp) -> Result<Vec<String>, Refusal> {
        let plain: Vec<(&str, &str)> = fields.iter().filter(|(_, value)| is_plain(value)).collect();
        let mut matching = Vec::new();
        if plain.is_empty() || STANDARD.iter().any(|name| fields.get(name).is_some()) {
            let headers = Headers::find(|name| fields.get(name))?;
            self.any(|secret| signature::verify(secret, &headers, body, self.tolerance, now))?;
            matching.push(signature::SIGNATURE.to_owned());
        }
        for (header, value) in plain {
            let verified = self.any(|secret| signature::verify_body(secret, value, body));
            verified.map_err(|_| Refusal::Plain { header: header.to_owned() })?;
            matching.push(header.to_owned());
        }
        Ok(matching)
    }

    /// Whether one of the secrets passes; all of them fail for the same reason.
    fn any(&self, verify: impl Fn(&str) -> Result<(), VerifyError>) -> Result<(), VerifyError> {
        let verified = self.secrets.iter().map(|secret| verify(secret.reveal()));
        verified.reduce(Result::or).unwrap_or(Err(VerifyError::NoMatch))
    }
}

impl Verdict {
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Verified(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified(_) => f.write_str("signature verified"),
            Self::Refused(refusal) => write!(f, "NOT VERIFIED: {refusal}"),
            Self::NoSecret => f.write_str("not verified: there is no secret for it here"),
        }
    }
}

impl Age {
    /// How long before `now` a request with these fields was signed, if they say so.
    pub fn of(fields: &Fields, now: Timestamp) -> Option<Self> {
        let signed_at: i64 = fields.get(signature::TIMESTAMP)?.parse().ok()?;
        Some(Self((now.unix_seconds() as i64).saturating_sub(signed_at)))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distance = humantime::format_duration(Duration::from_secs(self.0.unsigned_abs()));
        write!(f, "{distance} {}", if self.0 < 0 { "in the future" } else { "ago" })
    }
}

/// Whether a header's value is a signature of the body alone: `sha256=` and the hex of 32 bytes.
fn is_plain(value: &str) -> bool {
    let hex = value.strip_prefix("sha256=");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const NOW: Timestamp = Timestamp(1_649_367_553_000);
    const PLAIN: &str = "sha256=e0fc16c6d4a28f39a6e0935569f05d86e87367db24a4b6d9271215c603e49f6a";

    fn verifier(secrets: &[&str]) -> Verifier {
        let secrets = secrets.iter().map(|secret| secret.parse().unwrap()).collect();
        Verifier::new(secrets, signature::TOLERANCE)
    }

    fn fields(plain: &str) -> Fields {
        let standard = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        let fields = [
            (signature::ID, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            (signature::TIMESTAMP, "1649367553"),
            (signature::SIGNATURE, standard),
            ("X-Own-Signature", plain),
        ];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
    }

    fn refusal(verdict: Verdict) -> String {
        match verdict {
            Verdict::Refused(refusal) => refusal.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_signatures_must_match_one_of_the_secrets() {
        let verdict = |secrets: &[&str], plain| verifier(secrets).verdict(&fields(plain), BODY, NOW);
        let both = vec!["webhook-signature".to_owned(), "x-own-signature".to_owned()];
        assert_eq!(verdict(&[OTHER, SECRET], PLAIN), Verdict::Verified(both.clone()));
        assert_eq!(verdict(&[SECRET, OTHER], PLAIN), Verdict::Verified(both));
        assert_eq!(refusal(verdict(&[OTHER], PLAIN)), "no signature matches");
        let forged = PLAIN.replace("e0fc", "e0fd");
        assert_eq!(refusal(verdict(&[SECRET], &forged)), "x-own-signature does not match");
        assert_eq!(verdict(&[], PLAIN), Verdict::NoSecret);
    }

    #[test]
    fn a_request_may_have_either_signature_but_not_none() {
        let plain = Fields::from_iter([("x-own-signature".to_owned(), PLAIN.to_owned())]);
        assert!(verifier(&[SECRET]).verdict(&plain, BODY, Timestamp(0)).is_verified());
        assert!(verifier(&[SECRET]).verdict(&fields("sha256=none"), BODY, NOW).is_verified());
        let verdict = verifier(&[SECRET]).verdict(&Fields::default(), BODY, NOW);
        assert_eq!(refusal(verdict), "the request has no usable header webhook-id");
    }

    #[test]
    fn half_of_the_standard_headers_is_not_made_up_for_by_the_other_signature() {
        let mut half = Fields::from_iter([("x-own-signature".to_owned(), PLAIN.to_owned())]);
        half.set(signature::ID, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        let verdict = verifier(&[SECRET]).verdict(&half, BODY, NOW);
        assert_eq!(refusal(verdict), "the request has no usable header webhook-timestamp");
    }
}
