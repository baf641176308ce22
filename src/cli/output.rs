//! The output of the commands: tables and colours on a terminal, one line of tab-separated values per row where it is
//! piped, or the API's JSON as it came.
//!
//! What goes to the standard output is what was asked for; what is said beside it goes to the standard error.

pub mod cell;
mod table;

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use serde_json::value::RawValue;

use self::cell::{Cell, DIM};
use super::{Failure, json_text};

/// Writes to the standard output in one of the three manners.
pub struct Output {
    stream: AutoStream<io::Stdout>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Json,
    Plain,
    Terminal,
}

impl Output {
    /// An output whose manner the standard output decides, unless JSON is asked for.
    pub fn to_stdout(json: bool) -> Self {
        let manner = match (json, io::stdout().is_terminal()) {
            (true, _) => Manner::Json,
            (false, true) => Manner::Terminal,
            (false, false) => Manner::Plain,
        };
        Self { stream: anstream::stdout(), manner }
    }

    pub fn is_json(&self) -> bool {
        self.manner == Manner::Json
    }

    pub fn is_terminal(&self) -> bool {
        self.manner == Manner::Terminal
    }

    /// Writes text and sends it on its way.
    ///
    /// # Errors
    /// [`Failure::BrokenPipe`] when nobody reads any more, another one when it cannot be written.
    pub fn write(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush())?)
    }

    /// Writes a line.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        self.write(&format!("{text}\n"))
    }

    /// Says what was done, to those who do not want the API's JSON: it answered without any.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn done(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        if self.is_json() { Ok(()) } else { self.line(text) }
    }

    /// Writes JSON as it came, on a line, but for characters in it that a terminal would obey.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn json(&mut self, json: &RawValue) -> Result<(), Failure> {
        self.line(json_text::harmless(json.get()))
    }

    /// Writes an object's fields, one a line.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn fields(&mut self, fields: &[(&str, Cell)]) -> Result<(), Failure> {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for (name, cell) in fields {
            // Writing to a string cannot fail.
            let _ = match self.is_terminal() {
                true => writeln!(text, "{DIM}{name:width$}{DIM:#}  {}", cell.painted()),
                false => writeln!(text, "{name}\t{}", cell.plain()),
            };
        }
        self.write(&text)
    }

    /// Writes rows as lines of tab-separated values.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn rows(&mut self, rows: &[Vec<Cell>]) -> Result<(), Failure> {
        let line = |row: &Vec<Cell>| {
            let cells: Vec<String> = row.iter().map(Cell::plain).collect();
            cells.join("\t") + "\n"
        };
        self.write(&rows.iter().map(line).collect::<String>())
    }

    /// Writes rows one by one, as they come: on a terminal in columns of the widths that are usual for them.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn stream(&mut self, widths: &[usize], rows: &[Vec<Cell>]) -> Result<(), Failure> {
        if !self.is_terminal() {
            return self.rows(rows);
        }
        let line = |row: &Vec<Cell>| {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| cell.padded(*width)).collect();
            cells.join("  ").trim_end().to_owned() + "\n"
        };
        self.write(&rows.iter().map(line).collect::<String>())
    }

    /// Writes rows as a table with headings.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn table(&mut self, headings: &[&str], rows: &[Vec<Cell>]) -> Result<(), Failure> {
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        self.write(&table::draw(headings, rows, width))
    }
}

/// Says something beside the output, to a person.
pub fn note(text: impl fmt::Display) {
    // Nobody is there to be told that it cannot be written.
    let _ = writeln!(anstream::stderr(), "{DIM}{text}{DIM:#}");
}
