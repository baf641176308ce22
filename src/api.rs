//! The front door: the HTTP API over a [`Hookyard`].
//!
//! Every handler decodes a request, makes one call on the face and encodes its answer. This module knows HTTP; it
//! knows no store and no actor. What it promises to every caller, whatever was asked: an `x-request-id`, and errors
//! of one shape.
//!
//! [`run`] serves it on a listener. A program that has an actix-web server of its own mounts [`routes`] in it, below
//! a path or behind its own services, for they take every path that is left:
//!
//! ```no_run
//! # use hookyard::{api, hookyard::Hookyard};
//! # async fn serve(hookyard: Hookyard) -> std::io::Result<()> {
//! use actix_web::{App, HttpServer, web};
//!
//! HttpServer::new(move || {
//!     App::new().service(web::scope("/webhooks").configure(api::routes(hookyard.clone())))
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await
//! # }
//! ```

mod accounts;
mod answer;
mod backup;
mod body;
mod call;
mod deliveries;
mod docs;
mod envelope;
mod error;
mod events;
mod health;
mod hooks;
mod keys;
mod list;
mod metrics;
mod object;
mod openapi;
mod operator;
mod query;
mod stalling;
mod tally;
mod tls;
mod trace_context;

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Resource};

use crate::hookyard::Hookyard;

use self::error::{Error, Kind};
use self::tally::{Route, Tally};

#[cfg(any(fuzzing, test))]
pub(crate) use self::events::fuzzing;
pub use self::tls::{Certificate, run_tls};

/// How long the head of a request may take; whoever sends it slower than this holds sockets on purpose.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection stays open: longer than the 60 s for which common proxies keep theirs, so that it is
/// the proxy that closes and no request meets a connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a connection may do nothing that the two above are about: it never gets that far unless it stalls.
const STALL_TIMEOUT: Duration = KEEP_ALIVE.saturating_add(HEAD_TIMEOUT);
/// Connections per worker beyond which nobody is let in; an idle one costs about 10 kB.
const CONNECTIONS_PER_WORKER: usize = 10_000;
/// Connections to the metrics' own address; a few scrapers come to it.
const METRICS_CONNECTIONS: usize = 64;
/// How long a stop waits for the answers being made. A commit takes milliseconds; only slow senders are cut off.
const STOP_TIMEOUT_SECONDS: u64 = 10;

/// Serves the API on `listener` until `shutdown` resolves; the metrics too, unless they have an address of their own.
///
/// It then accepts no more connections, closes the idle ones, finishes the requests that it has begun and returns.
/// It works in any tokio runtime; the requests are served by threads of its own.
///
/// # Errors
/// When the listener cannot be used.
pub async fn run(
    listener: TcpListener,
    hookyard: Hookyard,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = HttpServer::new(move || app(&hookyard))
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .on_connect(stalling::watch(STALL_TIMEOUT))
        .max_connections(CONNECTIONS_PER_WORKER)
        .tcp_nodelay(true)
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
    serve(server, shutdown).await
}

/// The API as an application of its own.
fn app(
    hookyard: &Hookyard,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    // Only a target that is no path, such as `*`, gets past the routes.
    let fallback = web::to(nothing_here).wrap(from_fn(envelope::wrap));
    App::new().app_data(Tally::new(hookyard)).configure(routes(hookyard.clone())).default_service(fallback)
}

/// Serves the metrics, and nothing else, on `listener` until `shutdown` resolves.
///
/// # Errors
/// When the listener cannot be used.
pub async fn run_metrics(
    listener: TcpListener,
    hookyard: Hookyard,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = HttpServer::new(move || {
        let fallback = web::to(nothing_here).wrap(from_fn(envelope::wrap));
        App::new().app_data(hookyard.clone()).configure(metrics::routes).default_service(fallback)
    })
    .workers(1)
    .client_request_timeout(HEAD_TIMEOUT)
    .max_connections(METRICS_CONNECTIONS)
    .shutdown_timeout(STOP_TIMEOUT_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    serve(server, shutdown).await
}

/// Lets the server run until it fails or `shutdown` resolves, and then end in order.
async fn serve(server: Server, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let handle = server.handle();
    let (mut server, mut shutdown) = (pin!(server), pin!(shutdown));
    let failed = poll_fn(|context| match server.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending => shutdown.as_mut().poll(context).map(|()| None),
    });
    if let Some(ended) = failed.await {
        return ended;
    }
    // The command is sent by the call; what it returns would only wait for the server to end.
    drop(handle.stop(true));
    server.await
}

