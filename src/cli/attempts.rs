//! `hookyard attempts`: each request that was made to deliver a message, as the operator's API shows them.

use hookyard::clock::Timestamp;

use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::narrowed::{self, Narrowed, STATUSES};
use super::output::Output;
use super::output::cell::Cell;
use super::shown::operator::Attempt;
use super::{Failure, only_with_list, word};

/// List attempts to deliver messages, at an endpoint or of a message
///
/// They are those of the application that --account names. Messages are named by their ids or event ids, endpoints by
/// their ids or uids.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Attempts {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the attempts at an endpoint, of a message, or of a message at an endpoint, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Show an attempt with what the receiver answered
    Get(One),
    /// Forget what the receiver answered to an attempt; needs an admin key
    Expunge(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The message's id, or the event id that it was sent with
    #[arg(value_name = "MESSAGE", value_parser = word::name)]
    message: String,
    /// The attempt's id
    #[arg(value_name = "ATTEMPT", value_parser = word::name)]
    attempt: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    /// The attempts at this endpoint
    #[arg(long, value_name = "ENDPOINT", value_parser = word::name)]
    endpoint: Option<String>,

    /// The attempts of this message
    #[arg(long, value_name = "MESSAGE", value_parser = word::name)]
    message: Option<String>,

    /// Only attempts that ended so
    #[arg(long, value_parser = STATUSES)]
    status: Option<String>,

    /// Only attempts whose answer has a code from this one to the next; 0 for those without an answer
    #[arg(long, value_name = "CLASS", value_parser = ["0", "100", "200", "300", "400", "500"])]
    status_code_class: Option<String>,

    #[command(flatten)]
    narrowed: Narrowed,

    #[command(flatten)]
    extent: Extent,
}

const EXAMPLES: &str = "\
Examples:
  hookyard attempts --account acme --endpoint ep_… --status fail --since 1h
  hookyard attempts --account acme --message msg_…
  hookyard attempts get msg_… atmpt_… --account acme";

impl Attempts {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        let application = self.connection.application()?;
        let path = |one: &One| format!("{application}/msg/{}/attempt/{}", one.message, one.attempt);
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => list.show(&client, &application, &mut output),
            Action::Get(one) => {
                listing::show_one::<Attempt>(&client.get(&path(&one), &Query::new())?, &mut output)
            }
            Action::Expunge(one) => {
                client.delete(&(path(&one) + "/content"), &Query::new())?;
                output.done(format_args!("the answer to {} is forgotten", one.attempt))
            }
        }
    }
}

impl List {
    fn show(&self, client: &Client, application: &str, output: &mut Output) -> Result<(), Failure> {
        let query = self
            .narrowed
            .query()
            .with_some("status", self.status.as_deref().and_then(narrowed::number))
            .with_some("status_code_class", self.status_code_class.as_ref());
        let (path, query) = match (&self.message, &self.endpoint) {
            (Some(message), endpoint) => (
                format!("{application}/attempt/msg/{message}"),
                query.with_some("endpoint_id", endpoint.as_ref()),
            ),
            (None, Some(endpoint)) => (format!("{application}/attempt/endpoint/{endpoint}"), query),
            (None, None) => {
                return Err(Failure::Usage("say which attempts: --endpoint, --message or both".to_owned()));
            }
        };
        listing::show::<Attempt>(Pages::of_operator(client, &path, query, self.extent.count()), output)
    }
}

impl Row for Attempt {
    const PLURAL: &'static str = "attempts";
    const HEADINGS: &'static [&'static str] =
        &["ID", "STATUS", "CODE", "MS", "TIMESTAMP", "ENDPOINT", "MESSAGE"];
    const FURTHER: &'static [&'static str] = &["URL", "RESPONSE"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::status(&self.status_text),
            Cell::new(self.response_status_code),
            Cell::new(self.response_duration_ms),
            Cell::moment(Some(&self.timestamp), Timestamp::now()),
            Cell::new(&self.endpoint_id),
            Cell::new(&self.msg_id),
            Cell::new(&self.url),
            Cell::new(&self.response),
        ]
    }
}
