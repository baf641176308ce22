//! Segments: the files of the log, and beside each that is full one that says which rows lie in it and where.
//!
//! That second file spares a start the reading of the first. Whatever is wrong with it, the segment itself is read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{self, Change};
use crate::store::ledger::keys::Logged;
use crate::store::ledger::values::{decode, encode};

/// What the file of a segment begins with.
const MAGIC: &[u8; 8] = b"hookyd\0\x01";
/// Magic, what the log is known by, the number of the first record, checksum.
pub const HEAD: usize = 8 + 8 + 8 + 4;

/// What a log is known by.
pub type LogId = [u8; 8];

/// Where a row lies within a segment: the offset and the bytes of the change that put it there; nothing if it was
/// deleted.
pub type Place = Option<(u32, u32)>;

/// What a full segment does to the rows.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub log: LogId,
    /// The number of its first record.
    pub first: u64,
    /// The bytes of the segment.
    pub bytes: u64,
    /// The number of the record behind its last.
    pub next: u64,
    /// What it does to rows, one after the other.
    pub rows: Vec<(Logged, Place)>,
}

/// The ending of the names of segments.
const SEGMENT: &str = ".log";
/// The ending of the names of the files that say what lies in them.
const INDEX: &str = ".index";

/// The file of a segment.
pub fn path(directory: &Path, no: u32) -> PathBuf {
    directory.join(format!("{no:010}{SEGMENT}"))
}

/// The file that says what lies in it.
fn contents_path(directory: &Path, no: u32) -> PathBuf {
    directory.join(format!("{no:010}{INDEX}"))
}

/// The numbers of all segments in a directory, ascending.
pub fn numbers(directory: &Path) -> io::Result<Vec<u32>> {
    numbers_of(directory, SEGMENT)
}

fn numbers_of(directory: &Path, ending: &str) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let no: Option<u32> =
            name.to_str().and_then(|name| name.strip_suffix(ending)).and_then(|no| no.parse().ok());
        numbers.extend(no);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes the file of a segment whose first record will be `first`, so that it outlives a power cut.
pub fn create(directory: &Path, no: u32, log: LogId, first: u64) -> io::Result<File> {
    let path = path(directory, no);
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    file.write_all(&head(log, first))?;
    file.sync_all()?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}

fn head(log: LogId, first: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..16].copy_from_slice(&log);
    head[16..24].copy_from_slice(&first.to_le_bytes());
    let checksum = crc32fast::hash(&head[..24]);
    head[24..].copy_from_slice(&checksum.to_le_bytes());
    head
}

/// What log a segment is of, and the number of its first record; nothing where its head is damaged.
pub fn read_head(file: &mut impl Read) -> io::Result<Option<(LogId, u64)>> {
    let mut found = [0; HEAD];
    if let Err(error) = file.read_exact(&mut found) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let log: LogId = found[8..16].try_into().unwrap_or_default();
    let first = u64::from_le_bytes(found[16..24].try_into().unwrap_or_default());
    Ok((found == head(log, first)).then_some((log, first)))
}

/// Reads the records of a segment behind its head; hands each change on to `each`, with the number of its record and the
/// offset at which it lies. Returns what is behind the last record that is whole: the offset, and the number.
pub fn scan(file: &File, first: u64, mut each: impl FnMut(u64, u64, Change<'_>)) -> io::Result<(u64, u64)> {
    let bytes = file.metadata()?.len();
    let (mut reader, mut changes) = (BufReader::with_capacity(1 << 18, file), Vec::new());
    reader.seek(SeekFrom::Start(HEAD as u64))?;
    let (mut position, mut next) = (HEAD as u64, first);
    while record::read(&mut reader, next, bytes - position, &mut changes)? {
        position += record::RECORD_HEAD as u64;
        for change in record::changes_in(&changes) {
            each(next, position, change);
            position += change.bytes() as u64;
        }
        next += 1;
    }
    Ok((position, next))
}

/// What a change that lies at this offset does to a row, if that lies in the log.
pub fn placed(offset: u64, change: &Change<'_>) -> Option<(Logged, Place)> {
    let place = change.value.map(|_| (offset as u32, change.bytes() as u32));
    Logged::of(change.key).map(|key| (key, place))
}

impl Contents {
    /// Writes down what lies in a full segment.
    pub fn write(&self, directory: &Path, no: u32) -> io::Result<()> {
        let mut bytes = encode(self);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        let mut file = File::create(contents_path(directory, no))?;
        file.write_all(&bytes)?;
        file.sync_all()
    }

    /// What lies in a segment, if that was written down and is as it was: what became of each row in the end.
    pub fn find(directory: &Path, no: u32) -> Option<Self> {
        let bytes = fs::read(contents_path(directory, no)).ok()?;
        let (said, checksum) = bytes.split_last_chunk::<4>()?;
        let is_whole = u32::from_le_bytes(*checksum) == crc32fast::hash(said);
        is_whole.then(|| decode(said).ok()).flatten()
    }
}

/// Removes a segment.
pub fn remove(directory: &Path, no: u32) -> io::Result<()> {
    match fs::remove_file(contents_path(directory, no)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_file(path(directory, no))
}

/// Removes what says what lies in segments that are gone.
pub fn remove_orphans(directory: &Path) -> io::Result<()> {
    let segments = numbers(directory)?;
    for no in numbers_of(directory, INDEX)? {
        if segments.binary_search(&no).is_err() {
            fs::remove_file(contents_path(directory, no))?;
        }
    }
    Ok(())
}

/// Reads exactly so many bytes at a place.
#[cfg(unix)]
pub fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Writes all of these bytes at a place.
#[cfg(unix)]
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}
