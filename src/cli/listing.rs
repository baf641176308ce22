//! Lists: as many pages as are asked for, shown row by row.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Failure;
use super::client::{self, Client, Query};
use super::output::cell::Cell;
use super::output::{self, Output};

/// How much of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Extent {
    /// Show at most so many, the newest
    #[arg(long, default_value_t = USUAL_COUNT, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// Show all there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// An entry of a list.
pub trait Row: DeserializeOwned {
    /// What the entries are called, for when there are none.
    const PLURAL: &'static str;
    /// The columns that a terminal shows.
    const HEADINGS: &'static [&'static str];

    /// The value of each column, and behind them those that only a program gets.
    fn cells(&self) -> Vec<Cell>;
}

/// The pages of a list, each behind the link in the one before.
pub struct Pages<'a> {
    client: &'a Client,
    path: &'a str,
    next: Option<Query>,
    left: u64,
}

/// The most entries that the API gives at once.
pub const LARGEST_PAGE: u64 = 1_000;
/// How many are shown unless told.
const USUAL_COUNT: u64 = 50;

impl Default for Extent {
    fn default() -> Self {
        Self { limit: USUAL_COUNT, all: false }
    }
}

impl Extent {
    /// How many entries at most.
    pub fn count(&self) -> u64 {
        if self.all { u64::MAX } else { self.limit }
    }
}

impl<'a> Pages<'a> {
    /// The first `count` entries of the list.
    pub fn new(client: &'a Client, path: &'a str, query: Query, count: u64) -> Self {
        Self { client, path, next: Some(query), left: count }
    }

    /// The next page, if there is one and it is wanted.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn next_page(&mut self) -> Result<Option<Vec<Box<RawValue>>>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(query) = self.next.take() else { return Ok(None) };
        let query = query.replace("limit", self.left.min(LARGEST_PAGE));
        let answer = self.client.get(self.path, &query)?;
        let entries = answer.entries()?;
        self.left = self.left.saturating_sub(entries.len() as u64);
        self.next = answer.next;
        Ok(Some(entries))
    }

    /// Whether the list goes on behind what was wanted.
    pub fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// All that is wanted, decoded.
    ///
    /// # Errors
    /// When it cannot be had, or is not as expected.
    pub fn collect<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page()? {
            for entry in &page {
                all.push(client::decode(entry)?);
            }
        }
        Ok(all)
    }
}

/// Shows the entries of a list; what is piped comes page by page.
///
/// # Errors
/// When the list cannot be had, or not be written.
pub fn show<R: Row>(mut pages: Pages<'_>, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return show_json(&mut pages, output);
    }
    let mut rows = Vec::new();
    while let Some(page) = pages.next_page()? {
        for entry in &page {
            rows.push(client::decode::<R>(entry)?.cells());
        }
        if !output.is_terminal() {
            output.rows(&std::mem::take(&mut rows))?;
        }
    }
    if !output.is_terminal() {
        return Ok(());
    }
    match rows.is_empty() {
        true => output::note(format_args!("no {}", R::PLURAL)),
        false => output.table(R::HEADINGS, &rows)?,
    }
    if pages.has_more() {
        output::note(format_args!("there are more {}: --limit N or --all shows them", R::PLURAL));
    }
    Ok(())
}

/// One array, however many pages it came in.
fn show_json(pages: &mut Pages<'_>, output: &mut Output) -> Result<(), Failure> {
    let mut separator = "[";
    while let Some(page) = pages.next_page()? {
        let mut text = String::new();
        for entry in &page {
            text.push_str(separator);
            text.push_str(entry.get());
            separator = ",";
        }
        output.write(&text)?;
    }
    output.line(if separator == "[" { "[]" } else { "]" })
}
