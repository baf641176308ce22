//! Health, and the page that greets a browser. Neither needs a key.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, Route, guard, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::hookyard::Hookyard;

use super::answer;
use super::error::Error;
use super::openapi::refused;

const PAGE: &str = include_str!("page.html");

/// How the server is.
#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// A route for GET and HEAD: what watches over servers likes to ask with HEAD.
pub fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Whether the process serves requests.
#[utoipa::path(
    get, path = "/health/live", tag = "Server", operation_id = "get_liveness", security(()),
    responses((status = 200, description = "It does.", body = Health)),
)]
pub async fn live() -> HttpResponse {
    answer::json(StatusCode::OK, &Health { status: "live" })
}

/// Whether events and changes are accepted.
#[utoipa::path(
    get, path = "/health/ready", tag = "Server", operation_id = "get_readiness", security(()),
    responses((status = 200, description = "They are.", body = Health), refused::Store),
)]
pub async fn ready(request: HttpRequest) -> Result<HttpResponse, Error> {
    request.app_data::<Hookyard>().expect("the routes are built with it").ready()?;
    Ok(answer::json(StatusCode::OK, &Health { status: "ready" }))
}

/// A page that says what this is.
#[utoipa::path(
    get, path = "/", tag = "Server", operation_id = "get_welcome", security(()),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).body(PAGE)
}
