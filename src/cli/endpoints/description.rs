//! What is said of an endpoint: when it is made, and when it is changed.

use hookyard::config::Hidden;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::client::{Client, Query};
use super::super::hooks::client_certificate::Shown;
use super::super::hooks::delivery::Policy;
use super::super::hooks::headers::members;
use super::super::listing::show_one;
use super::super::output::Output;
use super::super::shown::operator::Endpoint;
use super::super::wish::{self, Manner, Wish};
use super::super::word;
use super::{Failure, One};

#[derive(Debug, clap::Args)]
pub struct Create {
    /// Where the messages are to be delivered
    #[arg(value_name = "URL")]
    url: String,

    #[command(flatten)]
    fields: Fields,

    /// Sign with this secret instead of a generated one, whsec_… or whsk_…
    #[arg(long)]
    secret: Option<Hidden>,

    /// A header that its requests carry too, as 'name: value'; may be given again for another
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Hidden>,

    #[command(flatten)]
    certificate: Shown,

    #[command(flatten)]
    delivery: Policy,
}

#[derive(Debug, clap::Args)]
pub struct Update {
    #[command(flatten)]
    one: One,

    /// Where the messages are to be delivered
    #[arg(long = "target", value_name = "URL")]
    url: Option<String>,

    #[command(flatten)]
    fields: Fields,

    /// Requests that begin in a second at most
    #[arg(long, value_name = "N")]
    rate: Option<u16>,

    #[command(flatten)]
    manner: Manner<Field>,
}

/// What is said in both cases.
#[derive(Debug, clap::Args, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    /// Its id of one's own
    #[arg(long)]
    uid: Option<String>,

    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Only messages of this event type, or of all that begin so, as lead.*; may be given again for another
    #[arg(long = "event-type", value_name = "TYPE", value_delimiter = ',')]
    event_types: Option<Vec<String>>,

    /// Only messages on this channel; may be given again for another
    #[arg(long = "channel", value_name = "CHANNEL", value_delimiter = ',')]
    channels: Option<Vec<String>>,

    /// Only messages of whose payload this holds: JSONPath in which @ is the payload, such as '@.amount > 100'
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,

    /// Whether it gets nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disabled: Option<bool>,

    /// Something to remember of it; may be given again, and is all that is remembered then
    #[arg(long, value_name = "NAME=VALUE", value_parser = word::pair)]
    #[serde(serialize_with = "wish::object")]
    metadata: Option<Vec<(String, String)>>,
}

/// What can be cleared.
#[derive(Clone, Debug, clap::ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
enum Field {
    Uid,
    EventTypes,
    Channels,
    Filter,
    #[serde(rename = "throttleRate")]
    Rate,
    Metadata,
}

/// An endpoint on its way to the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a> {
    url: Option<&'a str>,
    #[serde(flatten)]
    fields: &'a Fields,
    throttle_rate: Option<u16>,
    secret: Option<&'a str>,
    headers: Option<Map<String, Value>>,
    client_certificate: Option<Value>,
    delivery: Option<Value>,
}

impl Create {
    /// Makes it, and shows it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        let headers = Some(members(&self.headers)?).filter(|headers| !headers.is_empty());
        let delivery = (self.delivery != Policy::default()).then(|| self.delivery.members());
        let outgoing = Outgoing {
            url: Some(&self.url),
            fields: &self.fields,
            throttle_rate: None,
            secret: self.secret.as_ref().map(Hidden::reveal),
            headers,
            client_certificate: self.certificate.members()?,
            delivery,
        };
        show_one::<Endpoint>(&client.post(all, &Query::new(), &Wish::of(&outgoing)?)?, output)
    }
}

impl Update {
    /// Changes it, and shows it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        let outgoing = Outgoing {
            url: self.url.as_deref(),
            fields: &self.fields,
            throttle_rate: self.rate,
            secret: None,
            headers: None,
            client_certificate: None,
            delivery: None,
        };
        show_one::<Endpoint>(&self.manner.change(client, &self.one.path(all), &outgoing)?, output)
    }
}
