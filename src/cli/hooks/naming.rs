//! Which hooks are to be removed: one by its id, or those of a URL.

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::shown::Deleted;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct Naming {
    /// The hook's id, or the URL of hooks
    #[arg(value_name = "HOOK_ID|URL", value_parser = named)]
    named: String,

    /// Of the URL's hooks, only that of this event type
    #[arg(value_name = "EVENT")]
    event: Option<String>,
}

impl Naming {
    /// Removes what is named.
    ///
    /// # Errors
    /// When there is no such hook, or it cannot be removed.
    pub fn unsubscribe(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let Self { named, event } = self;
        let answer = if is_url(named) {
            let query = Query::new().with("url", named).with_some("event", event.as_ref());
            client.delete(&format!("{PATH}/subscribe"), &query)?
        } else if event.is_some() {
            return Err(Failure::Usage("an id names one hook; EVENT goes with a URL".to_owned()));
        } else {
            client.delete(&format!("{PATH}/{named}"), &Query::new())?
        };
        let Deleted { deleted } = answer.decode()?;
        if output.is_json() {
            output.json(&answer.json)?;
        }
        match deleted {
            0 => Err(Failure::other(format!("there is no hook {named}; nothing was removed"))),
            _ if output.is_json() => Ok(()),
            1 => output.line("removed 1 hook"),
            some => output.line(format_args!("removed {some} hooks")),
        }
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

fn named(text: &str) -> Result<String, String> {
    if is_url(text) {
        return Ok(text.to_owned());
    }
    word::hook_id(text).map_err(|why| format!("neither a URL (https://…) nor a hook's id: {why}"))
}
