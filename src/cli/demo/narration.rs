//! The narration: how the demonstration looks on the screen, in colour on a terminal only.
//!
//! The demonstration goes on when nobody reads it.

use std::fmt;
use std::io::Write;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

use super::receiver::Arrival;

/// Writes lines to the standard output.
pub struct Narration(AutoStream<std::io::Stdout>);

const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const ASIDE: Style = Style::new().dimmed();

impl Narration {
    pub fn to_stdout() -> Self {
        Self(anstream::stdout())
    }

    /// A heading, after an empty line.
    pub fn title(&mut self, text: impl fmt::Display) {
        self.write(format_args!("\n{TITLE}{text}{TITLE:#}\n"));
    }

    /// Lines as they are.
    pub fn plain(&mut self, text: impl fmt::Display) {
        self.write(format_args!("{text}\n"));
    }

    /// What is explained rather than shown.
    pub fn aside(&mut self, text: impl fmt::Display) {
        self.write(format_args!("  {ASIDE}{text}{ASIDE:#}\n"));
    }

    /// What the consumer sends.
    pub fn sent(&mut self, method: &str, path: &str, body: &str) {
        self.write(format_args!("  → {method} {path}\n      {body}\n"));
    }

    /// What the consumer gets.
    pub fn answered(&mut self, status: u16, text: impl fmt::Display) {
        self.write(format_args!("  ← {GOOD}{status}{GOOD:#} {text}\n"));
    }

    /// What was found to be as it should.
    pub fn found(&mut self, text: impl fmt::Display) {
        self.write(format_args!("  {GOOD}✓{GOOD:#} {text}\n"));
    }

    /// A request that the receiver got.
    pub fn arrived(&mut self, arrival: &Arrival) {
        let body = String::from_utf8_lossy(&arrival.request.body);
        self.request(arrival, format_args!("body {body}"), "");
    }

    /// A request that came before; `note` says what there is to say of the attempt.
    pub fn arrived_again(&mut self, arrival: &Arrival, note: impl fmt::Display) {
        self.request(arrival, "the same body", note);
    }

    fn request(&mut self, arrival: &Arrival, body: impl fmt::Display, note: impl fmt::Display) {
        let Arrival { request, verdict, status } = arrival;
        let trust = if verdict.is_verified() { GOOD } else { BAD };
        let mood = if status.is_success() { GOOD } else { BAD };
        self.write(format_args!("  ← {} {}  webhook-id {}\n", request.method, request.target, arrival.id()));
        self.write(format_args!("      {trust}{verdict}{trust:#}, {body}\n"));
        self.write(format_args!("      {mood}answered {}{mood:#}{note}\n", status.as_u16()));
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(text).and_then(|()| self.0.flush());
    }
}
