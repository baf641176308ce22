//! The tally of requests: each is counted by its route, its method and the class of its answer.
//!
//! A worker keeps the figures that it has met, so that counting takes no lock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};

use crate::hookyard::Hookyard;
use crate::metrics::Metrics;
use crate::metrics::requests::{Kind, Series};

/// The pattern that the paths of a resource match; a resource says it of itself.
#[derive(Clone, Copy, Debug)]
pub struct Route(pub &'static str);

/// The figures of one worker.
pub struct Tally {
    metrics: Metrics,
    known: RefCell<HashMap<Kind, Series>>,
}

/// What is counted of a path that no route matched.
const NO_ROUTE: Route = Route("none");

impl Tally {
    pub fn new(hookyard: &Hookyard) -> Self {
        Self { metrics: hookyard.figures().clone(), known: RefCell::default() }
    }

    /// Counts a request that was answered so.
    pub fn count(&self, request: &HttpRequest, status: StatusCode, began: Instant) {
        let Route(route) = request.app_data::<Route>().copied().unwrap_or(NO_ROUTE);
        let kind = Kind { route, method: method(request.method()), status: class(status) };
        let mut known = self.known.borrow_mut();
        let series = known.entry(kind).or_insert_with(|| self.metrics.requests.series(kind));
        series.count(began.elapsed());
    }
}

/// The methods that routes have; a caller may make up any.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}
