//! The log: every change of the store in the order in which it was made, and for good the rows of blocks.
//!
//! A batch is one record at the end of the last segment; syncing that one file is all that it takes to make it durable.
//! What lies in blocks is read from here ever after, so it is written once. In memory is where each row lies. Other rows
//! are brought to sled later ([`super::checkpoint`]): what the log says of them counts only until then.
//!
//! A segment that is full gets a file that says what lies in it, so that a start need not read it. Segments go oldest
//! first, once nothing in them is needed: what still is then is put once more, at the end.

mod index;
mod opening;
pub mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use sled::IVec;

use self::index::{Index, Location};
use self::record::Change;
use self::segment::{Contents, LogId, Place, placed};
use crate::store::Error;
use crate::store::ledger::fault::refused;
use crate::store::ledger::keys::Logged;
use crate::store::ledger::sync::Durability;

pub use opening::open_segments;

/// The log's directory within the store's.
pub const LOG_DIRECTORY: &str = "log";
/// So many bytes, and the segment is full.
pub const SEGMENT_BYTES: u64 = if cfg!(test) { 4 << 10 } else { 64 << 20 };
/// So many segments' bytes may be there in vain, however little is needed.
const SEGMENTS_SPARED: u64 = 2;
/// By how much the last segment's file is longer than what lies in it, at most. What takes the place of bytes that were
/// written before changes neither the file's length nor where it lies: to sync it, nothing else has to be written down.
const AHEAD: u64 = if cfg!(test) { 1 << 10 } else { 256 << 10 };
/// How many segments' files are kept open for reading.
const FILES_OPEN: usize = 16;

/// The log of one store.
pub struct Log {
    directory: PathBuf,
    id: LogId,
    durability: Durability,
    segment_bytes: u64,
    index: RwLock<Index>,
    head: Mutex<Head>,
    /// The number behind the last record that is durable.
    durable: AtomicU64,
    files: Mutex<VecDeque<(u32, Arc<File>)>>,
    /// Segments whose files may go.
    dropped: Mutex<Vec<u32>>,
}

/// The end of the log.
struct Head {
    no: u32,
    file: Arc<File>,
    /// The number of the first record in it.
    first: u64,
    end: u64,
    /// Up to here the file is written, behind the end with zeros.
    written: u64,
    /// The number of the next record.
    next: u64,
    /// What the last segment does to the rows.
    rows: Vec<(Logged, Place)>,
    /// Segments that are full, and for which nothing says so yet.
    full: VecDeque<Full>,
    buffer: Vec<u8>,
    /// Whether nothing stands behind the end: what a crash has torn is cut off before the first write, and not before it
    /// is known to be no damage.
    is_cut: bool,
    /// Whether a write has failed: then nobody knows what is behind the end.
    is_broken: bool,
}

struct Full {
    no: u32,
    contents: Contents,
}

/// A batch that was appended.
pub struct Appended {
    pub record: u64,
    /// Whether a segment was full before it.
    pub has_begun_segment: bool,
}

fn missing(no: u32) -> Error {
    Error::damaged(format!("segment {no} of the log is missing"))
}

fn damaged(no: u32, offset: u64) -> Error {
    Error::damaged(format!("segment {no} of the log makes no sense at byte {offset}"))
}

