//! `hookyard hooks stats`: attempts by the hour.

use hookyard::clock::Timestamp;

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::output::cell::Cell;
use super::super::shown;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct Stats {
    /// The hook's id; all hooks of the account together without it
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: Option<String>,
}

const HEADINGS: [&str; 4] = ["HOUR", "ATTEMPTS", "SUCCESSES", "FAILURES"];

impl Stats {
    /// Shows the hours, newest first.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let path = match &self.hook {
            Some(hook) => format!("{PATH}/{hook}/stats"),
            None => format!("{PATH}/stats"),
        };
        let answer = client.get(&path, &Query::new())?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        let (stats, now) = (answer.decode::<shown::Stats>()?, Timestamp::now());
        if stats.hours.is_empty() && output.is_terminal() {
            return output.line("no attempts");
        }
        let cells = |hour: &shown::HourStats| {
            vec![
                Cell::moment(Some(&hour.at), now),
                Cell::new(hour.attempts),
                Cell::new(hour.successes),
                Cell::new(hour.failures),
            ]
        };
        let rows: Vec<Vec<Cell>> = stats.hours.iter().map(cells).collect();
        if output.is_terminal() { output.table(&HEADINGS, &rows) } else { output.rows(&rows) }
    }
}
