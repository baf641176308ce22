//! `hookyard endpoints stats`: how many messages stand where.

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::output::cell::Cell;
use super::super::shown::operator;
use super::super::word::{self, Moment};
use super::{Failure, One};

#[derive(Debug, clap::Args)]
pub struct Stats {
    #[command(flatten)]
    one: One,

    /// Only messages since then: a time, a date, or how long ago, such as 24h; up to 28 days, and all of them when absent
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    since: Option<Moment>,

    /// Only messages until then
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    until: Option<Moment>,
}

impl Stats {
    /// Shows the numbers.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        let query =
            Query::new().with_some("since", self.since.as_ref()).with_some("until", self.until.as_ref());
        let answer = client.get(&(self.one.path(all) + "/stats"), &query)?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        let stats: operator::Stats = answer.decode()?;
        let fields: Vec<_> =
            stats.iter().map(|(status, count)| (status.as_str(), Cell::new(count))).collect();
        output.fields(&fields)
    }
}
