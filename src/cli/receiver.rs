//! A receiver on this machine: reads each request whole, within a limit, and lets a desk answer it.
//!
//! What a request is worth, and what it is answered, is the desk's business.

use std::future::Future;
use std::io;
use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use hookyard::clock::Timestamp;
use tokio::time::Instant;

use super::fields::Fields;

/// A request that arrived, whole.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Path and query, as they were sent.
    pub target: String,
    pub fields: Fields,
    pub body: Bytes,
    pub at: Instant,
    pub time: Timestamp,
}

/// Whoever answers requests.
pub trait Desk: Send + Sync + 'static {
    /// Answers one; the connection waits for it.
    fn answer(&self, request: Request) -> impl Future<Output = HttpResponse>;
}

/// The longest body that is read: more than the router can be told to take as one event's data.
pub const BODY_LIMIT: usize = 32 << 20;
/// How long a stop waits for answers being made.
const STOP_TIMEOUT_SECONDS: u64 = 5;

/// Receives on `listener`, from within an actix system, until its handle stops it or the system ends.
///
/// Requests are taken in by one thread, so what a desk does before it first waits happens in the order of arrival.
///
/// # Errors
/// When the listener cannot be used.
pub fn start<D: Desk>(listener: TcpListener, desk: D) -> io::Result<ServerHandle> {
    let desk = Data::new(desk);
    let server = HttpServer::new(move || {
        let limit = PayloadConfig::new(BODY_LIMIT);
        App::new().app_data(desk.clone()).app_data(limit).default_service(web::to(receive::<D>))
    });
    let server = server.workers(1).disable_signals().shutdown_timeout(STOP_TIMEOUT_SECONDS);
    let server = server.listen(listener)?.run();
    let handle = server.handle();
    rt::spawn(server);
    Ok(handle)
}

async fn receive<D: Desk>(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    desk: Data<D>,
) -> HttpResponse {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            eprintln!("hookyard: a request to {} is refused: {error}", request.path());
            return error.error_response();
        }
    };
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let request = Request {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        fields: request.headers().iter().map(field).collect(),
        body,
        at: Instant::now(),
        time: Timestamp::now(),
    };
    desk.answer(request).await
}
