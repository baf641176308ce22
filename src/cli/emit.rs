//! `hookyard emit`: one event from the command line, or many from JSON lines.

pub mod data;
mod lines;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::value::RawValue;

use self::lines::Lines;
use super::client::{Client, Connection, Query};
use super::events::{PATH, TYPES_PATH};
use super::output::Output;
use super::output::cell::{BOLD, DIM, GOOD};
use super::shown::{Event, EventType};
use super::{Failure, word};

/// Emit an event, or many from JSON lines
///
/// When it says accepted, the event is on the server's disk and will be delivered to every hook that it matched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Emit {
    /// The event type, such as new_lead; with --lines it may stand in the lines instead
    #[arg(value_name = "EVENT", required_unless_present = "lines")]
    event: Option<String>,

    /// The event's data, any JSON: the text itself, @FILE, or - for the standard input
    #[arg(value_name = "DATA|@FILE|-", allow_hyphen_values = true, conflicts_with = "lines")]
    data: Option<String>,

    /// Send the example of the catalogue as data
    #[arg(long, conflicts_with_all = ["data", "lines"])]
    example: bool,

    /// An idempotency key: the event is accepted once, however often it is sent with this key
    #[arg(long = "id", value_name = "KEY", conflicts_with = "lines")]
    id: Option<String>,

    /// When it happened, in RFC 3339; now when absent
    #[arg(long, value_name = "TIME", value_parser = word::timestamp, conflicts_with = "lines")]
    timestamp: Option<String>,

    /// Emit each line of FILE, or of the standard input: its data when EVENT is given, or else a whole event,
    /// {"event":…,"data":…}, with "timestamp" and "id" if wanted
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    lines: Option<PathBuf>,

    /// Events of one request, which are accepted all or none
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "lines", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    batch: u64,

    #[command(flatten)]
    connection: Connection,
}

/// An event on its way to the API.
#[derive(Serialize)]
struct Outgoing<'a> {
    event: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

const EXAMPLES: &str = "\
Examples:
  hookyard emit new_lead '{\"agentId\":\"agent_abc123\",\"lead\":{\"name\":\"Jane Doe\"}}'
  hookyard emit new_lead @lead.json --id order-4711
  jq -c .lead order.json | hookyard emit new_lead -
  hookyard emit new_lead --example
  hookyard emit --lines events.jsonl
  zcat leads.gz | hookyard emit new_lead --lines";

impl Emit {
    /// Emits and says what came of it.
    ///
    /// # Errors
    /// When there is nothing to emit, or it is not accepted.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        if let Some(file) = &self.lines {
            let lines = Lines { event: self.event.as_deref(), batch: self.batch, client: &client };
            return lines.emit(file, &mut output);
        }
        let event = self.event.as_deref().unwrap_or_default();
        let data = match (&self.data, self.example) {
            (Some(argument), _) => data::read(argument)?,
            (None, true) => example(&client, event)?,
            (None, false) => return Err(data::missing(event)),
        };
        let (timestamp, id) = (self.timestamp.as_deref(), self.id.as_deref());
        let answer = client.post(PATH, &Query::new(), &Outgoing { event, data: &data, timestamp, id })?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        show(&answer.decode()?, &mut output)
    }
}

fn show(receipt: &Event, output: &mut Output) -> Result<(), Failure> {
    let Event { id, matched, duplicate, .. } = receipt;
    if !output.is_terminal() {
        return output.line(id);
    }
    let hooks = if *matched == 1 { "hook" } else { "hooks" };
    match duplicate {
        true => output.line(format_args!("{BOLD}{id}{BOLD:#} was accepted before under this key"))?,
        false => {
            output.line(format_args!("{GOOD}accepted{GOOD:#} {BOLD}{id}{BOLD:#} for {matched} {hooks}"))?
        }
    }
    output.line(format_args!("{DIM}hookyard explain {id}{DIM:#}"))
}

/// The data that the catalogue shows for this type.
fn example(client: &Client, event: &str) -> Result<Box<RawValue>, Failure> {
    let catalogue: Vec<EventType> = client.get(TYPES_PATH, &Query::new())?.decode()?;
    let known: Vec<&str> = catalogue.iter().map(|known| known.name.as_str()).collect();
    let known = known.join(", ");
    let found = catalogue.into_iter().find(|known| known.name == event).and_then(|found| found.example);
    found.ok_or_else(|| {
        Failure::Usage(format!(
            "the catalogue has no example of {event:?}; it knows {known}; give DATA instead"
        ))
    })
}
