//! Health, and the page that greets a browser. Neither needs a key.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, Route, guard, web};
use serde::Serialize;

use crate::hookyard::Hookyard;

use super::answer;
use super::error::Error;

const PAGE: &str = include_str!("page.html");

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// A route for GET and HEAD: what watches over servers likes to ask with HEAD.
pub fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// `GET /health/live`: the process serves requests.
pub async fn live() -> HttpResponse {
    answer::json(StatusCode::OK, &Health { status: "live" })
}

/// `GET /health/ready`: events and changes are accepted.
pub async fn ready(request: HttpRequest) -> Result<HttpResponse, Error> {
    request.app_data::<Hookyard>().expect("the routes are built with it").ready()?;
    Ok(answer::json(StatusCode::OK, &Health { status: "ready" }))
}

/// `GET /`
pub async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).body(PAGE)
}
