//! The query string of a request.

use ureq::http::HeaderValue;
use url::form_urlencoded::{self, Serializer};

/// Names and values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

const ACCOUNT: &str = "account";

impl Query {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a parameter if it has a value.
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Puts a parameter in place of the one of this name, if there is one.
    pub fn replace(mut self, name: &str, value: impl ToString) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.with(name, value)
    }

    /// The query that a `Link` header gives for the next page. Its path is our own, whatever proxy stands between.
    pub(super) fn of_next_page(link: &HeaderValue) -> Option<Self> {
        let (target, relation) = link.to_str().ok()?.split_once('<')?.1.split_once('>')?;
        let (_, query) = target.split_once('?')?;
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        relation.contains("rel=\"next\"").then_some(Self(pairs))
    }

    /// The same query, which names this account unless it names one.
    pub(super) fn for_account(&self, account: Option<&str>) -> Self {
        let names_one = self.0.iter().any(|(name, _)| name == ACCOUNT);
        self.clone().with_some(ACCOUNT, account.filter(|_| !names_one))
    }

    /// As it stands in a URL; `None` when there is no parameter.
    pub(super) fn text(&self) -> Option<String> {
        let text = Serializer::new(String::new()).extend_pairs(&self.0).finish();
        Some(text).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_and_names_the_account_once() {
        let query = Query::new().with("url", "https://example.com/?a=1&b").with_some("event", None::<&str>);
        let named = query.for_account(Some("acme"));
        assert_eq!(
            named.text().as_deref(),
            Some("url=https%3A%2F%2Fexample.com%2F%3Fa%3D1%26b&account=acme")
        );
        assert_eq!(named.for_account(Some("other")), named);
        assert_eq!(Query::new().text(), None);
    }

    #[test]
    fn the_next_page_is_where_the_link_leads() {
        let link = |text: &'static str| Query::of_next_page(&HeaderValue::from_static(text));
        let next = link(r#"</api/v1/hooks?event=a+b&cursor=x%3D>; rel="next""#);
        assert_eq!(next, Some(Query::new().with("event", "a b").with("cursor", "x=")));
        assert_eq!(link(r#"</api/v1/hooks?cursor=x>; rel="prev""#), None);
        assert_eq!(link("nonsense"), None);
    }
}
