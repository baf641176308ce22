//! Backups: one file that holds everything a store held at one moment.
//!
//! # The file
//!
//! ```text
//! magic      8 bytes   89 48 4B 59 42 4B 0D 0A: a copy that was taken for text is damaged here already
//! format     4 bytes   1; a reader that knows less says so
//! frame      4 bytes   length of the payload
//!            4 bytes   CRC-32 of the kind and the payload
//!            1 byte    kind
//!            …         payload
//! …
//! ```
//!
//! All numbers are big-endian. The frames are, in this order:
//!
//! | kind | payload |
//! |---|---|
//! | `h`, one | JSON: `{"schema":1,"made_ms":…,"version":"0.1.0"}` |
//! | `r`, any number | rows: length of the key (2 bytes) and of the value (4 bytes), key, value; FFFFFFFF and no value where the row is gone. A later row replaces an earlier one of the same key |
//! | `t`, the last | number of rows (8 bytes), SHA-256 of everything before this frame (32 bytes) |
//! | `x`, instead of what is missing | why the server ended it, in UTF-8 |
//!
//! Nothing follows the trailer. A file without one is not a backup.
//!
//! # What it holds
//!
//! Hooks with their secrets, events, deliveries that wait, dead letters, hashes of API keys: whoever has the file can sign in
//! the name of the server. It is as secret as the data directory. What the store has sealed under a master key is sealed
//! here too: it takes the same key to open what is restored. It holds neither the configuration nor the
//! `admin-key` file.
//!
//! # What restoring means
//!
//! A restored server goes on where the backup was made, which is before what happened since:
//!
//! - Deliveries that were made since are made again, with the same `webhook-id`: receivers drop them as duplicates.
//! - Events accepted since are gone, and so are their idempotency keys: who emits them again gets new ids. An id is
//!   never given to two events, even where their numbers are the same.
//! - Hooks and keys that were deleted since are back. Delete them again; a receiver that is gone answers 410.
//! - Secrets that were rotated since are the old ones again.
//! - The server that the backup was made of must not run beside the restored one: both would deliver.

mod decoder;
mod encoder;
mod restoring;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

pub(crate) use encoder::Encoder;

pub use decoder::{Decoder, Error, verify};
pub use restoring::{RestoreError, restore};

const MAGIC: [u8; 8] = *b"\x89HKYBK\r\n";
/// The format that this code writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// Bytes of a frame's head: length, checksum, kind.
const FRAME_HEAD: usize = 9;
/// A frame is closed once its payload has so many bytes.
const FRAME_BYTES: usize = 64 << 10;
/// The most bytes of a payload; a reader is never told to allocate more.
const FRAME_LIMIT: usize = 16 << 20;
/// Stands for the length of a value where there is none.
const GONE: u32 = u32::MAX;

const HEADER: u8 = b'h';
const ROWS: u8 = b'r';
const TRAILER: u8 = b't';
const ENDED: u8 = b'x';

/// What a backup begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The layout of the rows.
    pub schema: u32,
    #[serde(rename = "made_ms")]
    pub made_at: Timestamp,
    /// The version of hookyard that made it.
    pub version: String,
}

/// What a whole backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub header: Header,
    /// How many rows it has; those that changed while it was made are counted each time.
    pub rows: u64,
    pub bytes: u64,
}

impl Header {
    /// The header of a backup that begins now.
    pub(crate) fn now(schema: u32) -> Self {
        Self { schema, made_at: Timestamp::now(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}
