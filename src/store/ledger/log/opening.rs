//! Opening a log: what lies in its segments, and what a crash has left behind.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use super::index::{Fill, Index};
use super::record::Change;
use super::segment::{self, Contents, LogId, placed};
use super::{Full, Head, LOG_DIRECTORY, Log, damaged, missing};
use crate::store::Error;
use crate::store::ledger::fault::refused;
use crate::store::ledger::keys::{self, Logged};
use crate::store::ledger::sync::Durability;
use crate::store::ledger::values::decode;

/// A log that is being opened.
struct Opening<'a> {
    directory: &'a Path,
    /// The changes from this record on are asked for.
    checkpoint: u64,
    id: Option<LogId>,
    /// The number that the next record must have.
    next: Option<u64>,
    index: Index,
    /// Segments of which nothing says what lies in them; the last of all may be the last of these.
    read: VecDeque<Full>,
}

/// The files of the segments of which nothing says what lies in them: whatever is not durable is in these.
pub fn open_segments(store: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = store.join(LOG_DIRECTORY);
    let numbers = segment::numbers(&directory)?;
    let open = numbers.into_iter().filter(|no| Contents::find(&directory, *no).is_none());
    Ok(open.map(|no| segment::path(&directory, no)).collect())
}

impl Log {
    /// Opens the log in `directory`, which is made if there is none. Hands all changes since the record `checkpoint` of
    /// rows that do not lie in it to `each`, with their record's number.
    ///
    /// # Errors
    /// When it is damaged, does not go back so far, or the disk refuses.
    pub fn open(
        directory: &Path,
        durability: Durability,
        segment_bytes: u64,
        checkpoint: u64,
        mut each: impl FnMut(u64, Change<'_>),
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(directory).map_err(refused)?;
        // The name of a segment may be there and not durable.
        for one in [Some(directory), directory.parent()].into_iter().flatten() {
            File::open(one).and_then(|one| one.sync_all()).map_err(refused)?;
        }
        let (left_behind, numbers) = numbers(directory)?;
        let (index, read) = (Index::default(), VecDeque::new());
        let mut opening = Opening { directory, checkpoint, id: None, next: None, index, read };
        for no in &numbers {
            opening.segment(*no, Some(no) == numbers.last(), &mut each)?;
        }
        let log = opening.finish(numbers.last().copied(), durability, segment_bytes).map_err(refused)?;
        log.finish_dropping(&left_behind)?;
        Ok(log)
    }

    /// Removes segments that are not needed, which a crash has left; says so if one is missing that is.
    fn finish_dropping(&self, left_behind: &[u32]) -> Result<(), Error> {
        let beginning = self.get(&Logged::of(keys::BEGINNING).expect("it lies in the log"))?;
        let beginning: u32 = beginning.map_or(Ok(1), |beginning| decode(&beginning))?;
        let oldest = self.index().segments.keys().next().copied();
        if let Some(oldest) = oldest.filter(|oldest| *oldest > beginning) {
            let gone = (beginning..oldest).find(|no| !left_behind.contains(no));
            return Err(missing(gone.unwrap_or(beginning)));
        }
        for no in left_behind {
            segment::remove(&self.directory, *no).map_err(refused)?;
        }
        segment::remove_orphans(&self.directory).map_err(refused)?;
        self.head().full.retain(|full| full.no >= beginning);
        self.drop_before(beginning);
        self.remove_dropped()
    }
}

/// The segments that a power cut has brought back, and those that are neighbours up to the last.
fn numbers(directory: &Path) -> Result<(Vec<u32>, Vec<u32>), Error> {
    let mut numbers = segment::numbers(directory).map_err(refused)?;
    // A crash may leave the last without its head: then nothing was ever written to it.
    if let Some(last) = numbers.last().copied() {
        let bytes = segment::path(directory, last).metadata().map_err(refused)?.len();
        if bytes <= segment::HEAD as u64 && read_head(directory, last)?.is_none() {
            segment::remove(directory, last).map_err(refused)?;
            numbers.pop();
        }
    }
    // They are removed one by one, and a cut may bring back some: what lies before the last gap goes once more.
    let is_before_a_gap = |pair: &[u32]| pair[0] + 1 != pair[1];
    let gap = numbers.windows(2).rposition(is_before_a_gap).map_or(0, |before| before + 1);
    let neighbours = numbers.split_off(gap);
    Ok((numbers, neighbours))
}

impl Opening<'_> {
    /// Learns what lies in the next segment.
    fn segment(
        &mut self,
        no: u32,
        is_last: bool,
        each: &mut impl FnMut(u64, Change<'_>),
    ) -> Result<(), Error> {
        let Some((log, first)) = read_head(self.directory, no)? else {
            return Err(damaged(no, 0));
        };
        if self.id.is_some_and(|known| known != log) || self.next.is_some_and(|next| next != first) {
            return Err(Error::damaged(format!("segment {no} is of another log")));
        }
        if self.id.is_none() && first > self.checkpoint {
            let what = format!("rows of before record {first} of the log, with which it begins, are missing");
            return Err(Error::damaged(what));
        }
        self.id = Some(log);
        let file = File::open(segment::path(self.directory, no)).map_err(refused)?;
        let bytes = file.metadata().map_err(refused)?.len();
        self.index.segments.insert(no, Fill { bytes, needed: 0 });
        // It may have been written and not synced when the process was killed, or whoever wrote it synced nothing.
        file.sync_all().map_err(refused)?;
        if let Some(contents) = Contents::find(self.directory, no)
            && (contents.log, contents.first, contents.bytes) == (log, first, bytes)
            && contents.next <= self.checkpoint
        {
            contents.rows.iter().for_each(|(key, place)| self.index.note(no, *key, *place));
            self.next = Some(contents.next);
            return Ok(());
        }
        let mut rows = Vec::new();
        let scanned = segment::scan(&file, first, |record, offset, change| match placed(offset, &change) {
            Some((key, place)) => {
                self.index.note(no, key, place);
                rows.push((key, place));
            }
            None if record >= self.checkpoint => each(record, change),
            None => {}
        });
        let (end, next) = scanned.map_err(refused)?;
        if !is_last && end != bytes {
            return Err(damaged(no, end));
        }
        self.index.segments.entry(no).or_default().bytes = end;
        self.next = Some(next);
        self.read.push_back(Full { no, contents: Contents { log, first, bytes: end, next, rows } });
        Ok(())
    }

    /// Goes on behind the last segment, or begins the next one if that is closed.
    fn finish(self, last: Option<u32>, durability: Durability, segment_bytes: u64) -> io::Result<Log> {
        let Self { directory, id, next, mut index, read: mut full, .. } = self;
        let (id, next) = (id.unwrap_or_else(rand::random), next.unwrap_or(1));
        let open = full.pop_back_if(|full| Some(full.no) == last);
        let (no, file, first, end, rows) = match open {
            Some(Full { no, contents }) => {
                let path = segment::path(directory, no);
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                (no, file, contents.first, contents.bytes, contents.rows)
            }
            None => {
                let no = last.map_or(1, |last| last + 1);
                let (file, end) = (segment::create(directory, no, id, next)?, segment::HEAD as u64);
                index.segments.insert(no, Fill { bytes: end, needed: 0 });
                (no, file, next, end, Vec::new())
            }
        };
        let (file, buffer) = (Arc::new(file), Vec::new());
        let (is_cut, is_broken) = (false, false);
        let head = Head { no, file, first, end, written: end, next, rows, full, buffer, is_cut, is_broken };
        Ok(Log {
            directory: directory.to_owned(),
            id,
            durability,
            segment_bytes,
            index: RwLock::new(index),
            head: Mutex::new(head),
            durable: AtomicU64::new(next),
            files: Mutex::default(),
            dropped: Mutex::default(),
        })
    }
}

fn read_head(directory: &Path, no: u32) -> Result<Option<(LogId, u64)>, Error> {
    let mut file = File::open(segment::path(directory, no)).map_err(refused)?;
    segment::read_head(&mut file).map_err(refused)
}
