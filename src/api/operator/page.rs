//! Pages: a list a part at a time, in both directions.
//!
//! `iterator` is the id of the entry behind which the page begins; with a `-` before it, the page is the one that ends
//! before that entry.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use crate::api::answer;
use crate::api::query::Query;
use crate::clock::Timestamp;
use crate::hookyard::{Listed, Order, Stretch};

use super::refusal::{Fault, Refusal};

const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 250;
/// What an iterator begins with that leads back.
const BACK: &str = "-";

/// Which page is wanted.
pub struct Wanted {
    limit: usize,
    iterator: Option<String>,
    /// Whether it is read against the order of the list.
    leads_back: bool,
}

/// A page, as this API shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    data: Vec<T>,
    /// Leads to the next page.
    iterator: Option<String>,
    /// Leads to the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_iterator: Option<String>,
    /// Whether there is no more in this direction.
    done: bool,
}

impl Wanted {
    /// What the query asks for.
    ///
    /// # Errors
    /// 400 when the limit is no number, 422 when it is beyond the largest.
    pub fn of(query: &Query<'_>) -> Result<Self, Refusal> {
        let limit = match query.get("limit").map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if limit <= LARGEST_LIMIT => limit,
            Some(Ok(_)) => {
                let why = format!("Given limit must not exceed {LARGEST_LIMIT}");
                return Err(Refusal::invalid(Fault::query(&["limit", "limit"], why)));
            }
            Some(Err(_)) => return Err(Refusal::query()),
        };
        let iterator = query.owned("iterator");
        let leads_back = iterator.as_ref().is_some_and(|iterator| iterator.starts_with(BACK));
        Ok(Self { limit, iterator, leads_back })
    }

    /// The same of a list, newest first, of what came after a moment: the first page is the one that ends with it.
    pub fn after(mut self, moment: Option<Timestamp>) -> Self {
        self.leads_back |= moment.is_some() && self.iterator.is_none();
        self
    }

    /// The stretch of a list in `order` that this page is.
    ///
    /// # Errors
    /// When the iterator is none that this list gave.
    pub fn stretch<K: FromStr>(&self, order: Order) -> Result<Stretch<K>, Refusal> {
        let wrong = |_| {
            Refusal::invalid(Fault::query(&["iterator", "__all__"], "Invalid id. Expected different prefix"))
        };
        let id = self.iterator.as_deref().map(|iterator| iterator.strip_prefix(BACK).unwrap_or(iterator));
        let behind = id.map(|id| id.parse().map_err(wrong)).transpose()?;
        let order = if self.leads_back { order.reversed() } else { order };
        Ok(Stretch { order, behind, limit: self.limit })
    }

    /// The answer with what there is in the stretch.
    pub fn answer<'a, T, S: Serialize>(
        &self,
        listed: &'a Listed<T>,
        id: impl Fn(&T) -> String,
        shape: impl Fn(&'a T) -> S,
    ) -> HttpResponse {
        let mut items: Vec<&'a T> = listed.items.iter().collect();
        if self.leads_back {
            items.reverse();
        }
        let page = List {
            iterator: items.last().map(|last| id(last)),
            prev_iterator: items.first().map(|first| format!("{BACK}{}", id(first))),
            data: items.into_iter().map(shape).collect(),
            done: !listed.more,
        };
        answer::json(StatusCode::OK, &page)
    }
}
