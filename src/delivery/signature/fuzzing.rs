//! Fuzzing of the verifier: it accepts what another HMAC says, no more and no less.

use sha2::Digest;

use super::*;

/// Where a header's text has this, the right signature is put.
const RIGHT: &str = "$";

/// Verifies a request: a line each for the secret, the id, the timestamp, the clock in milliseconds and the signatures,
/// and then the body.
pub fn signature(input: &[u8]) {
    let parts: Vec<_> = input.splitn(6, |byte| *byte == b'\n').collect();
    let &[secret, id, timestamp, now, signature, body] = parts.as_slice() else { return };
    let texts = [secret, id, timestamp, now, signature].map(|part| std::str::from_utf8(part).ok());
    let [Some(secret), Some(id), Some(timestamp), Some(now), Some(signature)] = texts else { return };
    let now = Timestamp(now.parse().unwrap_or_default());

    let key = another_key(secret);
    assert_eq!(standard_key(secret).is_ok(), key.is_some(), "the base64 of {secret}");
    let tag = key.as_deref().map(|key| {
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        BASE64.encode(another_hmac(key, &signed))
    });
    let signature = signature.replace(RIGHT, tag.as_deref().unwrap_or_default());
    let headers = Headers { id, timestamp, signature: &signature };

    let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at = timestamp.parse::<u64>().ok().filter(|_| is_number);
    let in_time = signed_at.is_some_and(|at| at.abs_diff(now.0 / 1000) <= TOLERANCE.as_secs());
    let given = |tag: String| signature.split(' ').any(|one| *one == format!("v1,{tag}"));
    let expected = in_time && tag.is_some_and(given);
    let found = verify(secret, &headers, body, TOLERANCE, now);
    assert_eq!(found.is_ok(), expected, "{found:?}");

    let plain = format!("sha256={}", hex::encode(another_hmac(secret.as_bytes(), body)));
    assert_eq!(verify_body(secret, &plain, body), Ok(()));
    assert_eq!(verify_body(secret, &signature, body).is_ok(), signature == plain);

    if let Ok(parsed) = secret.parse::<Secret>() {
        signed(&parsed, id, now, body);
    }
}

/// Verifies what we sign.
fn signed(secret: &Secret, id: &str, now: Timestamp, body: &[u8]) {
    let signer = Signer::new(secret);
    let (signature, timestamp) = (signer.standard(id, now, body), now.unix_seconds().to_string());
    let headers = Headers { id, timestamp: &timestamp, signature: &signature };
    assert_eq!(verify(&secret.shown(), &headers, body, TOLERANCE, now), Ok(()));
    if let Some(hex) = signer.hex(body) {
        assert_eq!(verify_body(secret.reveal(), &hex, body), Ok(()));
    }
}

/// The key that a secret stands for, read without a library.
fn another_key(secret: &str) -> Option<Vec<u8>> {
    let Some(encoded) = secret.strip_prefix("whsec_") else { return Some(secret.as_bytes().to_vec()) };
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = encoded.trim_end_matches('=');
    let padding = encoded.len() - digits.len();
    if encoded.len() % 4 != 0 || padding > 2 {
        return None;
    }
    let values: Option<Vec<u8>> = digits.bytes().map(digit).collect();
    let bits: Vec<bool> =
        values?.iter().flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    let (whole, rest) = bits.split_at(bits.len() / 8 * 8);
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    // Bits that say nothing must be zero, or a key would have several spellings.
    (!rest.contains(&true)).then(|| whole.chunks(8).map(byte).collect())
}

/// HMAC-SHA256 as RFC 2104 writes it.
fn another_hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8| Sha256::new().chain_update(block.map(|byte| byte ^ pad));
    let inner = padded(0x36).chain_update(message).finalize();
    padded(0x5c).chain_update(inner).finalize().to_vec()
}
