//! `hookyard verify`: what it says of a request, and with which status.

use standardwebhooks::Webhook;

use crate::support::command::{Ended, hookyard, run};
use crate::support::signature::hex_signature;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"event":"new_lead","timestamp":"2025-01-15T10:30:00Z","data":{ "n": 1 }}"#;
const ID: &str = "evt_1";

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is past 1970").as_secs() as i64
}

/// What the reference implementation signs.
fn signature(timestamp: i64) -> String {
    Webhook::new(SECRET).and_then(|webhook| webhook.sign(ID, timestamp, BODY.as_bytes())).expect("a secret")
}

/// Verifies a body whose headers are given one by one.
fn verify(timestamp: i64, arguments: &[&str], body: &str) -> Ended {
    let (seconds, signature) = (timestamp.to_string(), signature(timestamp));
    let headers = ["verify", "--id", ID, "--timestamp", &seconds, "--signature", &signature];
    run(hookyard(&headers).args(arguments), body.as_bytes())
}

fn assert_refused(ended: &Ended, reason: &str) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.complaints.contains("not verified: "), "{ended:?}");
    assert!(ended.complaints.contains(reason), "{reason:?} in {ended:?}");
}

#[test]
fn a_signature_that_matches_is_verified() {
    let ended = verify(now(), &["--secret", OTHER, "--secret", SECRET], BODY);

    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.printed.starts_with("verified by webhook-signature; signed "), "{ended:?}");
}

#[test]
fn a_whole_request_is_verified_with_the_secret_of_the_environment() {
    let (timestamp, hex) = (now(), hex_signature(SECRET, BODY.as_bytes()));
    let request = format!(
        "POST /in HTTP/1.1\r\nHost: a\r\nWebhook-Id: {ID}\r\nwebhook-timestamp: {timestamp}\r\n\
         webhook-signature: {}\r\nx-own: {hex}\r\ncontent-length: {}\r\n\r\n{BODY}\n",
        signature(timestamp),
        BODY.len()
    );

    let ended = run(hookyard(&["verify"]).env("HOOKYARD_SECRET", SECRET), request.as_bytes());

    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.printed.contains("verified by webhook-signature and x-own;"), "{ended:?}");
}

#[test]
fn the_signature_of_the_body_alone_can_be_verified() {
    let header = format!("x-fetchply-signature: {}", hex_signature(SECRET, BODY.as_bytes()));
    let verify =
        |body: &str| run(&mut hookyard(&["verify", "--secret", SECRET, "-H", &header]), body.as_bytes());

    assert_eq!(verify(BODY).status.code(), Some(0));
    assert_refused(&verify("{}"), "x-fetchply-signature does not match");
}

#[test]
fn an_old_request_is_refused_with_its_age_unless_the_tolerance_allows_it() {
    let signed_at = now() - 2 * 3600;
    let refused = verify(signed_at, &["--secret", SECRET], BODY);

    assert_refused(&refused, "signed too long ago; signed 2h");
    assert_refused(&refused, "the signature itself matches; --tolerance off");
    for tolerance in ["off", "3h"] {
        let ended = verify(signed_at, &["--secret", SECRET, "--tolerance", tolerance], BODY);
        assert_eq!(ended.status.code(), Some(0), "{tolerance}: {ended:?}");
    }
    let forged = verify(signed_at, &["--secret", OTHER], BODY);
    assert!(!forged.complaints.contains("the signature itself matches"), "{forged:?}");
}

#[test]
fn what_was_done_to_the_body_is_said_where_it_can_be_proved() {
    let spaced = BODY.replacen(':', ": ", 1);
    let cases = [
        (format!("{BODY}\n"), "the body was changed: it matches without the newline at its end"),
        (format!("{BODY}\r\n"), "the body was changed: it matches without the newline at its end"),
        (format!("  {BODY}"), "the body was changed: it matches without the white space around it"),
    ];
    for (body, hint) in cases {
        assert_refused(&verify(now(), &["--secret", SECRET], &body), hint);
    }
    for body in [spaced.as_str(), "{}", ""] {
        let refused = verify(now(), &["--secret", SECRET], body);
        assert_refused(&refused, "no signature matches");
        assert!(!refused.complaints.contains("was changed"), "{refused:?}");
    }
}

#[test]
fn a_wrong_header_is_told_from_a_wrong_secret_where_the_other_signature_matches() {
    let header = format!("x-fetchply-signature: {}", hex_signature(SECRET, BODY.as_bytes()));
    let mistaken = verify(now(), &["--secret", SECRET, "-H", &header, "-H", "webhook-id: evt_2"], BODY);
    // The option counts more than the header: nothing is mistaken.
    assert_eq!(mistaken.status.code(), Some(0), "{mistaken:?}");

    let headers = [&header, "webhook-id: evt_2", "webhook-timestamp: 1", "webhook-signature: v1,AAAA"];
    let headers = headers.iter().flat_map(|header| ["-H", header]);
    let mistaken =
        run(hookyard(&["verify", "--secret", SECRET, "--tolerance", "off"]).args(headers), BODY.as_bytes());
    assert_refused(&mistaken, "secret and body are right");
}

#[test]
fn a_missing_prefix_of_the_secret_is_told() {
    let bare = SECRET.trim_start_matches("whsec_");
    assert_refused(&verify(now(), &["--secret", bare], BODY), "it matches with whsec_ before the secret");
}

#[test]
fn what_is_missing_is_wrong_usage_or_named() {
    let nothing = run(&mut hookyard(&["verify", "--secret", SECRET]), BODY.as_bytes());
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
    let no_secret = verify(now(), &[], BODY);
    assert_eq!(no_secret.status.code(), Some(2), "{no_secret:?}");
    let half = run(&mut hookyard(&["verify", "--secret", SECRET, "--id", ID]), BODY.as_bytes());
    assert_refused(&half, "no usable header webhook-timestamp");
}
