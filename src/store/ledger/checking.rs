//! Checking a store that nobody uses: whether what is in it can be what a server left.
//!
//! Each [`Invariant`] holds whenever a batch is whole, so it holds after every stop, kill and power cut. One that does not
//! is a fault of the disk, of the file system, or of hookyard. Nothing is repaired here, and the store is not
//! changed, but for what opening its files does: sled drops what a crash left half-written at their end, and what an
//! earlier version left is brought to where this one has it.

mod references;
mod survey;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use crate::id::Seal;
use crate::store::ledger::mark::Mark;
use crate::store::ledger::retention::Policy;
use crate::store::ledger::sync::Durability;
use crate::store::ledger::{DATABASE, STORE_DIRECTORY, open_files, read_schema, read_seal_of};

use self::survey::Survey;

pub use crate::store::ledger::OpenError;

/// What always holds of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// Every row is of a kind that this version knows.
    RowsAreKnown,
    /// Every row can be read, and its value is one.
    ValuesCanBeRead,
    /// A block that lies in pieces has all of them, and no piece is without its block.
    BlocksAreWhole,
    /// No event is in two blocks, and blocks are in the order of the commits that wrote them.
    BlocksAreOrdered,
    /// The cursor stands at an event of the commit that it names or at the end, and no event behind it is missing.
    CursorIsInPlace,
    /// What waits for a hook that is there is a delivery of an event that is there.
    WaitingEventsExist,
    /// What waits belongs to a hook that is there, or is noted as left by one that is gone.
    WaitingHooksExist,
    /// A page begins with the event of its key, ascends, and ends before the next begins.
    PagesAreOrdered,
    /// Progress is that of a page.
    ProgressHasItsPage,
    /// A chapter names all that is in the blocks that it covers.
    ChaptersNameAll,
    /// Hooks and keys belong to accounts that are there.
    AccountsExist,
    /// No two accounts have one number, and no two hooks of an account one URL and event.
    NothingIsTwice,
    /// The next hook and the next account get numbers that none had before, and nothing names a later one.
    NumbersAreFresh,
}

/// An invariant that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    pub what: String,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub rows: u64,
    pub events: u64,
    pub hooks: u64,
    pub violations: u64,
}

/// Takes violations, and counts them.
struct Findings<'a> {
    each: &'a mut dyn FnMut(Violation),
    count: u64,
}

/// Checks the store in `data_dir`, which nobody else may use meanwhile; hands each violation to `each`.
///
/// # Errors
/// When there is no store, another process has it open, a newer version wrote it, or it is so damaged that it cannot be
/// opened.
pub fn check(data_dir: &Path, each: &mut dyn FnMut(Violation)) -> Result<Checked, OpenError> {
    let directory = data_dir.join(STORE_DIRECTORY);
    if !directory.join(DATABASE).exists() {
        return Err(OpenError::Missing(data_dir.to_owned()));
    }
    check_store(&directory, each)
}

/// The same for the directory of the store itself.
pub(crate) fn check_store(directory: &Path, each: &mut dyn FnMut(Violation)) -> Result<Checked, OpenError> {
    let syncer = open_files(directory, Durability::default(), Policy::default(), None)?;
    let table = syncer.table();
    let damaged = |why: String| OpenError::Damaged { path: directory.to_owned(), why };
    let refused = |error| OpenError::of(directory, error);
    if read_schema(table).map_err(refused)?.is_none() {
        return Err(damaged("its schema version is missing".to_owned()));
    }
    let seal = read_seal_of(table).map_err(refused)?;
    let mark = Mark::find(directory, &seal).map_err(refused)?;
    let seal = Seal::new(&seal);
    let mut findings = Findings { each, count: 0 };
    // sled panics over some kinds of damage.
    let checked = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let survey = Survey::of(table, &seal, &mut findings);
        references::check(table, &survey, &mut findings);
        (survey.checked(), survey.is_whole.then_some(survey.last_commit))
    }));
    let (checked, last_commit) =
        checked.map_err(|_| damaged("its files contradict each other".to_owned()))?;
    if let (Some(mark), Some(last_commit)) = (mark, last_commit) {
        mark.check(last_commit).map_err(refused)?;
    }
    Ok(Checked { violations: findings.count, ..checked })
}

impl Findings<'_> {
    fn say(&mut self, invariant: Invariant, what: impl fmt::Display) {
        self.count += 1;
        (self.each)(Violation { invariant, what: what.to_string() });
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowsAreKnown => "rows-are-known",
            Self::ValuesCanBeRead => "values-can-be-read",
            Self::BlocksAreWhole => "blocks-are-whole",
            Self::BlocksAreOrdered => "blocks-are-ordered",
            Self::CursorIsInPlace => "cursor-is-in-place",
            Self::WaitingEventsExist => "waiting-events-exist",
            Self::WaitingHooksExist => "waiting-hooks-exist",
            Self::PagesAreOrdered => "pages-are-ordered",
            Self::ProgressHasItsPage => "progress-has-its-page",
            Self::ChaptersNameAll => "chapters-name-all",
            Self::AccountsExist => "accounts-exist",
            Self::NothingIsTwice => "nothing-is-twice",
            Self::NumbersAreFresh => "numbers-are-fresh",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}
