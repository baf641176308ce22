//! Panics: logged by their place, without what they were about.
//!
//! What a panic says may hold what the code had in its hands, a piece of a payload for instance. Its place in the code
//! says as much to whoever mends it. A message that stands in the code as it is, is said too.

use std::any::Any;
use std::panic::{self, PanicHookInfo};
use std::thread;

use tracing::{Level, debug, enabled, error};

/// Where the HTTP library panics over a header whose name has more than 64 KiB. Anybody may send one, and it ends
/// their connection alone.
const OVER_A_HEADER: [&str; 2] = ["actix-http-", "/h1/decoder.rs"];

/// Has panics logged from now on, instead of printed.
pub fn log() {
    panic::set_hook(Box::new(|panic| {
        let place = place(panic);
        if OVER_A_HEADER.iter().all(|part| place.contains(part)) {
            debug!("a header's name is too long; the connection is closed");
            return;
        }
        let reason = reason(panic.payload());
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        if enabled!(Level::ERROR) {
            error!(thread, reason, "panicked at {place}");
        } else {
            eprintln!("hookyard: thread {thread} panicked at {place}: {reason}");
        }
    }));
}

/// What a panic says, if it stands in the code as it is.
fn reason(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("withheld")
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_the_code_is_said() {
        let data = String::from("marker");
        let said = |panic: fn(&str)| {
            let caught = panic::catch_unwind(|| panic(&data)).unwrap_err();
            reason(&*caught)
        };
        assert_eq!(said(|_| panic!("it broke")), "it broke");
        assert_eq!(said(|data| panic!("it broke over {data}")), "withheld");
        assert_eq!(said(|data| assert_eq!(data.parse::<u8>().expect("a number"), 0)), "withheld");
        assert_eq!(said(|data| assert!(data[9..].is_empty())), "withheld");
    }
}
