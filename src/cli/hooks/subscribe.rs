//! Subscribing, and secrets: the two actions that print one.

use hookyard::config::Hidden;
use serde_json::json;

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::output::note;
use super::super::shown::Hook;
use super::super::word;
use super::client_certificate::Shown;
use super::delivery::Policy;
use super::headers::members;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct Subscribe {
    /// Where the events are to be delivered
    #[arg(value_name = "URL", value_parser = target)]
    url: String,

    /// The event type; `hookyard events types` shows what there is
    #[arg(value_name = "EVENT")]
    event: String,

    /// Sign with this secret instead of a generated one: whsec_<base64>, or 16 to 128 visible ASCII characters
    #[arg(long)]
    secret: Option<Hidden>,

    /// A header that its requests carry too, as 'name: value'; may be given again for another
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Hidden>,

    /// Only events of whose data this holds: JSONPath in which @ is the data, such as '@.amount > 100'
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,

    #[command(flatten)]
    certificate: Shown,

    /// Deliver what was parked too, if the hook was deactivated before
    #[arg(long)]
    replay: bool,

    #[command(flatten)]
    delivery: Policy,
}

#[derive(Debug, clap::Args)]
pub struct RotateSecret {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    /// The new secret, instead of a generated one
    #[arg(long)]
    secret: Option<Hidden>,

    /// How long requests are signed with both, the old and the new
    #[arg(long, value_name = "DURATION", value_parser = word::duration)]
    overlap: Option<String>,
}

impl Subscribe {
    /// Subscribes, and prints the hook with its secret.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let Self { url, event, secret, headers, filter, certificate, replay, delivery } = self;
        let mut wish = json!({"url": url, "event": event, "secret": secret.as_ref().map(Hidden::reveal), "replay": replay});
        if !headers.is_empty() {
            wish["headers"] = members(headers)?.into();
        }
        if let Some(filter) = filter {
            wish["filter"] = json!(filter);
        }
        if *delivery != Policy::default() {
            wish["delivery"] = delivery.members();
        }
        if let Some(certificate) = certificate.members()? {
            wish["client_certificate"] = certificate;
        }
        let answer = client.post(&format!("{PATH}/subscribe"), &Query::new(), &wish)?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        output.fields(&super::fields(&answer.decode()?))
    }
}

impl RotateSecret {
    /// Makes the new secret, and prints it alone.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let Self { hook, secret, overlap } = self;
        let mut wish = serde_json::Map::new();
        wish.extend(secret.as_ref().map(|secret| ("secret".to_owned(), json!(secret.reveal()))));
        wish.extend(overlap.as_ref().map(|overlap| ("overlap".to_owned(), json!(overlap))));
        let answer = client.post(&format!("{PATH}/{hook}/rotate-secret"), &Query::new(), &wish)?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        let rotated: Hook = answer.decode()?;
        note(format_args!("the new secret of {}, and of the hooks that shared the old one:", rotated.id));
        output.line(rotated.secret.unwrap_or_default())
    }
}

fn target(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        _ => Err("a target is written as https://example.com/webhook".to_owned()),
    }
}
