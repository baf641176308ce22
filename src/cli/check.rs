//! `hookyard check`: whether what is in a data directory can be what a server left.

use std::path::PathBuf;

use hookyard::check::{self, OpenError, Violation};

use super::output::Output;
use super::{Failure, progress};

/// Check a data directory while no server uses it
///
/// Each invariant of the store that does not hold is named, a line for each. Nothing is repaired: make a copy of the
/// directory, and restore a backup.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The data directory to check
    #[arg(long, env = "HOOKYARD_DATA_DIR", default_value = "data", value_name = "DIR")]
    data_dir: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  hookyard check
  hookyard check --data-dir /var/lib/hookyard

Exit status: 0 when all holds, 1 when something does not or the directory cannot be opened, 2 when none is there.";

impl Check {
    /// Checks.
    ///
    /// # Errors
    /// When an invariant does not hold, or the store cannot be opened.
    pub fn run(self) -> Result<(), Failure> {
        let data_dir = self.data_dir.display();
        let mut output = Output::to_stdout(false);
        let (bar, mut written) = (progress::endless("checking"), Ok(()));
        let checked = check::check(&self.data_dir, &mut |violation: Violation| {
            if written.is_ok() {
                written = bar.suspend(|| output.line(violation));
            }
        });
        bar.finish_and_clear();
        let checked = checked.map_err(|error| match error {
            OpenError::InUse(_) => Failure::other(format!("{error}; stop the server first")),
            error @ OpenError::Missing(_) => Failure::Usage(error.to_string()),
            error => Failure::Other(error.into()),
        })?;
        written?;
        match checked.violations {
            0 => output.line(format_args!(
                "{data_dir}: all holds; {} hooks, {} events, {} rows",
                checked.hooks, checked.events, checked.rows
            )),
            violations => Err(Failure::other(format!("{data_dir}: {violations} violations"))),
        }
    }
}
