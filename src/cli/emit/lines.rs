//! Many events from JSON lines: sent in batches, each accepted all or none, in the order of the lines.
//!
//! When a batch is refused, the lines before it are accepted and the message says how many those are.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::value::RawValue;

use super::super::client::{self, Client, Query};
use super::super::events::PATH;
use super::super::output::Output;
use super::super::progress;
use super::super::shown::Event;
use super::{Failure, Outgoing};

/// How lines become events.
pub struct Lines<'a> {
    /// The type of them all, when the lines are data alone.
    pub event: Option<&'a str>,
    /// How many events go in one request.
    pub batch: u64,
    pub client: &'a Client,
}

/// Lines that are to be sent together.
#[derive(Default)]
struct Batch {
    /// A JSON array, but for its closing bracket.
    body: String,
    /// The number of each line.
    lines: Vec<u64>,
}

/// What was accepted so far.
#[derive(Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    matched: u64,
}

/// How large a request becomes before it is sent; the API takes 16 MiB, and a line may have another MiB.
const BODY_BYTES: usize = 8 << 20;
/// How often a batch is sent again that the server has no room for.
const TRIES: u32 = 10;
/// The longest wait in between.
const LONGEST_WAIT_SECONDS: u64 = 30;

impl Lines<'_> {
    /// Emits every line of the file, or of the standard input when it is called `-`.
    ///
    /// # Errors
    /// When it cannot be read, a line is no JSON, or a batch is not accepted.
    pub fn emit(&self, file: &Path, output: &mut Output) -> Result<(), Failure> {
        let path = file.to_string_lossy();
        let path = path.strip_prefix('@').unwrap_or(&path);
        if path == "-" {
            return self.emit_from(io::stdin().lock(), &progress::endless("emitting"), output);
        }
        let unreadable = |error: io::Error| Failure::Usage(format!("cannot read {path}: {error}"));
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        self.emit_from(BufReader::new(file), &progress::of_bytes(length, "emitting"), output)
    }

    fn emit_from(
        &self,
        mut input: impl BufRead,
        bar: &ProgressBar,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let (mut batch, mut tally, mut text) = (Batch::default(), Tally::default(), String::new());
        for number in 1.. {
            text.clear();
            let read = input.read_line(&mut text);
            let length = read.map_err(|error| tally.stopped(format!("line {number}: {error}")))?;
            if length == 0 {
                break;
            }
            if !text.trim().is_empty() {
                let event = self.event_of(text.trim());
                let event = event.map_err(|why| tally.stopped(format!("line {number} {why}")))?;
                batch.push(&event, number);
            }
            if batch.lines.len() as u64 >= self.batch || batch.body.len() >= BODY_BYTES {
                self.send(&mut batch, &mut tally, output)?;
            }
            bar.inc(length as u64);
        }
        self.send(&mut batch, &mut tally, output)?;
        bar.finish_and_clear();
        match output.is_json() {
            true => Ok(()),
            false => output.line(tally.summary()),
        }
    }

    /// The event that a line stands for, as JSON.
    fn event_of(&self, line: &str) -> Result<String, String> {
        let json: &RawValue = serde_json::from_str(line).map_err(|error| format!("is no JSON: {error}"))?;
        match self.event {
            Some(event) => {
                let outgoing = Outgoing { event, data: json, timestamp: None, id: None };
                serde_json::to_string(&outgoing).map_err(|error| error.to_string())
            }
            None if json.get().starts_with('{') => Ok(json.get().to_owned()),
            None => Err(
                "is no event: right would be {\"event\":\"new_lead\",\"data\":{…}}; if the lines are data \
                         alone, name the event type before --lines"
                    .to_owned(),
            ),
        }
    }

    /// Sends what has gathered, if anything has.
    fn send(&self, batch: &mut Batch, tally: &mut Tally, output: &mut Output) -> Result<(), Failure> {
        let Batch { body, lines } = std::mem::take(batch);
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        let answer = self.post(&(body + "]")).map_err(|failure| {
            failure.map(|message| {
                tally.told(&match naming_the_line(&message, &lines) {
                    Some(named) => named,
                    None => format!("lines {first} to {last}: {message}"),
                })
            })
        })?;
        for receipt in answer.entries()? {
            tally.count(&client::decode(&receipt)?);
            if output.is_json() {
                output.json(&receipt)?;
            }
        }
        Ok(())
    }

    /// Sends a batch, again and again while the server has no room for it.
    fn post(&self, body: &str) -> Result<client::Answer, Failure> {
        for _ in 1..TRIES {
            match self.client.post_json(PATH, &Query::new(), &[], body.as_bytes()) {
                Err(Failure::Busy { retry_after_seconds, .. }) => {
                    let seconds = retry_after_seconds.unwrap_or(1).clamp(1, LONGEST_WAIT_SECONDS);
                    thread::sleep(Duration::from_secs(seconds));
                }
                answered => return answered,
            }
        }
        self.client.post_json(PATH, &Query::new(), &[], body.as_bytes())
    }
}

impl Batch {
    fn push(&mut self, event: &str, line: u64) {
        self.body.push(if self.lines.is_empty() { '[' } else { ',' });
        self.body.push_str(event);
        self.lines.push(line);
    }
}

impl Tally {
    fn count(&mut self, receipt: &Event) {
        self.accepted += 1;
        self.duplicates += u64::from(receipt.duplicate);
        self.matched += receipt.matched;
    }

    fn summary(&self) -> String {
        let Self { accepted, duplicates, matched } = self;
        let duplicates = match duplicates {
            0 => String::new(),
            some => format!(", {some} of them before"),
        };
        format!("accepted {accepted} events{duplicates}: {matched} deliveries")
    }

    fn told(&self, message: &str) -> String {
        format!("{message} (accepted before that: {} events)", self.accepted)
    }

    /// The input is at fault.
    fn stopped(&self, message: String) -> Failure {
        Failure::Usage(self.told(&message))
    }
}

/// The API counts the entries of a batch, `[12]: …`; a person counts lines. `None` when it names no entry.
fn naming_the_line(message: &str, lines: &[u64]) -> Option<String> {
    let (entry, why) = message.strip_prefix('[')?.split_once("]: ")?;
    let line = lines.get(entry.parse::<usize>().ok()?)?;
    Some(format!("line {line}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_counts_entries_and_a_person_lines() {
        let named = |message| naming_the_line(message, &[3, 5, 9]);
        assert_eq!(named("[1]: event is required").as_deref(), Some("line 5: event is required"));
        for other in ["[7]: beyond", "[x]: no number", "nothing of the sort"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