impl Log {
    /// Appends a batch. It is durable once it is synced.
    ///
    /// # Errors
    /// When the disk refuses. Then nothing can be appended any more.
    pub fn append(&self, changes: &[Change<'_>]) -> Result<Appended, Error> {
        let mut head = self.head();
        if head.is_broken {
            return Err(Error::Failed("the log has failed".into()));
        }
        head.is_broken = true;
        if !head.is_cut {
            cut(&head.file, head.end).map_err(refused)?;
            head.is_cut = true;
        }
        let has_begun_segment = head.end >= self.segment_bytes;
        if has_begun_segment {
            self.begin_segment(&mut head)?;
        }
        let no = head.next;
        let mut buffer = std::mem::take(&mut head.buffer);
        buffer.clear();
        record::encode(&mut buffer, no, changes);
        segment::write_at(&head.file, &buffer, head.end).map_err(refused)?;
        let end = head.end + buffer.len() as u64;
        // Behind a large batch it would not last for long.
        let is_worth_it = (buffer.len() as u64) < AHEAD / 4;
        if end > head.written && is_worth_it && self.durability == Durability::SyncAfterFlush {
            let until = end.next_multiple_of(AHEAD).min(self.segment_bytes).max(end);
            // Where there is no room for them, the batch is there nevertheless.
            head.written = write_zeros(&head.file, end..until).map_or(end, |()| until);
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let mut offset = head.end + record::RECORD_HEAD as u64;
        for change in changes {
            if let Some((key, place)) = placed(offset, change) {
                index.note(head.no, key, place);
                head.rows.push((key, place));
            }
            offset += change.bytes() as u64;
        }
        head.end = end;
        index.segments.entry(head.no).or_default().bytes = head.end;
        head.next = no + 1;
        head.buffer = buffer;
        head.is_broken = false;
        Ok(Appended { record: no, has_begun_segment })
    }

    /// Makes what is full durable, and begins the next segment.
    fn begin_segment(&self, head: &mut Head) -> Result<(), Error> {
        cut(&head.file, head.end).map_err(refused)?;
        self.sync_head(head)?;
        let (no, next) = (head.no + 1, head.next);
        let file = segment::create(&self.directory, no, self.id, next).map_err(refused)?;
        let rows = std::mem::take(&mut head.rows);
        let contents = Contents { log: self.id, first: head.first, bytes: head.end, next, rows };
        head.full.push_back(Full { no: head.no, contents });
        (head.no, head.file, head.first) = (no, Arc::new(file), next);
        (head.end, head.written) = (segment::HEAD as u64, segment::HEAD as u64);
        Ok(())
    }

    /// When this returns `Ok`, everything that was appended before is as durable as was asked for.
    ///
    /// # Errors
    /// When the disk refuses. Then nothing can be appended any more.
    pub fn sync(&self) -> Result<(), Error> {
        let mut head = self.head();
        if head.is_broken {
            return Err(Error::Failed("the log has failed".into()));
        }
        self.sync_head(&mut head)
    }

    fn sync_head(&self, head: &mut Head) -> Result<(), Error> {
        if self.durable.load(Ordering::Relaxed) == head.next {
            return Ok(());
        }
        if self.durability == Durability::SyncAfterFlush
            && let Err(error) = head.file.sync_data()
        {
            head.is_broken = true;
            return Err(refused(error));
        }
        self.durable.store(head.next, Ordering::Release);
        Ok(())
    }

    /// The number behind the last record that is durable.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Writes down what lies in segments that are full, and of which sled has the rest: everything before the record
    /// `checkpoint`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn close_segments(&self, checkpoint: u64) -> Result<(), Error> {
        loop {
            let is_due = |full: &mut Full| full.contents.next <= checkpoint;
            let Some(full) = self.head().full.pop_front_if(is_due) else {
                return Ok(());
            };
            let contents = Contents { rows: latest(full.contents.rows), ..full.contents };
            contents.write(&self.directory, full.no).map_err(refused)?;
        }
    }

    /// Whether there are segments that are full and not closed, or dropped and not removed.
    pub fn has_chores(&self) -> bool {
        !self.head().full.is_empty() || !self.dropped().is_empty()
    }

    /// A row's value.
    ///
    /// # Errors
    /// When it is damaged, or the disk refuses.
    pub fn get(&self, key: &Logged) -> Result<Option<IVec>, Error> {
        let mut tried = None;
        loop {
            let found = self.index().rows.get(key).copied();
            let Some(at) = found else {
                return Ok(None);
            };
            match self.read(key, at) {
                Ok(value) => return Ok(Some(value)),
                // Its segment may just have been dropped: then it lies elsewhere by now.
                Err(_) if tried != found => tried = found,
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether there is such a row.
    pub fn contains(&self, key: &Logged) -> bool {
        self.index().rows.contains_key(key)
    }

    /// The first row of a range, or the last.
    pub fn next(&self, range: (Bound<Logged>, Bound<Logged>), is_backwards: bool) -> Option<Logged> {
        let index = self.index();
        let mut rows = index.rows.range(range);
        let next = if is_backwards { rows.next_back() } else { rows.next() };
        next.map(|(key, _)| *key)
    }

    fn read(&self, key: &Logged, at: Location) -> Result<IVec, Error> {
        let file = self.file(at.segment)?;
        let mut bytes = vec![0; at.bytes as usize];
        segment::read_at(&file, &mut bytes, at.offset.into()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(at.segment, at.offset.into()),
            _ => refused(error),
        })?;
        let change = record::decode(&bytes).filter(|change| change.key == key.bytes());
        let value = change.and_then(|change| change.value);
        value.map(IVec::from).ok_or_else(|| damaged(at.segment, at.offset.into()))
    }

    fn file(&self, no: u32) -> Result<Arc<File>, Error> {
        let mut files = self.files();
        if let Some(at) = files.iter().position(|(open, _)| *open == no)
            && let Some((_, file)) = files.remove(at)
        {
            files.push_front((no, file.clone()));
            return Ok(file);
        }
        let file = File::open(segment::path(&self.directory, no)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(no),
            _ => refused(error),
        })?;
        let file = Arc::new(file);
        files.truncate(FILES_OPEN - 1);
        files.push_front((no, file.clone()));
        Ok(file)
    }

    /// Whether more than half of it is there in vain, and that some segments.
    pub fn is_wasteful(&self) -> bool {
        let index = self.index();
        let (mut bytes, mut needed) = (0, 0);
        for fill in index.segments.values() {
            bytes += fill.bytes;
            needed += fill.needed;
        }
        bytes - needed > needed + SEGMENTS_SPARED * self.segment_bytes
    }

    /// The oldest segment, if it is closed, and how many bytes of it are needed.
    pub fn oldest(&self) -> Option<(u32, u64)> {
        let first_open = {
            let head = self.head();
            head.full.front().map_or(head.no, |full| full.no)
        };
        let index = self.index();
        let (no, fill) = index.segments.first_key_value()?;
        (*no < first_open).then_some((*no, fill.needed))
    }

    /// The rows that lay in a closed segment when it was.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn rows_in(&self, no: u32) -> Result<Vec<Logged>, Error> {
        let rows = match Contents::find(&self.directory, no) {
            Some(contents) => contents.rows,
            None => {
                let mut rows = Vec::new();
                let mut file = File::open(segment::path(&self.directory, no)).map_err(refused)?;
                let head = segment::read_head(&mut file).map_err(refused)?;
                let (_, first) = head.ok_or_else(|| damaged(no, 0))?;
                segment::scan(&file, first, |_, offset, change| rows.extend(placed(offset, &change)))
                    .map_err(refused)?;
                latest(rows)
            }
        };
        Ok(rows.into_iter().filter(|(_, place)| place.is_some()).map(|(key, _)| key).collect())
    }

    /// Whether a row lies in this segment.
    pub fn lies_in(&self, key: &Logged, no: u32) -> bool {
        self.index().rows.get(key).is_some_and(|at| at.segment == no)
    }

    /// Lets go of all segments before this one. Nothing in them may be needed, and that be durable.
    pub fn drop_before(&self, no: u32) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let needed = index.segments.split_off(&no);
        let dropped = std::mem::replace(&mut index.segments, needed);
        self.dropped().extend(dropped.into_keys());
    }

