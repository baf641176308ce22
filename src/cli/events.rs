//! `hookyard events`: what was emitted, and the catalogue of what may be.

use hookyard::clock::Timestamp;
use serde_json::json;

use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::Output;
use super::output::cell::Cell;
use super::shown::{Event, EventType, Queued};
use super::word::{self, Moment};
use super::{Failure, only_with_list};

/// List, show and repeat events, and show the catalogue
///
/// Without an action it lists them. It needs a key with the scope events or hooks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Events {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List events, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Show an event with its data and its deliveries
    Get(One),
    /// Deliver an event again, to all hooks that match it now or to one
    Replay {
        #[command(flatten)]
        one: One,
        /// Only to this hook
        #[arg(long, value_name = "HOOK_ID", value_parser = word::hook_id)]
        hook: Option<String>,
    },
    /// Forget the data of an event; what waits of it is not delivered any more
    Expunge(One),
    /// Show the event types that may be emitted and subscribed to
    Types,
}

#[derive(Debug, clap::Args)]
struct One {
    /// The event's id, which receivers get as webhook-id
    #[arg(value_name = "EVENT_ID", value_parser = word::event_id)]
    id: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    /// Only events of this type
    #[arg(long)]
    event: Option<String>,

    /// Only events since then: a time, a date, or how long ago, such as 1h
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    since: Option<Moment>,

    /// Only events until then
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    until: Option<Moment>,

    #[command(flatten)]
    extent: Extent,
}

const EXAMPLES: &str = "\
Examples:
  hookyard events --event new_lead --since 1h
  hookyard events get evt_…
  hookyard events replay evt_… --hook hook_…
  hookyard events types
  hookyard explain evt_…                    what became of an event, and why";

pub const PATH: &str = "/api/v1/events";
pub const TYPES_PATH: &str = "/api/v1/event-types";

impl Events {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => list.show(&client, &mut output),
            Action::Get(one) => get(&client, &mut output, &one.id),
            Action::Replay { one, hook } => replay(&client, &mut output, &one.id, hook.as_deref()),
            Action::Expunge(one) => expunge(&client, &mut output, &one.id),
            Action::Types => {
                let pages = Pages::new(&client, TYPES_PATH, Query::new(), u64::MAX);
                listing::show::<EventType>(pages, &mut output)
            }
        }
    }
}

impl List {
    fn show(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let query = Query::new()
            .with_some("event", self.event.as_ref())
            .with_some("since", self.since.as_ref())
            .with_some("until", self.until.as_ref());
        listing::show::<Event>(Pages::new(client, PATH, query, self.extent.count()), output)
    }
}

fn get(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.get(&format!("{PATH}/{id}"), &Query::new())?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    let event: Event = answer.decode()?;
    output.fields(&fields(&event))?;
    for delivery in &event.deliveries {
        let hook = delivery.hook_id.as_deref().unwrap_or_default();
        let text = format!("{} {} to {hook}", delivery.id, delivery.status);
        output.fields(&[("delivery", Cell::new(text))])?;
    }
    Ok(())
}

fn replay(client: &Client, output: &mut Output, id: &str, hook: Option<&str>) -> Result<(), Failure> {
    let path = format!("{PATH}/{id}/replay");
    let answer = match hook {
        Some(hook) => client.post(&path, &Query::new(), &json!({"hook": hook}))?,
        None => client.act(&path)?,
    };
    if output.is_json() {
        return output.json(&answer.json);
    }
    let Queued { queued } = answer.decode()?;
    output.line(format_args!("queued {queued} deliveries"))
}

fn expunge(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.delete(&format!("{PATH}/{id}/data"), &Query::new())?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    output.line(format_args!("the data of {id} is forgotten"))
}

fn fields(event: &Event) -> Vec<(&'static str, Cell)> {
    let now = Timestamp::now();
    let data = event.data.as_ref().map(|data| data.get());
    vec![
        ("id", Cell::new(&event.id)),
        ("event", Cell::new(&event.event)),
        ("timestamp", Cell::new(&event.timestamp)),
        ("accepted", Cell::moment(event.accepted_at.as_deref(), now)),
        ("matched", Cell::new(event.matched)),
        ("data", Cell::of(data)),
    ]
}

impl Row for Event {
    const PLURAL: &'static str = "events";
    const HEADINGS: &'static [&'static str] = &["ID", "EVENT", "MATCHED", "TIMESTAMP", "DATA"];

    fn cells(&self) -> Vec<Cell> {
        let data = self.data.as_ref().map(|data| data.get());
        vec![
            Cell::new(&self.id),
            Cell::new(&self.event),
            Cell::new(self.matched),
            Cell::new(&self.timestamp),
            Cell::of(data).flexible(),
        ]
    }
}

impl Row for EventType {
    const PLURAL: &'static str = "event types";
    const HEADINGS: &'static [&'static str] = &["EVENT", "DESCRIPTION", "EXAMPLE"];

    fn cells(&self) -> Vec<Cell> {
        let example = self.example.as_ref().map(|example| example.get());
        vec![
            Cell::new(&self.name),
            Cell::of(self.description.as_ref()).flexible(),
            Cell::of(example).flexible(),
        ]
    }
}
