//! Spares the store the half of a sync, for this program.
//!
//! On Linux sled ends each of its writes with `sync_file_range`, which waits for the disk and still promises nothing
//! about a power cut. The store syncs its file once a batch is written, so that wait is for nothing: this binary defines
//! the symbol itself, and the linker prefers that to the C library's. It changes the whole process, which is why it
//! belongs here and not in the library.

use libc::{c_int, c_uint, off64_t};

/// Takes the place of the C library's function, and leaves all to the sync that follows.
///
/// # Safety
/// None is needed: it looks at nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sync_file_range(
    _file: c_int,
    _offset: off64_t,
    _bytes: off64_t,
    _flags: c_uint,
) -> c_int {
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_symbol_is_ours() {
        // SAFETY: it takes no pointer, and there is no descriptor -1: the C library's would answer with an error.
        assert_eq!(unsafe { libc::sync_file_range(-1, 0, 0, libc::SYNC_FILE_RANGE_WRITE) }, 0);
    }
}
