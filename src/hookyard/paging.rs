//! Pages: parts of a list, newest first.

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
