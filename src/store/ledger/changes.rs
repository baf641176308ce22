//! Changes: which rows have changed since somebody began to copy the store.
//!
//! Every batch notes its keys here once it is applied. Noting costs nothing while nobody copies, and it is bounded:
//! when too many rows have changed, the copy is given up, and nothing else suffers.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sled::IVec;

use crate::store::CopyError;

/// How many changed rows are remembered, at some 50 bytes each.
const NOTED_ROWS: usize = if cfg!(test) { 5_000 } else { 1 << 20 };

/// What changed.
#[derive(Default)]
pub struct Changes(Mutex<Noting>);

#[derive(Default)]
enum Noting {
    /// Nobody copies.
    #[default]
    Off,
    On(HashSet<IVec>),
    /// Somebody copies in vain.
    TooMany,
}

impl Changes {
    /// Begins to note; says no when somebody copies already. To be called between two batches.
    pub fn begin(&self) -> bool {
        let mut noting = self.noting();
        let is_free = matches!(*noting, Noting::Off);
        if is_free {
            *noting = Noting::On(HashSet::new());
        }
        is_free
    }

    /// Notes rows that have changed.
    pub fn note<'a>(&self, keys: impl Iterator<Item = &'a IVec>) {
        let mut noting = self.noting();
        if let Noting::On(noted) = &mut *noting {
            noted.extend(keys.cloned());
            if noted.len() > NOTED_ROWS {
                *noting = Noting::TooMany;
            }
        }
    }

    /// What was noted since it was last taken.
    ///
    /// # Errors
    /// When it was too much, or the store is being closed.
    pub fn take(&self) -> Result<HashSet<IVec>, CopyError> {
        match &mut *self.noting() {
            Noting::On(noted) => Ok(std::mem::take(noted)),
            Noting::TooMany => Err(CopyError::TooMuchChanged),
            Noting::Off => Err(CopyError::Closed),
        }
    }

    /// How much has been noted since it was last taken.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn count(&self) -> Result<usize, CopyError> {
        match &*self.noting() {
            Noting::On(noted) => Ok(noted.len()),
            Noting::TooMany => Err(CopyError::TooMuchChanged),
            Noting::Off => Err(CopyError::Closed),
        }
    }

    /// Ends the noting.
    pub fn end(&self) {
        *self.noting() = Noting::Off;
    }

    fn noting(&self) -> MutexGuard<'_, Noting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u32) -> Vec<IVec> {
        (0..count).map(|no| IVec::from(&no.to_be_bytes())).collect()
    }

    #[test]
    fn what_changes_is_noted_from_the_beginning_of_a_copy_to_its_end() {
        let changes = Changes::default();
        changes.note(keys(1).iter());
        assert!(changes.begin());
        assert!(!changes.begin());
        changes.note(keys(3).iter());
        changes.note(keys(2).iter());
        assert_eq!(changes.take().unwrap().len(), 3);
        assert_eq!(changes.count().unwrap(), 0);
        changes.end();
        assert!(matches!(changes.take(), Err(CopyError::Closed)));
        assert!(changes.begin());
    }

    #[test]
    fn more_changes_than_are_remembered_end_the_copy() {
        let changes = Changes::default();
        assert!(changes.begin());
        changes.note(keys(NOTED_ROWS as u32 + 1).iter());
        assert!(matches!(changes.count(), Err(CopyError::TooMuchChanged)));
        assert!(!changes.begin(), "whoever copies has yet to learn it");
    }
}
