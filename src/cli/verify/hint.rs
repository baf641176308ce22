//! Hints: what is wrong with a request that was refused, where that can be proved.
//!
//! Each is tried out: it is given only if the request would be verified without the fault that it names.

use std::time::Duration;

use hookyard::clock::Timestamp;
use hookyard::signature::{self, VerifyError};
use hookyard::subscription::{SECRET_PREFIX, Secret};

use super::super::fields::Fields;
use super::super::json_text;
use super::super::verification::{Refusal, Verifier};

/// The fault that explains the refusal, if one is found.
pub fn of(
    refusal: &Refusal,
    secrets: &[Secret],
    fields: &Fields,
    body: &[u8],
    now: Timestamp,
) -> Option<String> {
    let holds = |secrets: Vec<Secret>, fields: &Fields, body: &[u8]| {
        Verifier::new(secrets, Duration::MAX).verify(fields, body, now).is_ok()
    };
    match refusal {
        Refusal::Standard(VerifyError::TooOld | VerifyError::TooNew) => {
            let hint = "the signature itself matches; --tolerance off passes over the time";
            holds(secrets.to_vec(), fields, body).then(|| hint.to_owned())
        }
        Refusal::Standard(VerifyError::NoMatch) | Refusal::Plain { .. } => {
            let changed = bodies(body).into_iter().find(|(_, body)| holds(secrets.to_vec(), fields, body));
            let other = || others(secrets).into_iter().find(|(_, other)| holds(other.clone(), fields, body));
            let plain = || holds(secrets.to_vec(), &without_standard(fields), body);
            match (changed, refusal) {
                (Some((fault, _)), _) => Some(format!("the body was changed: {fault}")),
                (None, _) if let Some((fault, _)) = other() => Some(fault.to_owned()),
                (None, Refusal::Standard(_)) if plain() => Some(
                    "the signature of the body alone matches, so secret and body are right: webhook-id, \
                     webhook-timestamp or webhook-signature is not what was sent"
                        .to_owned(),
                ),
                _ => None,
            }
        }
        Refusal::Standard(_) => None,
    }
}

/// What the body may have been, and what was done to it then.
fn bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8_lossy(body);
    let mut bodies = vec![
        ("it matches with a newline at its end", [body, b"\n"].concat()),
        ("it matches with LF for each CRLF", text.replace("\r\n", "\n").into_bytes()),
        ("it matches with CRLF for each LF", text.replace('\n', "\r\n").into_bytes()),
        ("it matches without the white space around it", body.trim_ascii().to_vec()),
    ];
    for end in [&b"\r\n"[..], b"\n"] {
        if let Some(shorter) = body.strip_suffix(end) {
            bodies.insert(0, ("it matches without the newline at its end", shorter.to_vec()));
        }
    }
    if json_text::is_json(body) {
        let compact = json_text::compact(&text).into_bytes();
        bodies.push(("it matches without the white space between its tokens", compact));
    }
    bodies
}

/// What the secret may have been, and what was done to it then.
fn others(secrets: &[Secret]) -> Vec<(&'static str, Vec<Secret>)> {
    let changed = |change: &dyn Fn(&str) -> Option<String>| {
        let texts = secrets.iter().filter_map(|secret| change(secret.reveal()));
        texts.filter_map(|text| text.parse().ok()).collect::<Vec<Secret>>()
    };
    let with = changed(&|secret| Some(format!("{SECRET_PREFIX}{secret}")));
    let without = changed(&|secret| secret.strip_prefix(SECRET_PREFIX).map(str::to_owned));
    vec![
        ("it matches with whsec_ before the secret", with),
        ("it matches without whsec_ before the secret", without),
    ]
}

/// The fields without those of Standard Webhooks.
fn without_standard(fields: &Fields) -> Fields {
    let standard = [signature::ID, signature::TIMESTAMP, signature::SIGNATURE];
    let others = fields.iter().filter(|(name, _)| !standard.contains(name));
    others.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