/// The API for an actix-web application of one's own, to be given to `configure`.
///
/// It answers every path that reaches it, with 404 if need be: whatever else the application serves is registered
/// before it.
pub fn routes(hookyard: Hookyard) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let with_metrics = hookyard.config().metrics.listen.is_empty();
        let scope = web::scope("")
            .app_data(Tally::new(&hookyard))
            .app_data(hookyard)
            .wrap(from_fn(envelope::wrap))
            // The hot path comes first: routes are tried in order.
            .service(
                at("/api/v1/events", "GET, POST")
                    .route(web::post().to(events::emit))
                    .route(web::get().to(events::list)),
            )
            .service(at("/api/v1/events/{id}", "GET").route(web::get().to(events::get)))
            .service(at("/api/v1/events/{id}/replay", "POST").route(web::post().to(events::replay)))
            .service(at("/api/v1/events/{id}/data", "DELETE").route(web::delete().to(events::expunge)))
            .service(at("/api/v1/event-types", "GET").route(web::get().to(events::types)))
            .configure(hook_routes)
            .configure(delivery_routes)
            .configure(admin_routes)
            .configure(operator::routes)
            .configure(|config| {
                if with_metrics {
                    metrics::routes(config)
                }
            })
            .service(at("/health/live", "GET, HEAD").route(health::get().to(health::live)))
            .service(at("/health/ready", "GET, HEAD").route(health::get().to(health::ready)))
            .service(at(openapi::PAGE, "GET, HEAD").route(health::get().to(openapi::serve_page)))
            .service(at(openapi::PATH, "GET, HEAD").route(health::get().to(openapi::serve)))
            .service(at("/", "GET, HEAD").route(health::get().to(health::page)))
            .default_service(web::to(nothing_here));
        config.service(scope);
    }
}

fn hook_routes(config: &mut ServiceConfig) {
    config
        .service(
            at("/api/v1/hooks/subscribe", "POST, DELETE")
                .route(web::post().to(hooks::subscribe))
                .route(web::delete().to(hooks::unsubscribe)),
        )
        .service(at("/api/v1/hooks", "GET").route(web::get().to(hooks::list)))
        .service(at("/api/v1/hooks/sample", "GET").route(web::get().to(hooks::sample)))
        .service(at("/api/v1/hooks/stats", "GET").route(web::get().to(hooks::account_stats)))
        .service(
            at("/api/v1/hooks/{id}", "GET, DELETE")
                .route(web::get().to(hooks::get))
                .route(web::delete().to(hooks::delete)),
        )
        .service(at("/api/v1/hooks/{id}/pause", "POST").route(web::post().to(hooks::pause)))
        .service(at("/api/v1/hooks/{id}/resume", "POST").route(web::post().to(hooks::resume)))
        .service(at("/api/v1/hooks/{id}/test", "POST").route(web::post().to(hooks::test)))
        .service(at("/api/v1/hooks/{id}/rotate-secret", "POST").route(web::post().to(hooks::rotate_secret)))
        .service(at("/api/v1/hooks/{id}/headers", "PUT").route(web::put().to(hooks::set_headers)))
        .service(at("/api/v1/hooks/{id}/delivery", "PUT").route(web::put().to(hooks::set_delivery)))
        .service(
            at("/api/v1/hooks/{id}/client-certificate", "GET, PUT, DELETE")
                .route(web::get().to(hooks::get_client_certificate))
                .route(web::put().to(hooks::set_client_certificate))
                .route(web::delete().to(hooks::delete_client_certificate)),
        )
        .service(at("/api/v1/hooks/{id}/filter", "PUT").route(web::put().to(hooks::set_filter)))
        .service(at("/api/v1/hooks/{id}/stats", "GET").route(web::get().to(hooks::stats)))
        .service(at("/api/v1/hooks/{id}/replay", "POST").route(web::post().to(hooks::replay)))
        .service(at("/api/v1/hooks/{id}/deliveries", "GET").route(web::get().to(deliveries::of_hook)));
}

fn delivery_routes(config: &mut ServiceConfig) {
    config
        .service(at("/api/v1/deliveries", "GET").route(web::get().to(deliveries::list)))
        .service(at("/api/v1/deliveries/{id}", "GET").route(web::get().to(deliveries::get)))
        .service(at("/api/v1/deliveries/{id}/retry", "POST").route(web::post().to(deliveries::retry)))
        .service(
            at("/api/v1/deliveries/{id}/attempts/{n}/response", "DELETE")
                .route(web::delete().to(deliveries::expunge)),
        );
}

fn admin_routes(config: &mut ServiceConfig) {
    config
        .service(
            at("/api/v1/accounts", "GET, POST")
                .route(web::get().to(accounts::list))
                .route(web::post().to(accounts::create)),
        )
        .service(at("/api/v1/accounts/{id}/retention", "PUT").route(web::put().to(accounts::set_retention)))
        .service(
            at("/api/v1/keys", "GET, POST")
                .route(web::get().to(keys::list))
                .route(web::post().to(keys::create)),
        )
        .service(at("/api/v1/backup", "GET").route(web::get().to(backup::backup)))
        .service(at("/api/v1/keys/{id}", "DELETE").route(web::delete().to(keys::delete)));
}

/// A resource that tells whoever comes with another method which ones it has.
fn at(path: &'static str, allow: &'static str) -> Resource {
    debug_assert!(openapi::describes(path, allow), "the document does not say that {path} takes {allow}");
    web::resource(path).app_data(Route(path)).default_service(web::to(move || async move {
        let message = format!("this path takes {allow}");
        Err::<HttpResponse, _>(Error::new(Kind::MethodNotAllowed { allow }, message))
    }))
}

async fn nothing_here() -> Result<HttpResponse, Error> {
    Err(Error::not_found("there is nothing at this path"))
}
