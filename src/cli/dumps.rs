//! Core dumps: none of a process that holds a master key, since its memory holds what the disk must not.
//!
//! The process is made undumpable rather than given a limit of zero bytes: a system that pipes dumps to a program heeds
//! no limit. Other users' processes cannot look into its memory then either, nor can a debugger of the same user.

use std::io;

/// Lets the system write no dump of this process.
///
/// # Errors
/// When the system refuses.
#[cfg(target_os = "linux")]
pub fn forbid() -> io::Result<()> {
    // SAFETY: it takes no pointer.
    match unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the system write no dump of this process.
///
/// # Errors
/// When the system refuses.
#[cfg(not(target_os = "linux"))]
pub fn forbid() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit.
    match unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_undumpable_then() {
        forbid().unwrap();
        // SAFETY: it takes no pointer.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }, 0);
    }
}
