//! A hook's client certificate over HTTP: reading it from a body, showing, replacing and removing it.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::HookId;
use crate::subscription::ClientCertificate;

use super::super::answer;
use super::super::error::Error;
use super::super::object::{Names, Object};
use super::super::openapi::{asked, refused};
use super::{Shape, open, shape, target};

pub const REPLACEMENT: Names<2> = ["certificate", "key"];

/// What a receiver gets to see that asks who calls. The private key is shown nowhere.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientCertificate)]
pub struct Shown {
    /// The SHA-256 hash of the certificate, in hex.
    fingerprint: String,
    /// When it expires.
    #[serde(serialize_with = "answer::text")]
    not_after: Timestamp,
}

/// Shows what a hook shows receivers.
#[utoipa::path(
    get, path = "/api/v1/hooks/{id}/client-certificate", tag = "Hooks", operation_id = "get_client_certificate",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The certificate.", body = Shown),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn get_client_certificate(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.hook(&account, id).await.map_err(Error::lookup("hook"))?;
    let certificate = hook.subscription.client_certificate.as_ref().map(Shown::of);
    let shown = certificate.ok_or_else(|| Error::not_found("the hook has no client certificate"))?;
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Gives a hook a client certificate (mutual TLS), in place of the one that it has or that is configured.
///
/// Requests that start from then on go over connections on which no other was shown. Its URL begins with `https://`.
#[utoipa::path(
    put, path = "/api/v1/hooks/{id}/client-certificate", tag = "Hooks", operation_id = "set_client_certificate",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    request_body(content = ref("#/components/schemas/SetClientCertificate")),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn set_client_certificate(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.body(payload).await?;
    let certificate = read(&Object::read(&body, &REPLACEMENT)?)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.set_client_certificate(&account, id, Some(certificate)).await?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// Takes a hook's client certificate away; one that has none stays as it is.
#[utoipa::path(
    delete, path = "/api/v1/hooks/{id}/client-certificate", tag = "Hooks", operation_id = "delete_client_certificate",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Field, refused::Store,
    ),
)]
pub async fn delete_client_certificate(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.set_client_certificate(&account, id, None).await?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// That of the member `client_certificate`.
pub fn of_member<const N: usize>(object: &Object<'_, N>) -> Result<Option<ClientCertificate>, Error> {
    let Some(value) = object.raw("client_certificate").filter(|value| *value != "null") else {
        return Ok(None);
    };
    if !value.starts_with('{') {
        return Err(Error::field("client_certificate must be an object"));
    }
    read(&Object::read(value.as_bytes(), &REPLACEMENT)?).map(Some)
}

/// The certificate and the key of a body.
fn read(object: &Object<'_, 2>) -> Result<ClientCertificate, Error> {
    let certificate = object.required_text("certificate")?;
    let key = Zeroizing::new(object.required_text("key")?.into_owned());
    ClientCertificate::from_pem(&certificate, &key).map_err(|error| Error::field(error.to_string()))
}

impl Shown {
    pub fn of(certificate: &ClientCertificate) -> Self {
        Self { fingerprint: certificate.fingerprint(), not_after: certificate.not_after() }
    }
}
