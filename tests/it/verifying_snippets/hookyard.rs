use hookyard::clock::Timestamp;
use hookyard::signature::{self, Headers, TOLERANCE, VerifyError};
use http::HeaderMap;

pub fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), VerifyError> {
    let headers = Headers::find(|name| headers.get(name)?.to_str().ok())?;
    signature::verify(secret, &headers, body, TOLERANCE, Timestamp::now())
}
