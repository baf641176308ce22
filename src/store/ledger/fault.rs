//! Faults: what errors of sled and of the disk mean to callers of the store.

use std::io;

use crate::store::Error;

/// A damaged store or a disk that refuses.
pub fn failed(error: sled::Error) -> Error {
    match error {
        sled::Error::Corruption { .. } => Error::damaged(error),
        // The file ends before what it should hold.
        sled::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Error::damaged(error),
        sled::Error::Io(error) => Error::Failed(error.to_string().into()),
        other => Error::Failed(other.to_string().into()),
    }
}

/// A disk that refuses.
pub fn refused(error: io::Error) -> Error {
    Error::Failed(error.to_string().into())
}
