//! `hookyard messages create`: a message on its way to the API. The bytes of its payload are kept.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::client::{Client, Query};
use super::super::emit::data;
use super::super::output::Output;
use super::super::shown::operator::Message;
use super::super::wish::Wish;
use super::Failure;

#[derive(Debug, clap::Args)]
pub struct Create {
    /// The event type, such as user.signup
    #[arg(value_name = "EVENT_TYPE")]
    event_type: String,

    /// The payload, an object: the JSON itself, @FILE, or - for the standard input
    #[arg(value_name = "PAYLOAD|@FILE|-")]
    payload: String,

    /// An id of one's own, by which it is found too; there is one message of it
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,

    /// A channel that it is on; may be given again for another
    #[arg(long = "channel", value_name = "CHANNEL", value_delimiter = ',')]
    channels: Option<Vec<String>>,

    /// It is sent once, however often this is done with this key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A message on its way to the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a> {
    event_type: &'a str,
    payload: &'a RawValue,
    event_id: Option<&'a str>,
    channels: Option<&'a [String]>,
}

impl Create {
    /// Sends it, and prints its id.
    ///
    /// # Errors
    /// When there is no payload, or it is not accepted.
    pub fn run(&self, client: &Client, application: &str, output: &mut Output) -> Result<(), Failure> {
        let payload = data::read(&self.payload)?;
        let wish = Wish::of(&Outgoing {
            event_type: &self.event_type,
            payload: &payload,
            event_id: self.event_id.as_deref(),
            channels: self.channels.as_deref(),
        })?;
        let body = serde_json::to_vec(&wish).map_err(anyhow::Error::from)?;
        let key = self.idempotency_key.as_deref().map(|key| ("idempotency-key", key));
        let headers: Vec<_> = key.into_iter().collect();
        let answer = client.post_json(&format!("{application}/msg"), &Query::new(), &headers, &body)?;
        match output.is_json() {
            true => output.json(&answer.json),
            false => output.line(answer.decode::<Message>()?.id),
        }
    }
}
