//! Tokens: JSON Web Tokens (RFC 7519) that say whom their bearer speaks for, signed with HMAC-SHA256.
//!
//! Their claims are those of Svix's server: the token of an organisation has its id for a subject, that of an application
//! has `org` besides and the application for a subject. There is one organisation here, whatever it is called.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as Outcome};
use jsonwebtoken::signature::{Error as Unverified, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::clock::Timestamp;

/// By how much the clock of who made a token may be off, in seconds.
const LEEWAY_SECONDS: u64 = 15 * 60;
/// What the ids of organisations begin with.
const ORGANISATION: &str = "org_";
/// The organisation of the tokens that are made here.
const OURS: &str = "org_0000000000000000000Hookyard";
const ISSUER: &str = "hookyard";

/// Reads tokens that are signed with one secret, and makes some.
pub struct Tokens {
    signs: EncodingKey,
    verifies: DecodingKey,
    validation: Validation,
}

/// Whom the bearer of a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Organisation,
    /// The application of this id, or of this name, and what its bearer is shown besides.
    Application {
        named: String,
        flags: Vec<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    feature_flags: Vec<String>,
}

/// HMAC-SHA256 as the library wants to be given it.
struct Hs256(Hmac<Sha256>);

/// Of all algorithms, the one that we take.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

impl Tokens {
    /// Tokens that are signed with this secret.
    ///
    /// # Errors
    /// When the library takes no such secret.
    pub fn new(secret: &[u8]) -> Outcome<Self> {
        // Where the program has chosen one already, that one does it too.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Ok(Self {
            signs: EncodingKey::from_secret(secret)?,
            verifies: DecodingKey::from_secret(secret)?,
            validation,
        })
    }

    /// Whom the bearer of this token speaks for, if it is a valid one.
    pub fn read(&self, token: &str) -> Option<Subject> {
        let Claims { sub, org, feature_flags, .. } =
            decode(token, &self.verifies, &self.validation).ok()?.claims;
        match org {
            Some(org) if org.starts_with(ORGANISATION) => {
                Some(Subject::Application { named: sub, flags: feature_flags })
            }
            None if sub.starts_with(ORGANISATION) => Some(Subject::Organisation),
            _ => None,
        }
    }

    /// Whether this is the secret itself, which is for signing and not for sending.
    pub fn is_secret(&self, sent: &str) -> bool {
        self.verifies.try_get_as_bytes().is_ok_and(|secret| secret.ct_eq(sent.as_bytes()).into())
    }

    /// A token that speaks for an application for some time.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn of_application(
        &self,
        id: String,
        flags: Vec<String>,
        now: Timestamp,
        lifetime: Duration,
    ) -> Outcome<Zeroizing<String>> {
        let (iat, exp) = (now.unix_seconds(), now.after(lifetime).unix_seconds());
        let claims = Claims {
            iss: Some(ISSUER.to_owned()),
            sub: id,
            org: Some(OURS.to_owned()),
            iat: Some(iat),
            exp: Some(exp),
            feature_flags: flags,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signs).map(Zeroizing::new)
    }
}

impl Hs256 {
    fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Outcome<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.as_bytes()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Outcome<Box<dyn JwtVerifier>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Unverified> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Unverified> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| Unverified::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a-secret-of-some-length-for-tests";

    fn tokens() -> Tokens {
        Tokens::new(SECRET).unwrap()
    }

    /// A token of these claims, made without the code above.
    fn signed(header: &str, claims: &serde_json::Value, secret: &[u8]) -> String {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims.to_string()));
        let tag =
            Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64.encode(tag))
    }

    const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn a_token_of_the_dialect_says_whom_it_is_for() {
        let organisation = serde_json::json!({"iss": "svix-server", "sub": "org_23rb8YdGqMT0qIzpgGwdXfHirMu", "iat": 1, "exp": 4_102_444_800_u64});
        assert_eq!(tokens().read(&signed(HEADER, &organisation, SECRET)), Some(Subject::Organisation));
        let application = serde_json::json!({"sub": "app_1", "org": "org_1", "feature_flags": ["beta"]});
        let expected = Subject::Application { named: "app_1".into(), flags: vec!["beta".into()] };
        assert_eq!(tokens().read(&signed(HEADER, &application, SECRET)), Some(expected));
    }

    #[test]
    fn what_is_not_signed_so_or_over_is_no_token() {
        let organisation = serde_json::json!({"sub": "org_1"});
        let good = signed(HEADER, &organisation, SECRET);
        assert!(tokens().read(&good).is_some());
        assert_eq!(tokens().read(&signed(HEADER, &organisation, b"another secret")), None);
        assert_eq!(tokens().read(&signed(r#"{"alg":"none"}"#, &organisation, SECRET)), None);
        assert_eq!(tokens().read(&signed(r#"{"alg":"HS512"}"#, &organisation, SECRET)), None);
        assert_eq!(tokens().read(&good[..good.len() - 2]), None);
        assert_eq!(tokens().read("a.b.c"), None);
        let now = Timestamp::now().unix_seconds();
        let at = |exp: u64| {
            tokens().read(&signed(HEADER, &serde_json::json!({"sub": "org_1", "exp": exp}), SECRET))
        };
        assert_eq!((at(now - 60), at(now - 3_600)), (Some(Subject::Organisation), None));
        let later = serde_json::json!({"sub": "org_1", "nbf": now + 3_600});
        assert_eq!(tokens().read(&signed(HEADER, &later, SECRET)), None);
        assert_eq!(tokens().read(&signed(HEADER, &serde_json::json!({"sub": "app_1"}), SECRET)), None);
    }

    #[test]
    fn a_token_that_is_made_is_read_until_it_ends() {
        let make =
            |now| tokens().of_application("app_1".into(), Vec::new(), now, Duration::from_secs(60)).unwrap();
        let subject = Subject::Application { named: "app_1".into(), flags: Vec::new() };
        assert_eq!(tokens().read(&make(Timestamp::now())), Some(subject));
        assert_eq!(tokens().read(&make(Timestamp(0))), None);
    }
}
