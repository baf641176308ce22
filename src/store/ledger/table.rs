//! The table: all rows of the store as one, in the order of their keys, wherever they lie: those of blocks in the log,
//! others in sled, or in memory until sled has them.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use sled::{IVec, Tree};

use crate::store::Error;
use crate::store::ledger::fault::failed;
use crate::store::ledger::keys::{self, Logged};
use crate::store::ledger::log::Log;
use crate::store::ledger::recent::Recent;

/// The rows of a store.
#[derive(Clone)]
pub struct Table {
    pub(super) sled: Tree,
    pub(super) log: Arc<Log>,
    pub(super) recent: Arc<Recent>,
}

impl Table {
    /// A row's value.
    ///
    /// # Errors
    /// When it is damaged, or the disk refuses.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>, Error> {
        let key = key.as_ref();
        if let Some(logged) = Logged::of(key) {
            return self.log.get(&logged);
        }
        // In this order: sled has a row before it goes from there.
        match self.recent.get(key) {
            Some(value) => Ok(value),
            None => self.sled.get(key).map_err(failed),
        }
    }

    /// Whether there is such a row.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        match Logged::of(key.as_ref()) {
            Some(logged) => Ok(self.log.contains(&logged)),
            None => Ok(self.get(key)?.is_some()),
        }
    }

    /// The rows of a range, ascending. It lies in the log as a whole, or outside.
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range {
        let owned = |bound: Bound<&K>| bound.map(|key| IVec::from(key.as_ref()));
        Range::new(self.clone(), owned(range.start_bound()), owned(range.end_bound()))
    }

    /// The rows whose keys begin so, ascending.
    pub fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        let prefix = prefix.as_ref();
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        let end = match end.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(IVec::from(end))
            }
            None => Bound::Unbounded,
        };
        Range::new(self.clone(), Bound::Included(prefix.into()), end)
    }

    /// All rows of the store: those in sled, then those in the log; but for what only says where they lie.
    pub fn iter(&self) -> impl Iterator<Item = Result<(IVec, IVec), Error>> + use<> {
        let all = || self.range::<&[u8]>(..);
        let (sled, log) = (all(), Range { sled: None, ..all() });
        // What an earlier version left in sled may not be swept yet.
        let is_elsewhere = |key: &[u8]| key == keys::CHECKPOINT || Logged::of(key).is_some();
        let sled = sled.filter(move |row| !row.as_ref().is_ok_and(|(key, _)| is_elsewhere(key)));
        sled.chain(log.filter(|row| !row.as_ref().is_ok_and(|(key, _)| key == keys::BEGINNING)))
    }
}

/// Rows of a range, in the order of their keys or, once told so, the other way round. Each is as it is when it is reached.
pub struct Range {
    table: Table,
    /// What is left.
    bounds: (Bound<IVec>, Bound<IVec>),
    is_backwards: bool,
    /// sled's side of it, unless it lies in the log.
    sled: Option<Merged>,
}

/// sled's side of a range.
struct Merged {
    rows: sled::Iter,
    /// The next of its rows, if it was looked at; and whether there is one.
    next: Option<Option<(IVec, IVec)>>,
    /// When it was positioned, going by what has gone from memory to sled.
    epoch: u64,
}

impl Merged {
    fn new(table: &Table, bounds: (Bound<IVec>, Bound<IVec>)) -> Self {
        let epoch = table.recent.epoch();
        Self { rows: table.sled.range::<IVec, _>(bounds), next: None, epoch }
    }
}

impl Range {
    fn new(table: Table, start: Bound<IVec>, end: Bound<IVec>) -> Self {
        let of_log = |bound: &Bound<IVec>| match bound {
            Bound::Included(key) | Bound::Excluded(key) => Logged::of(key).is_some(),
            Bound::Unbounded => false,
        };
        let bounds = (start, end);
        let is_in_log = of_log(&bounds.0) || of_log(&bounds.1);
        let sled = (!is_in_log).then(|| Merged::new(&table, bounds.clone()));
        Self { table, bounds, is_backwards: false, sled }
    }

