//! `hookyard export`: hooks, events and deliveries of a running server, as JSON lines.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::json;

use super::client::{Client, Connection, Query};
use super::listing::Pages;
use super::output::note;
use super::shown::Account;
use super::whole_file::WholeFile;
use super::word::{self, Moment};
use super::{Failure, progress};

/// Export hooks, events and deliveries as JSON lines, without secrets
///
/// A line is an object of the API with its type and account before it: {"type":"hook","account":"default",…}. An admin
/// key exports every account, unless --account names one. Hooks come first, then events, then deliveries, each
/// newest first; --since and --until choose events and deliveries by when the event was accepted.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// Where to write the lines; - is the standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,

    /// Only what was accepted since then: a moment, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = word::moment)]
    since: Option<Moment>,

    /// Only what was accepted before then
    #[arg(long, value_name = "WHEN", value_parser = word::moment)]
    until: Option<Moment>,

    #[command(flatten)]
    connection: Connection,
}

const EXAMPLES: &str = "\
Examples:
  hookyard export hookyard.jsonl
  hookyard export --account acme --since 7d | gzip > acme.jsonl.gz
  hookyard export | jq -r 'select(.type == \"delivery\" and .status == \"dead\") | .event_id'";

const ACCOUNTS: &str = "/api/v1/accounts";

/// Where the lines go.
struct Lines<'a> {
    to: &'a mut dyn Write,
    /// What it is called in messages; nothing for the standard output.
    name: Option<String>,
    count: u64,
    bar: ProgressBar,
}

impl Export {
    /// Exports.
    ///
    /// # Errors
    /// When the server does not give all of it, or it cannot be written; then there is no file.
    pub fn run(self) -> Result<(), Failure> {
        let client = self.connection.client()?;
        if self.file == Path::new("-") {
            let mut stdout = BufWriter::new(io::stdout().lock());
            let count = self.export(&client, &mut stdout, None)?;
            note(format_args!("{count} lines"));
            return Ok(());
        }
        let file = WholeFile::begin(&self.file, self.force)?;
        let mut to = BufWriter::new(file.file());
        let count = self.export(&client, &mut to, Some(self.file.display().to_string()))?;
        drop(to);
        file.keep()?;
        self.connection.output().line(format_args!("{}: {count} lines", self.file.display()))
    }

    fn export(&self, client: &Client, to: &mut dyn Write, name: Option<String>) -> Result<u64, Failure> {
        let mut lines = Lines { to, name, count: 0, bar: progress::of_flow("exporting") };
        let exported = self.export_to(client, &mut lines);
        lines.bar.finish_and_clear();
        exported.map(|()| lines.count)
    }

    fn export_to(&self, client: &Client, lines: &mut Lines<'_>) -> Result<(), Failure> {
        let accepted =
            Query::new().with_some("since", self.since.as_ref()).with_some("until", self.until.as_ref());
        let lists = [
            ("hook", "/api/v1/hooks", Query::new()),
            ("event", "/api/v1/events", accepted.clone()),
            ("delivery", "/api/v1/deliveries", accepted),
        ];
        for account in self.accounts(client)? {
            for (kind, path, query) in &lists {
                let query = query.clone().with("account", &account);
                lines.list(kind, &account, Pages::new(client, path, query, u64::MAX))?;
            }
        }
        lines.flush()
    }

    fn accounts(&self, client: &Client) -> Result<Vec<String>, Failure> {
        if let Some(account) = self.connection.account() {
            return Ok(vec![account.to_owned()]);
        }
        let accounts = Pages::new(client, ACCOUNTS, Query::new(), u64::MAX).collect::<Account>();
        let accounts = accounts
            .map_err(|failure| failure.map(|message| format!("{message}; --account exports one alone")))?;
        Ok(accounts.into_iter().map(|account| account.id).collect())
    }
}

impl Lines<'_> {
    /// Writes every entry of a list.
    fn list(&mut self, kind: &str, account: &str, mut pages: Pages<'_>) -> Result<(), Failure> {
        let begin = format!("{{\"type\":{},\"account\":{},", json!(kind), json!(account));
        while let Some(page) = pages.next_page()? {
            for entry in &page {
                let line = line(&begin, entry.get());
                self.bar.inc(line.len() as u64);
                self.count += 1;
                let written = self.to.write_all(line.as_bytes());
                self.written(written)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.to.flush();
        self.written(flushed)
    }

    fn written(&self, written: io::Result<()>) -> Result<(), Failure> {
        written.map_err(|error| match &self.name {
            None => error.into(),
            Some(name) => Failure::other(format!("cannot write {name}: {error}")),
        })
    }
}

/// An object of the API on one line, with `begin` in place of its brace.
fn line(begin: &str, object: &str) -> String {
    // A line break between the tokens of an event's data; within a string there can be none.
    let members = object.strip_prefix('{').unwrap_or(object).replace(['\n', '\r'], " ");
    format!("{begin}{members}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_line_whatever_its_data_looks_like() {
        let written = line("{\"type\":\"event\",", "{\"data\":{\r\n \"a\\n\":[1,\n2]}}");
        assert_eq!(written, "{\"type\":\"event\",\"data\":{   \"a\\n\":[1, 2]}}\n");
    }
}
