//! Lists: a page of one as an answer.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LINK};
use serde::Serialize;

use crate::hookyard::Page;

use super::answer;
use super::call::Call;

/// A page of a list, as a bare array; `Link` leads to the next one.
pub fn page<'a, T, S: Serialize>(
    call: &Call<'_>,
    page: &'a Page<T>,
    shape: impl Fn(&'a T) -> S,
) -> HttpResponse {
    let items: Vec<S> = page.items.iter().map(shape).collect();
    let mut response = answer::json(StatusCode::OK, &items);
    if let Some(cursor) = &page.next {
        let link = format!("<{}?{}>; rel=\"next\"", call.public(call.path()), call.query.with_cursor(cursor));
        // The path came in as a header's text and the query is encoded: it is a header's text again.
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(LINK, link);
        }
    }
    response
}
