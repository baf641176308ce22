//! The process's limit of open files: raised as far as the system allows, since every connection takes one.

use std::io;

use tracing::{debug, warn};

/// What the front door's connections and the store need beside the deliveries.
const SPARE: u64 = 1024;

/// Raises the limit, and warns when it is too low for `connections` deliveries at a time.
pub fn raise(connections: usize) {
    let needed = connections as u64 + SPARE;
    match raised() {
        Ok(limit) if limit < needed => {
            warn!(
                limit,
                needed, "few open files are allowed: raise the limit or lower delivery.max_connections"
            );
        }
        Ok(limit) => debug!(limit, "open files"),
        Err(error) => warn!(%error, "cannot raise the limit of open files"),
    }
}

/// Sets the soft limit to the hard one and returns it.
fn raised() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit that is ours alone.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_twice_changes_nothing_more() {
        assert_eq!(raised().unwrap(), raised().unwrap());
    }
}