    /// The other way round.
    pub fn rev(mut self) -> Self {
        self.is_backwards = !self.is_backwards;
        self
    }

    /// The keys alone; values are not read.
    pub fn keys(mut self) -> impl Iterator<Item = Result<IVec, Error>> + use<> {
        std::iter::from_fn(move || self.next_key().transpose())
    }

    fn next_key(&mut self) -> Result<Option<IVec>, Error> {
        match self.sled {
            None => Ok(self.next_logged().map(|key| key.bytes().into())),
            Some(_) => Ok(self.next_row()?.map(|(key, _)| key)),
        }
    }

    fn next_logged(&mut self) -> Option<Logged> {
        let logged =
            |bound: &Bound<IVec>| bound.as_ref().map(|key| Logged::of(key).expect("it lies in the log"));
        let bounds = (logged(&self.bounds.0), logged(&self.bounds.1));
        if is_empty(&bounds) {
            return None;
        }
        let key = self.table.log.next(bounds, self.is_backwards)?;
        self.pass(key.bytes().into());
        Some(key)
    }

    /// The next row in sled or on its way there.
    fn next_row(&mut self) -> Result<Option<(IVec, IVec)>, Error> {
        loop {
            if is_empty(&self.bounds) {
                return Ok(None);
            }
            let Some(sled) = &mut self.sled else { return Ok(None) };
            let next = match &sled.next {
                Some(next) => next.clone(),
                None => {
                    let next = if self.is_backwards { sled.rows.next_back() } else { sled.rows.next() };
                    let next = next.transpose().map_err(failed)?;
                    sled.next.insert(next).clone()
                }
            };
            let slices = (slice(&self.bounds.0), slice(&self.bounds.1));
            let look = self.table.recent.look(slices, self.is_backwards);
            if sled.epoch != look.epoch {
                // A row may have gone to sled, before the one that was looked at there.
                *sled = Merged::new(&self.table, self.bounds.clone());
                continue;
            }
            let recent_is_next = match (&next, &look.next) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some((in_sled, _)), Some((recent, _))) if self.is_backwards => recent >= in_sled,
                (Some((in_sled, _)), Some((recent, _))) => recent <= in_sled,
            };
            let is_same = next.as_ref().map(|(key, _)| key) == look.next.as_ref().map(|(key, _)| key);
            if !recent_is_next || is_same {
                sled.next = None;
            }
            let found = if recent_is_next { look.next } else { next.map(|(key, value)| (key, Some(value))) };
            let Some((key, value)) = found else {
                return Ok(None);
            };
            self.pass(key.clone());
            if let Some(value) = value {
                return Ok(Some((key, value)));
            }
        }
    }

    /// Goes on behind this row.
    fn pass(&mut self, key: IVec) {
        let bound = if self.is_backwards { &mut self.bounds.1 } else { &mut self.bounds.0 };
        *bound = Bound::Excluded(key);
    }
}

impl Iterator for Range {
    type Item = Result<(IVec, IVec), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.sled.is_some() {
            let next = self.next_row().transpose();
            if let Some(Err(_)) = next {
                // What sled says after an error says nothing; the log's rows stand each by itself.
                self.bounds = (Bound::Excluded(IVec::default()), Bound::Excluded(IVec::default()));
            }
            return next;
        }
        loop {
            let key = self.next_logged()?;
            match self.table.log.get(&key).transpose() {
                Some(value) => return Some(value.map(|value| (key.bytes().into(), value))),
                // It has just been dropped.
                None => continue,
            }
        }
    }
}

fn slice(bound: &Bound<IVec>) -> Bound<&[u8]> {
    bound.as_ref().map(AsRef::as_ref)
}

/// Whether nothing is within: maps refuse to be asked for the rows of such a range.
fn is_empty<T: Ord>(bounds: &(Bound<T>, Bound<T>)) -> bool {
    match (&bounds.0, &bounds.1) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
        | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
