//! What a disk was told, in order.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

/// The number of a file or directory.
pub type Inode = u64;

/// Everything that a disk was told, in order.
pub type Trace = Vec<Operation>;

/// One thing that a disk was told, and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    Write {
        file: Inode,
        offset: u64,
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    Truncate {
        file: Inode,
        size: u64,
    },
    /// Names of one directory that change together: each gets an inode, or goes.
    Names {
        directory: Inode,
        names: Vec<(OsString, Option<Inode>)>,
        /// A directory that begins with this.
        makes_directory: Option<Inode>,
    },
    Sync {
        file: Inode,
    },
    SyncDirectory {
        directory: Inode,
    },
    /// A sync that failed: what it should have synced may be on the disk or not, and no later sync changes that.
    SyncFailed {
        file: Inode,
    },
}

/// The root directory.
pub const ROOT: Inode = 1;
