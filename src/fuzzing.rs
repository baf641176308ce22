//! Fuzzing: what each fuzz target calls, one function for each part that reads what strangers or disks give it.
//!
//! Each takes any bytes and panics where a promise about them does not hold. They stand beside what they try; the
//! targets in `fuzz/` call them, and a test feeds the kept corpora through the same functions.

pub use crate::config::fuzzing::configuration;
pub use crate::delivery::guard::fuzzing::url_guard;
pub use crate::delivery::signature::fuzzing::signature;
pub use crate::store::ledger::fuzzing::stored_value;

#[cfg(feature = "server")]
pub use crate::api::fuzzing::emit_body;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Tries every input that is kept for a target.
    #[track_caller]
    fn feed(target: &str, attempt: fn(&[u8])) {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        if !package.join("fuzz").exists() {
            return; // The published package has no corpora.
        }
        let entries = fs::read_dir(package.join("fuzz/corpus").join(target)).unwrap();
        let inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() > 5, "{target} has a corpus");
        for input in inputs {
            println!("{}", input.display()); // It is shown if the attempt panics.
            attempt(&fs::read(input).unwrap());
        }
    }

    #[test]
    fn the_kept_urls_hold() {
        feed("url_guard", url_guard);
    }

    #[cfg(feature = "server")]
    #[test]
    fn the_kept_bodies_hold() {
        feed("emit_body", emit_body);
    }

    #[test]
    fn the_kept_values_hold() {
        feed("stored_value", stored_value);
    }

    #[test]
    fn the_kept_configurations_hold() {
        feed("configuration", configuration);
    }

    #[test]
    fn the_kept_signatures_hold() {
        feed("signature", signature);
    }
}
