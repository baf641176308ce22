use http::HeaderMap;
use standardwebhooks::{Webhook, WebhookError};

pub fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    let webhook = match secret.strip_prefix("whsec_") {
        Some(_) => Webhook::new(secret)?,
        None => Webhook::from_bytes(secret.as_bytes().to_vec())?,
    };
    webhook.verify(body, headers)
}
