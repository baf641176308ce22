//! The operator's API: accounts, endpoints, event types, messages and attempts, in the dialect of Svix.
//!
//! Programs that were written for Svix, with its clients in a dozen languages, work here once they are given another
//! address and another token. Their words stand for ours: an application is an account, an endpoint a subscription, a
//! message an event. Both APIs show the same records.

mod applications;
mod attempts;
mod authentication;
mod endpoints;
mod event_types;
mod input;
mod messages;
mod page;
mod refusal;
mod repeating;
mod spec;
mod visit;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};

use crate::hookyard::Hookyard;

use super::health::get;
use super::tally::Route;

use self::refusal::Refusal;

/// The routes of this API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            at("/api/v1/app", "GET, POST")
                .route(web::get().to(applications::list))
                .route(web::post().to(applications::create)),
        )
        .service(
            at("/api/v1/app/{app_id}", "GET, PUT, PATCH, DELETE")
                .route(web::get().to(applications::get))
                .route(web::put().to(applications::update))
                .route(web::patch().to(applications::patch))
                .route(web::delete().to(applications::delete)),
        )
        .configure(endpoint_routes)
        .configure(message_routes)
        .configure(attempt_routes)
        .service(
            at("/api/v1/event-type", "GET, POST")
                .route(web::get().to(event_types::list))
                .route(web::post().to(event_types::create)),
        )
        .service(
            at("/api/v1/event-type/{event_type_name}", "GET, PUT, PATCH, DELETE")
                .route(web::get().to(event_types::get))
                .route(web::put().to(event_types::update))
                .route(web::patch().to(event_types::patch))
                .route(web::delete().to(event_types::delete)),
        )
        .service(
            at("/api/v1/auth/app-portal-access/{app_id}", "POST")
                .route(web::post().to(authentication::app_portal_access)),
        )
        .service(at("/api/v1/auth/logout", "POST").route(web::post().to(authentication::log_out)))
        .service(at("/api/v1/health", "GET, HEAD").route(get().to(ready)))
        .service(at("/api/v1/health/ping", "GET, HEAD").route(get().to(ping)))
        .service(at(spec::PATH, "GET, HEAD").route(get().to(spec::serve)));
    for below in ["/api/v1/app/{rest:.*}", "/api/v1/event-type/{rest:.*}", "/api/v1/auth/{rest:.*}"] {
        let nothing_here = || async { Err::<HttpResponse, _>(Refusal::not_found()) };
        config.service(web::resource(below).default_service(web::to(nothing_here)));
    }
}

fn endpoint_routes(config: &mut ServiceConfig) {
    config
        .service(
            at("/api/v1/app/{app_id}/endpoint", "GET, POST")
                .route(web::get().to(endpoints::list))
                .route(web::post().to(endpoints::create)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}", "GET, PUT, PATCH, DELETE")
                .route(web::get().to(endpoints::get))
                .route(web::put().to(endpoints::update))
                .route(web::patch().to(endpoints::patch))
                .route(web::delete().to(endpoints::delete)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers", "GET, PUT, PATCH")
                .route(web::get().to(endpoints::headers::get))
                .route(web::put().to(endpoints::headers::update))
                .route(web::patch().to(endpoints::headers::patch)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/client-certificate", "GET, PUT, DELETE")
                .route(web::get().to(endpoints::client_certificate::get))
                .route(web::put().to(endpoints::client_certificate::update))
                .route(web::delete().to(endpoints::client_certificate::delete)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret", "GET")
                .route(web::get().to(endpoints::secrets::get)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/send-example", "POST")
                .route(web::post().to(endpoints::examples::send)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats", "GET")
                .route(web::get().to(endpoints::stats::get)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate", "POST")
                .route(web::post().to(endpoints::secrets::rotate)),
        );
}

fn message_routes(config: &mut ServiceConfig) {
    config
        .service(
            at("/api/v1/app/{app_id}/msg", "GET, POST")
                .route(web::post().to(messages::create))
                .route(web::get().to(messages::list)),
        )
        .service(at("/api/v1/app/{app_id}/msg/{msg_id}", "GET").route(web::get().to(messages::get)))
        .service(
            at("/api/v1/app/{app_id}/msg/{msg_id}/content", "DELETE")
                .route(web::delete().to(messages::expunge)),
        );
}

fn attempt_routes(config: &mut ServiceConfig) {
    let read = |path, handler| at(path, "GET").route(handler);
    config
        .service(read(
            "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}",
            web::get().to(attempts::of_endpoint),
        ))
        .service(read("/api/v1/app/{app_id}/attempt/msg/{msg_id}", web::get().to(attempts::of_message)))
        .service(read(
            "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg",
            web::get().to(attempts::messages_of_endpoint),
        ))
        .service(read("/api/v1/app/{app_id}/msg/{msg_id}/endpoint", web::get().to(attempts::destinations)))
        .service(read("/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}", web::get().to(attempts::get)))
        .service(
            at("/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content", "DELETE")
                .route(web::delete().to(attempts::expunge)),
        )
        .service(
            at("/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend", "POST")
                .route(web::post().to(attempts::resend)),
        )
        .service(
            at("/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover", "POST")
                .route(web::post().to(attempts::recover)),
        );
}

/// A resource of this API, which a page from anywhere may call: it needs a token, and no cookie is one.
fn at(
    path: &'static str,
    allow: &'static str,
) -> Resource<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + 'static>,
        Error = actix_web::Error,
        InitError = (),
    > + 'static,
> {
    debug_assert!(spec::describes(path, allow), "the document does not say that {path} takes {allow}");
    let refuse = move || async move { Err::<HttpResponse, _>(Refusal::method(allow)) };
    let cors = Cors::default().allow_any_origin().send_wildcard().allow_any_method().allow_any_header();
    web::resource(path).app_data(Route(path)).default_service(web::to(refuse)).wrap(cors.max_age(600))
}

async fn ping() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

async fn ready(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    request.app_data::<Hookyard>().expect("the routes are built with it").ready()?;
    Ok(HttpResponse::NoContent().finish())
}
