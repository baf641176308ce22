//! Trace contexts of requests: the headers `traceparent` and `tracestate`.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::trace_context::TraceContext;

pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";

/// Names as the map of headers has them: one that is looked for by its text is made for that.
static PARENT: HeaderName = HeaderName::from_static(TRACEPARENT);
static STATE: HeaderName = HeaderName::from_static(TRACESTATE);

/// Where a request stands in a trace, if it says so and breaks no rule; more than one `traceparent` breaks one. Several
/// headers `tracestate` are one list (RFC 9110, 5.3).
pub fn of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all(&PARENT);
    let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
    let context: TraceContext = parent.to_str().ok()?.trim().parse().ok()?;
    let states: Result<Vec<&str>, _> = headers.get_all(&STATE).map(|value| value.to_str()).collect();
    Some(context.with_tracestate(&states.unwrap_or_default().join(",")))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(headers: &[(&'static str, &'static str)]) -> Option<(String, Option<String>)> {
        let named = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let context = of(&headers.iter().copied().map(named).collect())?;
        Some((context.to_string(), context.tracestate().map(str::to_owned)))
    }

    #[test]
    fn headers_are_one_list_and_a_parent_is_one() {
        let (parent, state) = ((TRACEPARENT, EXAMPLE), |value| (TRACESTATE, value));
        assert_eq!(read(&[parent]), Some((EXAMPLE.to_owned(), None)));
        let joined = Some((EXAMPLE.to_owned(), Some("a=b,c=d".to_owned())));
        assert_eq!(read(&[parent, state("a=b"), state("c=d")]), joined);
        assert_eq!(read(&[parent, state("nonsense")]), Some((EXAMPLE.to_owned(), None)));
        assert_eq!(read(&[state("a=b")]), None);
        assert_eq!(read(&[(TRACEPARENT, "nonsense"), state("a=b")]), None);
        assert_eq!(read(&[parent, parent]), None);
    }
}
