//! Pages: parts of a list.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::store::history::{Listed, Order};

/// Which part of a list is wanted: `limit` entries behind the one that `cursor` names.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub limit: usize,
    /// The [`Page::next`] of the page before; none for the first.
    pub cursor: Option<String>,
}

/// A part of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page, when there is more.
    pub next: Option<String>,
}

/// Which stretch of a list is wanted: `limit` entries in an order, behind the one that `behind` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<K> {
    pub order: Order,
    pub behind: Option<K>,
    pub limit: usize,
}

impl<K> Stretch<K> {
    /// The same stretch by other keys in the same order.
    pub fn map<L>(self, key: impl FnOnce(K) -> L) -> Stretch<L> {
        Stretch { order: self.order, behind: self.behind.map(key), limit: self.limit }
    }
}

impl<K: Ord> Stretch<K> {
    /// This stretch of what is in memory.
    pub fn of<T: Clone>(self, all: &BTreeMap<K, T>) -> Listed<T> {
        let behind = self.behind.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = match self.order {
            Order::Ascending => all
                .range((behind, Bound::Unbounded))
                .map(|(_, value)| value)
                .take(self.limit + 1)
                .cloned()
                .collect(),
            Order::Descending => all
                .range((Bound::Unbounded, behind))
                .rev()
                .map(|(_, value)| value)
                .take(self.limit + 1)
                .cloned()
                .collect(),
        };
        Listed::of(entries, self.limit)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, cursor: None }
    }
}

impl<T> Page<T> {
    /// The page of a list in which there is nothing.
    pub(super) fn empty() -> Self {
        Self { items: Vec::new(), next: None }
    }

    /// A page of these, whatever their number.
    pub(super) fn part(items: Vec<T>, more: bool, cursor: impl Fn(&T) -> String) -> Self {
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }

    /// The page of a list of which one entry more than `limit` was read, if there are so many.
    pub(super) fn of(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self::part(items, more, cursor)
    }
}
