//! The query string: named parameters, and which page of a list they ask for.
//!
//! A parameter given twice counts as its last, one that is empty counts as absent.

use std::borrow::Cow;

use url::form_urlencoded::{self, Serializer};

use crate::clock::Timestamp;
use crate::hookyard::PageRequest;

use super::error::Error;

const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 1_000;
const CURSOR: &str = "cursor";

/// The parameters of a request.
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub fn parse(text: &'a str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rev().find(|(given, _)| given == name)?;
        Some(value.as_ref()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter that may be given several times: as `name`, `name[]`, or `name[0]`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_named = move |given: &str| {
            let index = given.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
            given == name || index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.0.iter().filter(move |(given, _)| is_named(given)).map(|(_, value)| value.as_ref())
    }

    /// The parameter as text that outlives the request.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A parameter that is `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::field(format!("{name} must be true or false"))),
        }
    }

    /// A parameter that is a moment in RFC 3339.
    pub fn timestamp(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        self.get(name).map(|text| moment(name, text)).transpose()
    }

    /// Which page of a list is wanted.
    pub fn page(&self) -> Result<PageRequest, Error> {
        let limit = match self.get("limit").map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=LARGEST_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(Error::field(format!("limit must be a number from 1 to {LARGEST_LIMIT}"))),
        };
        Ok(PageRequest { limit, cursor: self.owned(CURSOR) })
    }

    /// The same query for the page that begins at `cursor`.
    pub fn with_cursor(&self, cursor: &str) -> String {
        let others = self.0.iter().filter(|(name, _)| name != CURSOR);
        Serializer::new(String::new()).extend_pairs(others).append_pair(CURSOR, cursor).finish()
    }
}

/// The moment that the field `name` gives.
pub fn moment(name: &str, text: &str) -> Result<Timestamp, Error> {
    let read = Timestamp::parse(text);
    read.ok_or_else(|| {
        Error::field(format!("{name} must be an RFC 3339 date-time such as 2025-01-15T10:30:00Z"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_fifty_entries_unless_told() {
        assert_eq!(Query::parse("").page().unwrap().limit, 50);
        assert_eq!(Query::parse("limit=").page().unwrap().limit, 50);
        assert_eq!(Query::parse("limit=1000").page().unwrap().limit, 1000);
        for bad in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1.5", "limit=99999999999999999999"]
        {
            let error = Query::parse(bad).page().unwrap_err();
            assert_eq!(error.to_string(), "limit must be a number from 1 to 1000", "{bad}");
        }
    }

    #[test]
    fn the_next_page_keeps_the_filters() {
        let query = Query::parse("url=https%3A%2F%2Fexample.com%2F%3Fa%3D1%262&cursor=old&limit=2&event=a+b");
        assert_eq!(
            query.with_cursor("new>\"&"),
            "url=https%3A%2F%2Fexample.com%2F%3Fa%3D1%262&limit=2&event=a+b&cursor=new%3E%22%26"
        );
    }

    #[test]
    fn the_last_of_two_counts_and_an_empty_one_is_absent() {
        let query = Query::parse("event=a&event=b&url=&active=yes");
        assert_eq!(query.get("event"), Some("b"));
        assert_eq!(query.get("url"), None);
        assert_eq!(query.flag("active").unwrap_err().to_string(), "active must be true or false");
    }
}
