//! `hookyard deliveries`: which event went to which hook, and what came of it.

mod follow;

use std::time::Duration;

use hookyard::clock::Timestamp;

use self::follow::Follow;
use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::Output;
use super::output::cell::{Cell, visible};
use super::shown::{Attempt, Delivery};
use super::word::{self, Moment};
use super::{Failure, only_with_list};

/// List, follow and repeat deliveries: which event went to which hook, and what came of it
///
/// Without an action it lists them. It needs a key with the scope hooks. Piped, a line has the id, status, event type,
/// attempts, last answer, creation, next attempt, hook id and event id.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Deliveries {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List deliveries, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Show a delivery with its attempts
    Get(One),
    /// Attempt a delivery again
    Retry(One),
    /// Forget what the receiver answered to an attempt
    Expunge {
        #[command(flatten)]
        one: One,
        /// The attempt's number within the delivery
        #[arg(value_name = "ATTEMPT")]
        attempt: u16,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    /// The delivery's id
    #[arg(value_name = "DELIVERY_ID", value_parser = word::delivery_id)]
    delivery: String,
}

#[derive(Debug, PartialEq, Eq, clap::Args)]
struct List {
    /// Only deliveries to this hook
    #[arg(long, value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: Option<String>,

    /// Only deliveries of this event type
    #[arg(long)]
    event: Option<String>,

    /// Only deliveries with this status
    #[arg(long, value_parser = ["pending", "delivered", "dead"])]
    status: Option<String>,

    /// Only deliveries of events since then: a time, a date, or how long ago, such as 1h
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    since: Option<Moment>,

    /// Only deliveries of events until then
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    until: Option<Moment>,

    #[command(flatten)]
    extent: Extent,

    /// Go on, and print each delivery that is new or has changed, until Ctrl-C; the newest 1,000 are watched
    #[arg(long, short, conflicts_with = "all")]
    follow: bool,

    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = USUAL_INTERVAL, requires = "follow", value_parser = humantime::parse_duration)]
    interval: Duration,
}

const EXAMPLES: &str = "\
Examples:
  hookyard deliveries --status dead --since 24h
  hookyard deliveries --follow
  hookyard deliveries --hook hook_… --all --json | jq length
  hookyard deliveries get dlv_…
  hookyard deliveries retry dlv_…";

const PATH: &str = "/api/v1/deliveries";
const USUAL_INTERVAL: &str = "1s";

impl Deliveries {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => list.show(&client, &mut output),
            Action::Get(one) => get(&client, &mut output, &one.delivery),
            Action::Retry(one) => retry(&client, &mut output, &one.delivery),
            Action::Expunge { one, attempt } => expunge(&client, &mut output, &one.delivery, attempt),
        }
    }
}

impl List {
    fn show(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let query = Query::new()
            .with_some("hook", self.hook.as_ref())
            .with_some("event", self.event.as_ref())
            .with_some("status", self.status.as_ref())
            .with_some("since", self.since.as_ref())
            .with_some("until", self.until.as_ref());
        if self.follow {
            let count = self.extent.count();
            return Follow { client, path: PATH, query, interval: self.interval }.run(count, output);
        }
        listing::show::<Delivery>(Pages::new(client, PATH, query, self.extent.count()), output)
    }
}

impl Default for List {
    fn default() -> Self {
        Self {
            hook: None,
            event: None,
            status: None,
            since: None,
            until: None,
            extent: Extent::default(),
            follow: false,
            interval: Duration::from_secs(1),
        }
    }
}

fn get(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.get(&format!("{PATH}/{id}"), &Query::new())?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    let delivery: Delivery = answer.decode()?;
    output.fields(&fields(&delivery))?;
    for attempt in &delivery.attempt_log {
        output.fields(&[("attempt", Cell::new(told(attempt)))])?;
    }
    Ok(())
}