    /// Removes the files of the segments that were dropped, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove_dropped(&self) -> Result<(), Error> {
        let dropped = std::mem::take(&mut *self.dropped());
        for no in dropped {
            segment::remove(&self.directory, no).map_err(refused)?;
            self.files().retain(|(open, _)| *open != no);
        }
        Ok(())
    }

    fn dropped(&self) -> MutexGuard<'_, Vec<u32>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<(u32, Arc<File>)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of each row in the end.
fn latest(rows: Vec<(Logged, Place)>) -> Vec<(Logged, Place)> {
    rows.into_iter().collect::<BTreeMap<Logged, Place>>().into_iter().collect()
}

/// Writes zeros, a page at a time: what is written in one go is also written back in one go, however little of it has
/// changed.
fn write_zeros(file: &File, places: Range<u64>) -> io::Result<()> {
    const PAGE: u64 = 4096;
    let mut from = places.start;
    while from < places.end {
        let bytes = (PAGE - from % PAGE).min(places.end - from);
        segment::write_at(file, &[0; PAGE as usize][..bytes as usize], from)?;
        from += bytes;
    }
    Ok(())
}

/// Cuts off what stands behind the end of a segment: before anything takes its place, and when it is full.
fn cut(file: &File, end: u64) -> io::Result<()> {
    if file.metadata()?.len() > end {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(())
}
