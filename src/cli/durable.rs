//! Makes the store's flush a real one, for this program.
//!
//! On Linux sled's flush is `pwrite` and `sync_file_range`, which waits for the data but neither for the file's
//! metadata nor for the disk's own cache: after a power cut acknowledged writes can be missing, or the store may not
//! open. Calling `fdatasync` after a flush is too late, since sled reuses space that it believes stable by then.
//! So this binary defines the symbol `sync_file_range` itself, and the linker prefers that to the C library's: every
//! flush becomes an `fdatasync`. It changes the whole process, which is why it belongs here and not in the library.
//! [`prove`] shows that it is in force. Elsewhere sled calls `fsync` and there is nothing to do.

#[cfg(target_os = "linux")]
pub use linux::prove;

/// Nothing to prove: sled's flush is an `fsync` here.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn prove() -> Result<(), String> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};

    use libc::{c_int, c_uint, off64_t};

    static CALLS: AtomicU64 = AtomicU64::new(0);

    /// Takes the place of the C library's function: writes the whole file's data out, down to the disk.
    ///
    /// # Safety
    /// None is needed: any descriptor is allowed, a wrong one answers `EBADF`.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn sync_file_range(
        descriptor: c_int,
        _offset: off64_t,
        _bytes: off64_t,
        _flags: c_uint,
    ) -> c_int {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: it takes no pointer.
        unsafe { libc::fdatasync(descriptor) }
    }

    /// Calls the symbol as sled does and sees that this program's function answers.
    ///
    /// # Errors
    /// When another function does; what is acknowledged might then not survive a power cut.
    pub fn prove() -> Result<(), String> {
        let before = CALLS.load(Ordering::Relaxed);
        // SAFETY: it takes no pointer, and there is no descriptor -1.
        let answer = unsafe { libc::sync_file_range(-1, 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
        let error = io::Error::last_os_error();
        if CALLS.load(Ordering::Relaxed) == before {
            return Err(
                "sync_file_range is not this program's: a flush of the store would not reach the disk"
                    .to_owned(),
            );
        }
        if answer != -1 || error.raw_os_error() != Some(libc::EBADF) {
            return Err(format!("sync_file_range answers {answer} ({error}) for a descriptor that is none"));
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_symbol_is_ours() {
            assert_eq!(prove(), Ok(()));
        }

        #[test]
        fn a_flush_of_the_store_comes_through_here() {
            let directory = tempfile::tempdir().unwrap();
            let db = sled::Config::new().path(directory.path()).flush_every_ms(None).open().unwrap();
            let before = CALLS.load(Ordering::Relaxed);
            db.insert("key", "value").unwrap();
            db.flush().unwrap();
            assert!(CALLS.load(Ordering::Relaxed) > before);
        }
    }
}