fn retry(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.act(&format!("{PATH}/{id}/retry"))?;
    match output.is_json() {
        true => output.json(&answer.json),
        false => output.line(format_args!("queued {id}")),
    }
}

fn expunge(client: &Client, output: &mut Output, id: &str, attempt: u16) -> Result<(), Failure> {
    let answer = client.delete(&format!("{PATH}/{id}/attempts/{attempt}/response"), &Query::new())?;
    match output.is_json() {
        true => output.json(&answer.json),
        false => output.line(format_args!("the answer to attempt {attempt} of {id} is forgotten")),
    }
}

fn fields(delivery: &Delivery) -> Vec<(&'static str, Cell)> {
    let now = Timestamp::now();
    vec![
        ("id", Cell::new(&delivery.id)),
        ("event id", Cell::of(delivery.event_id.as_ref())),
        ("event", Cell::of(delivery.event.as_ref())),
        ("hook", Cell::of(delivery.hook_id.as_ref())),
        ("status", Cell::status(&delivery.status)),
        ("created", Cell::moment(delivery.created_at.as_deref(), now)),
        ("attempts", Cell::new(delivery.attempts)),
        ("next attempt", Cell::moment(delivery.next_attempt_at.as_deref(), now)),
    ]
}

/// An attempt on one line: `2 at 2026-…: 500 in 12 ms: the response's first bytes`.
fn told(attempt: &Attempt) -> String {
    let number = attempt.n.map(|n| n.to_string()).unwrap_or_default();
    let at = attempt.at.as_deref().unwrap_or("an unknown time");
    format!("{number} at {at}: {}", attempt.told())
}

impl Attempt {
    /// Whether the receiver took the event.
    pub fn succeeded(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }

    /// What came of it: `500 in 12 ms: the response's first bytes`.
    pub fn told(&self) -> String {
        let took = |word: &str| self.duration_ms.map(|ms| format!(" {word} {ms} ms")).unwrap_or_default();
        let answer = match (self.status, self.error.as_deref()) {
            (Some(status), _) => format!("{status}{}", took("in")),
            (None, Some("timeout")) => format!("timeout{}", took("after")),
            (None, Some(error)) => format!("{} error{}", visible(error), took("after")),
            (None, None) => format!("no answer{}", took("after")),
        };
        let response = self.response.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let response = response.map(|text| format!(": {}", visible(text))).unwrap_or_default();
        format!("{answer}{response}")
    }
}

impl Row for Delivery {
    const PLURAL: &'static str = "deliveries";
    const HEADINGS: &'static [&'static str] =
        &["ID", "STATUS", "EVENT", "TRIES", "ANSWER", "CREATED", "NEXT", "HOOK"];

    fn cells(&self) -> Vec<Cell> {
        let now = Timestamp::now();
        vec![
            Cell::new(&self.id),
            Cell::status(&self.status),
            Cell::of(self.event.as_ref()),
            Cell::new(self.attempts),
            Cell::answer(self.last_status, self.last_error.as_deref()),
            Cell::moment(self.created_at.as_deref(), now),
            Cell::moment(self.next_attempt_at.as_deref(), now),
            Cell::of(self.hook_id.as_ref()),
            Cell::of(self.event_id.as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_told_in_one_line_whatever_the_receiver_said() {
        let attempt = |json: &str| serde_json::from_str::<Attempt>(json).unwrap().told();
        assert_eq!(attempt(r#"{"status":200,"error":null,"duration_ms":3,"response":""}"#), "200 in 3 ms");
        assert_eq!(
            attempt(r#"{"status":500,"duration_ms":12,"response":"a\u001b[2J\nb"}"#),
            "500 in 12 ms: a\\u{1b}[2J\\nb"
        );
        assert_eq!(
            attempt(r#"{"status":null,"error":"timeout","duration_ms":10000}"#),
            "timeout after 10000 ms"
        );
        assert_eq!(attempt(r#"{"error":"connect","duration_ms":0}"#), "connect error after 0 ms");
    }
}
