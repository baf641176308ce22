//! Which secrets may sign: those that the answers name, each in its time. Every request is verified against them.

use std::time::{Duration, Instant};

use crate::support::signature::{HEX_HEADER, hex_signature, standard_signature};

use super::answers::{Call, Clocks, Said, Wish};
use super::far_side::Arrival;

/// A secret, and when it may be the one that signs.
struct Claim {
    secret: String,
    from: Instant,
    /// When the call was answered that certainly replaced it.
    until: Option<Instant>,
    rotation: Option<Rotation>,
}

/// How a secret came to sign in place of another.
struct Rotation {
    /// The claims of which one was replaced.
    old: Vec<usize>,
    overlap: Duration,
    began: Instant,
    ended: Instant,
    is_answered: bool,
}

/// Checks the signatures of all requests to one URL against the calls about its hooks.
pub fn verify(calls: &[Call], arrivals: &[Arrival], clocks: Clocks) {
    let claims = claims(calls);
    for arrival in arrivals {
        verify_one(&claims, arrival, clocks);
    }
}

fn claims(calls: &[Call]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for call in calls {
        let given = match &call.wish {
            Wish::Subscribe { secret, .. } => secret.clone(),
            Wish::Rotate { secret, .. } => Some(secret.clone()),
            _ => continue,
        };
        let is_open = |claim: &&Claim| claim.until.is_none();
        let shown = call.hook().map(|hook| hook.secret.clone().expect("the answer shows it"));
        let is_known = |secret: &String| claims.iter().filter(is_open).any(|claim| claim.secret == *secret);
        let new = match &shown {
            Some(shown) if is_known(shown) => None,
            Some(shown) => {
                assert_eq!(Some(shown), given.as_ref(), "a secret that was never answered: {call:?}");
                given
            }
            None if matches!(call.said, Said::Missing) => None,
            None => given,
        };
        let rotation = rotation(call, &claims);
        claims.extend(new.map(|secret| Claim { secret, from: call.began, until: None, rotation }));
        if let Some(shown) = shown {
            let others = claims.iter_mut().filter(|claim| claim.secret != shown);
            others.for_each(|claim| claim.until = claim.until.or(Some(call.ended)));
        }
    }
    claims
}

fn rotation(call: &Call, claims: &[Claim]) -> Option<Rotation> {
    let Wish::Rotate { overlap, .. } = call.wish else { return None };
    let old = (0..claims.len()).filter(|index| claims[*index].until.is_none()).collect();
    let (began, ended, is_answered) = (call.began, call.ended, call.is_answered());
    Some(Rotation { old, overlap, began, ended, is_answered })
}

fn verify_one(claims: &[Claim], arrival: &Arrival, clocks: Clocks) {
    let request = &arrival.request;
    let signed_with = |claim: &&Claim| {
        let signed_at = arrival.signed_at as f64;
        let in_time = claim.until.is_none_or(|until| signed_at <= clocks.seconds(until));
        claim.from <= arrival.arrived()
            && in_time
            && request.header(HEX_HEADER) == hex_signature(&claim.secret, &request.body)
    };
    let claim = claims.iter().find(signed_with);
    let claim = claim.unwrap_or_else(|| panic!("no secret of that time signed {:?}", request.headers));

    let standard =
        |secret: &str| standard_signature(secret, &arrival.event, arrival.signed_at, &request.body);
    let signatures: Vec<&str> = request.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures[0], standard(&claim.secret), "the newer secret's comes first");
    let signed_at = arrival.signed_at as f64;
    match (signatures.get(1), &claim.rotation) {
        (None, Some(rotation)) if rotation.is_answered => {
            let answered = signed_at >= clocks.seconds(rotation.ended);
            let ends = clocks.seconds(rotation.began) + rotation.overlap.as_secs_f64();
            let overlaps = signed_at + 1.0 < ends;
            assert!(!(answered && overlaps), "during an overlap both sign: {:?}", request.headers);
        }
        (None, _) => {}
        (Some(_), None) => panic!("only a rotated secret signs beside another: {:?}", request.headers),
        (Some(second), Some(rotation)) => {
            let is_old = rotation.old.iter().any(|old| *second == standard(&claims[*old].secret));
            assert!(is_old, "the second is not the secret before: {:?}", request.headers);
            let ends = clocks.seconds(rotation.ended) + rotation.overlap.as_secs_f64();
            assert!(signed_at <= ends, "the overlap was over: {:?}", request.headers);
        }
    }
    assert!(signatures.len() <= 2);
}
