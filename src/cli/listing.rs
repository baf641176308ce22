//! Lists: as many pages as are asked for, shown row by row.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Failure;
use super::client::{self, Answer, Client, Query};
use super::output::cell::Cell;
use super::output::{self, Output};

/// How much of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Extent {
    /// Show at most so many
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
    /// What the values behind the columns are called, where [`show_one`] shows an entry.
    const FURTHER: &'static [&'static str] = &[];

    /// The value of each column, and behind them those that only a program gets.
    fn cells(&self) -> Vec<Cell>;
}

/// The pages of a list, each found through the one before.
pub struct Pages<'a> {
    client: &'a Client,
    path: &'a str,
    next: Option<Query>,
    left: u64,
    turning: Turning,
}

/// How a page leads to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turning {
    /// By a `Link` header beside a bare array.
    Link,
    /// By an iterator in it, as in the operator's API.
    Iterator,
}

/// A page of the operator's API.
#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    iterator: Option<String>,
    done: bool,
}

/// The most entries that the API gives at once.
pub const LARGEST_PAGE: u64 = 1_000;
/// The same of the operator's API.
const LARGEST_OPERATOR_PAGE: u64 = 250;
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
        Self { client, path, next: Some(query), left: count, turning: Turning::Link }
    }

    /// The same of a list of the operator's API.
    pub fn of_operator(client: &'a Client, path: &'a str, query: Query, count: u64) -> Self {
        Self { turning: Turning::Iterator, ..Self::new(client, path, query, count) }
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
        let largest = match self.turning {
            Turning::Link => LARGEST_PAGE,
            Turning::Iterator => LARGEST_OPERATOR_PAGE,
        };
        let query = query.replace("limit", self.left.min(largest));
        let answer = self.client.get(self.path, &query)?;
        let (entries, next) = match self.turning {
            Turning::Link => (answer.entries()?, answer.next),
            Turning::Iterator => {
                let Page { data, iterator, done } = answer.decode()?;
                let iterator = iterator.filter(|_| !done);
                (data, iterator.map(|iterator| query.replace("iterator", iterator)))
            }
        };
        self.left = self.left.saturating_sub(entries.len() as u64);
        self.next = next;
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

/// Shows a single entry, field by field.
///
/// # Errors
/// When it is not as expected, or cannot be written.
pub fn show_one<R: Row>(answer: &Answer, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(&answer.json);
    }
    let names = R::HEADINGS.iter().chain(R::FURTHER).map(|name| name.to_lowercase());
    let names: Vec<String> = names.collect();
    let fields: Vec<_> = names.iter().map(String::as_str).zip(answer.decode::<R>()?.cells()).collect();
    output.fields(&fields)
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
