//! What an endpoint shows receivers that ask who calls (mutual TLS); Svix has nothing of the kind.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::api::answer;
use crate::api::operator::input;
use crate::api::operator::refusal::{Fault, Refusal};
use crate::api::operator::visit::Visit;
use crate::clock::Timestamp;
use crate::subscription::{ClientCertificate, NotAClientCertificate};

use super::named;

/// A certificate and its key, in PEM.
#[derive(Deserialize)]
pub struct Wish {
    certificate: String,
    key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// The SHA-256 hash of the certificate, in hex.
    fingerprint: String,
    #[serde(serialize_with = "answer::precise")]
    not_after: Timestamp,
}

/// Shows the certificate, if there is one.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (_, endpoint) = named(&visit).await?;
    let shown = endpoint.client_certificate.as_ref().map(Shape::of).ok_or_else(Refusal::not_found)?;
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Replaces it.
pub async fn update(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (account, endpoint) = named(&visit).await?;
    let body = visit.body(payload).await?;
    let certificate = input::read::<Wish>(&body)?.certificate()?;
    let shown = Shape::of(&certificate);
    visit.hookyard().set_client_certificate(&account.id, endpoint.id, Some(certificate)).await?;
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Takes it away.
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (account, endpoint) = named(&visit).await?;
    visit.hookyard().set_client_certificate(&account.id, endpoint.id, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The refusal of a certificate that cannot be.
pub fn refused_by(error: &NotAClientCertificate) -> Refusal {
    let field = match error {
        NotAClientCertificate::Plain => "url",
        NotAClientCertificate::NoKey
        | NotAClientCertificate::UnsupportedKey
        | NotAClientCertificate::OtherKey
        | NotAClientCertificate::TooLong("key")
        | NotAClientCertificate::NotPem("key") => "key",
        _ => "certificate",
    };
    Refusal::invalid(Fault::body([field], error.to_string()))
}

impl Wish {
    /// What was sent, if it can be shown.
    pub fn certificate(self) -> Result<ClientCertificate, Refusal> {
        let key = Zeroizing::new(self.key);
        ClientCertificate::from_pem(&self.certificate, &key).map_err(|error| refused_by(&error))
    }
}

impl Shape {
    pub fn of(certificate: &ClientCertificate) -> Self {
        Self { fingerprint: certificate.fingerprint(), not_after: certificate.not_after() }
    }
}
