//! `hookyard messages`: events as the operator's API shows them.

mod outgoing;

use hookyard::clock::Timestamp;
use serde::Deserialize;

use self::outgoing::Create;
use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::narrowed::{self, Narrowed, STATUSES};
use super::output::Output;
use super::output::cell::Cell;
use super::shown::operator::{Endpoint, Message};
use super::{Failure, only_with_list, word};

/// List, send and repeat messages: events, in the words of the operator's API
///
/// They are those of the application that --account names.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Messages {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List messages, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Send a message, and print its id
    Create(Create),
    /// Show a message with its payload
    Get(One),
    /// List the endpoints of a message, and where it stands at each
    Destinations {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        extent: Extent,
    },
    /// Deliver a message to an endpoint again
    Resend {
        #[command(flatten)]
        one: One,
        /// The endpoint's id, or its uid
        #[arg(value_name = "ENDPOINT", value_parser = word::name)]
        endpoint: String,
    },
    /// Forget the payload of a message; what waits of it is not delivered any more. Needs an admin key
    Expunge(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The message's id, or the event id that it was sent with
    #[arg(value_name = "MESSAGE", value_parser = word::name)]
    message: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    /// Only messages for this endpoint, with where they stand there
    #[arg(long, value_name = "ENDPOINT", value_parser = word::name)]
    endpoint: Option<String>,

    /// Only messages that stand so at the endpoint
    #[arg(long, requires = "endpoint", value_parser = STATUSES)]
    status: Option<String>,

    #[command(flatten)]
    narrowed: Narrowed,

    #[command(flatten)]
    extent: Extent,
}

/// A message of an endpoint.
#[derive(Deserialize)]
#[serde(transparent)]
struct AtEndpoint(Message);

/// An endpoint of a message.
#[derive(Deserialize)]
#[serde(transparent)]
struct Destination(Endpoint);

const EXAMPLES: &str = "\
Examples:
  hookyard messages --account acme --since 1h
  hookyard messages create user.signup '{\"user\":7}' --account acme --event-id signup-7
  hookyard messages list --account acme --endpoint ep_… --status fail
  hookyard messages resend msg_… ep_… --account acme";

impl Messages {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        let application = self.connection.application()?;
        let path = |one: &One| format!("{application}/msg/{}", one.message);
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => list.show(&client, &application, &mut output),
            Action::Create(create) => create.run(&client, &application, &mut output),
            Action::Get(one) => {
                listing::show_one::<Message>(&client.get(&path(&one), &Query::new())?, &mut output)
            }
            Action::Destinations { one, extent } => {
                let path = path(&one) + "/endpoint";
                let pages = Pages::of_operator(&client, &path, Query::new(), extent.count());
                listing::show::<Destination>(pages, &mut output)
            }
            Action::Resend { one, endpoint } => {
                let answer = client.act(&format!("{}/endpoint/{endpoint}/resend", path(&one)))?;
                match output.is_json() {
                    true => output.json(&answer.json),
                    false => output.line(format_args!("{} is sent to {endpoint} again", one.message)),
                }
            }
            Action::Expunge(one) => {
                client.delete(&(path(&one) + "/content"), &Query::new())?;
                output.done(format_args!("the payload of {} is forgotten", one.message))
            }
        }
    }
}

impl List {
    fn show(&self, client: &Client, application: &str, output: &mut Output) -> Result<(), Failure> {
        let (query, count) = (self.narrowed.query(), self.extent.count());
        let Some(endpoint) = &self.endpoint else {
            let path = format!("{application}/msg");
            return listing::show::<Message>(Pages::of_operator(client, &path, query, count), output);
        };
        let path = format!("{application}/endpoint/{endpoint}/msg");
        let query = query.with_some("status", self.status.as_deref().and_then(narrowed::number));
        listing::show::<AtEndpoint>(Pages::of_operator(client, &path, query, count), output)
    }
}

impl Message {
    fn channels(&self) -> String {
        self.channels.as_deref().unwrap_or_default().join(",")
    }
}

impl Row for Message {
    const PLURAL: &'static str = "messages";
    const HEADINGS: &'static [&'static str] =
        &["ID", "EVENT TYPE", "EVENT ID", "CHANNELS", "TIMESTAMP", "PAYLOAD"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::new(&self.event_type),
            Cell::of(self.event_id.as_ref()),
            Cell::new(self.channels()).flexible(),
            Cell::moment(Some(&self.timestamp), Timestamp::now()),
            Cell::new(&self.payload).flexible(),
        ]
    }
}

impl Row for AtEndpoint {
    const PLURAL: &'static str = Message::PLURAL;
    const HEADINGS: &'static [&'static str] = &["ID", "STATUS", "NEXT", "EVENT TYPE", "TIMESTAMP", "PAYLOAD"];

    fn cells(&self) -> Vec<Cell> {
        let (Self(message), now) = (self, Timestamp::now());
        vec![
            Cell::new(&message.id),
            Cell::status(message.status_text.as_deref().unwrap_or_default()),
            Cell::moment(message.next_attempt.as_deref(), now),
            Cell::new(&message.event_type),
            Cell::moment(Some(&message.timestamp), now),
            Cell::new(&message.payload).flexible(),
        ]
    }
}

impl Row for Destination {
    const PLURAL: &'static str = "endpoints";
    const HEADINGS: &'static [&'static str] = &["ID", "STATUS", "NEXT", "URL"];

    fn cells(&self) -> Vec<Cell> {
        let Self(endpoint) = self;
        vec![
            Cell::new(&endpoint.id),
            Cell::status(endpoint.status_text.as_deref().unwrap_or_default()),
            Cell::moment(endpoint.next_attempt.as_deref(), Timestamp::now()),
            Cell::new(&endpoint.url).flexible(),
        ]
    }
}
