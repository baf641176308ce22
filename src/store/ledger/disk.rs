//! What the store takes of the disk.

use std::io;
use std::path::Path;

use crate::store::Disk;

/// Measures the store in `directory`.
pub fn measure(directory: &Path) -> io::Result<Disk> {
    Ok(Disk { used: size(directory)?, free: free(directory)? })
}

/// The bytes of all files in `directory` and below.
fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path())?,
            Ok(found) => found.len(),
            // sled may have removed it meanwhile.
            Err(_) => 0,
        };
    }
    Ok(bytes)
}

/// The bytes that this process may still write to the file system of `directory`.
#[cfg(unix)]
pub fn free(directory: &Path) -> io::Result<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(directory.as_os_str().as_bytes())?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in a zero byte and the place for the answer is as large as it has to be.
    let status = unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is filled where the call succeeds.
    let found = unsafe { found.assume_init() };
    Ok(bytes(found.f_bavail, found.f_frsize))
}

/// The bytes of so many blocks; each system has integers of its own for them.
#[cfg(unix)]
fn bytes(blocks: impl Into<u64>, size: impl Into<u64>) -> u64 {
    blocks.into().saturating_mul(size.into())
}

#[cfg(not(unix))]
pub fn free(_: &Path) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_with_their_bytes_also_those_below() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("db"), [0; 1000]).unwrap();
        std::fs::create_dir(directory.path().join("blobs")).unwrap();
        std::fs::write(directory.path().join("blobs/1"), [0; 234]).unwrap();
        let disk = measure(directory.path()).unwrap();
        assert_eq!(disk.used, 1234);
        assert!(disk.free > 0);
    }
}
