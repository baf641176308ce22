//! The metrics, for Prometheus to scrape. They need no key: who may ask is who reaches the address.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};

use crate::hookyard::Hookyard;

use super::{at, health};

/// The Prometheus text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The one route.
pub fn routes(config: &mut ServiceConfig) {
    config.service(at("/metrics", "GET, HEAD").route(health::get().to(show)));
}

/// The metrics, in the text format of Prometheus, unless they have an address of their own.
#[utoipa::path(
    get, path = "/metrics", tag = "Server", operation_id = "get_metrics", security(()),
    responses((status = 200, description = "All of them.", body = String, content_type = "text/plain")),
)]
pub async fn show(request: HttpRequest) -> HttpResponse {
    let text = request.app_data::<Hookyard>().expect("the routes are built with it").metrics();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, HeaderValue::from_static(TEXT))).body(text)
}
