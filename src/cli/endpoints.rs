//! `hookyard endpoints`: hooks as the operator's API shows them.

mod client_certificate;
mod description;
mod headers;
mod secret;
mod stats;

use hookyard::clock::Timestamp;
use serde_json::json;

use self::client_certificate::SetClientCertificate;
use self::description::{Create, Update};
use self::headers::{SetHeaders, UpdateHeaders};
use self::secret::RotateSecret;
use self::stats::Stats;
use super::client::{Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::cell::Cell;
use super::shown::operator::{Endpoint, Message};
use super::word::{self, Moment};
use super::{Failure, only_with_list};

/// List, make and change endpoints: hooks, in the words of the operator's API
///
/// They are those of the application that --account names. By its id an endpoint is a hook too: `hookyard hooks pause`,
/// `resume`, `test`, `replay`, `stats` and `set-delivery` take it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Endpoints {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List endpoints, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Make an endpoint
    Create(Create),
    /// Show an endpoint
    Get(One),
    /// Change an endpoint
    Update(Update),
    /// Delete an endpoint; what waits for it is dropped
    #[command(alias = "rm")]
    Delete(One),
    /// Print the secret that its requests are signed with
    Secret(One),
    /// Give it a new secret, and print it
    RotateSecret(RotateSecret),
    /// Show the headers that its requests carry beside those of hookyard; of credentials only the names
    Headers(One),
    /// Replace those headers; without any, remove them
    SetHeaders(SetHeaders),
    /// Change or remove some of those headers
    UpdateHeaders(UpdateHeaders),
    /// Show by its fingerprint the certificate that receivers are shown that ask who calls (mutual TLS)
    ClientCertificate(One),
    /// Give it such a certificate, or take it away
    SetClientCertificate(SetClientCertificate),
    /// Deliver again what was given up since then
    Recover {
        #[command(flatten)]
        one: One,
        /// Since when: a time, a date, or how long ago, such as 24h
        #[arg(long, value_name = "TIME", value_parser = word::moment)]
        since: Moment,
        /// Until when
        #[arg(long, value_name = "TIME", value_parser = word::moment)]
        until: Option<Moment>,
    },
    /// Count its messages by where they stand
    Stats(Stats),
    /// Send it an example of an event type, as any message is sent, and print the message's id; needs an admin key
    SendExample {
        #[command(flatten)]
        one: One,
        /// The event type; svix.ping is always there
        #[arg(value_name = "EVENT_TYPE")]
        event_type: String,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    /// The endpoint's id, or its uid
    #[arg(value_name = "ENDPOINT", value_parser = word::name)]
    endpoint: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    #[command(flatten)]
    extent: Extent,
}

const EXAMPLES: &str = "\
Examples:
  hookyard endpoints --account acme
  hookyard endpoints create https://example.com/hook --account acme --event-type user.signup
  hookyard endpoints update ep_… --account acme --target https://example.com/new --unset filter
  hookyard endpoints recover ep_… --account acme --since 24h";

impl Endpoints {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        let all = self.connection.application()? + "/endpoint";
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => {
                let pages = Pages::of_operator(&client, &all, Query::new(), list.extent.count());
                listing::show::<Endpoint>(pages, &mut output)
            }
            Action::Create(create) => create.run(&client, &all, &mut output),
            Action::Get(one) => {
                listing::show_one::<Endpoint>(&client.get(&one.path(&all), &Query::new())?, &mut output)
            }
            Action::Update(update) => update.run(&client, &all, &mut output),
            Action::Delete(one) => {
                client.delete(&one.path(&all), &Query::new())?;
                output.done(format_args!("deleted {}", one.endpoint))
            }
            Action::Secret(one) => secret::show(&client, &one.path(&all), &mut output),
            Action::RotateSecret(rotate) => rotate.run(&client, &all, &mut output),
            Action::Headers(one) => headers::show(&client, &one.path(&all), &mut output),
            Action::SetHeaders(set) => set.run(&client, &all, &mut output),
            Action::UpdateHeaders(update) => update.run(&client, &all, &mut output),
            Action::ClientCertificate(one) => client_certificate::show(&client, &one.path(&all), &mut output),
            Action::SetClientCertificate(set) => set.run(&client, &all, &mut output),
            Action::Recover { one, since, until } => {
                let until = until.map(|until| until.to_string());
                let wish = json!({"since": since.to_string(), "until": until});
                let answer = client.post(&(one.path(&all) + "/recover"), &Query::new(), &wish)?;
                match output.is_json() {
                    true => output.json(&answer.json),
                    false => output.line("what was given up is due again"),
                }
            }
            Action::Stats(stats) => stats.run(&client, &all, &mut output),
            Action::SendExample { one, event_type } => {
                let path = one.path(&all) + "/send-example";
                let answer = client.post(&path, &Query::new(), &json!({"eventType": event_type}))?;
                match output.is_json() {
                    true => output.json(&answer.json),
                    false => output.line(answer.decode::<Message>()?.id),
                }
            }
        }
    }
}

impl One {
    /// Where it is, among all of its application.
    fn path(&self, all: &str) -> String {
        format!("{all}/{}", self.endpoint)
    }
}

/// Names, or that any will do.
fn any_of(names: Option<&[String]>) -> Cell {
    Cell::of(names.map(|names| names.join(",")))
}

impl Row for Endpoint {
    const PLURAL: &'static str = "endpoints";
    const HEADINGS: &'static [&'static str] = &["ID", "UID", "STATUS", "URL", "EVENT TYPES", "CREATED"];
    const FURTHER: &'static [&'static str] =
        &["CHANNELS", "FILTER", "RATE", "DELIVERY", "CERTIFICATE", "DESCRIPTION", "METADATA"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::of(self.uid.as_ref()),
            Cell::status(if self.disabled { "disabled" } else { "enabled" }),
            Cell::new(&self.url).flexible(),
            any_of(self.event_types.as_deref()).flexible(),
            Cell::moment(Some(&self.created_at), Timestamp::now()),
            any_of(self.channels.as_deref()),
            Cell::of(self.filter.as_ref()),
            Cell::of(self.throttle_rate),
            Cell::of(self.delivery.as_ref()),
            Cell::of(self.client_certificate.as_ref().map(|certificate| &certificate.fingerprint)),
            Cell::new(&self.description),
            Cell::of(self.metadata.as_ref()),
        ]
    }
}
