//! The headers of an endpoint: looked at, replaced, and changed one by one.

use hookyard::config::Hidden;
use serde_json::json;

use super::super::client::{Client, Query};
use super::super::hooks::headers::members;
use super::super::output::Output;
use super::super::output::cell::Cell;
use super::super::shown::operator::Headers;
use super::{Failure, One};

#[derive(Debug, clap::Args)]
pub struct SetHeaders {
    #[command(flatten)]
    one: One,

    /// A header, as 'name: value'; may be given again for another
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Hidden>,
}

#[derive(Debug, clap::Args)]
pub struct UpdateHeaders {
    #[command(flatten)]
    set: SetHeaders,

    /// The name of a header to be removed; may be given again for another
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
}

/// Shows them.
///
/// # Errors
/// When they cannot be had.
pub fn show(client: &Client, endpoint: &str, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get(&format!("{endpoint}/headers"), &Query::new())?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    let Headers { headers, sensitive } = answer.decode()?;
    let shown = headers.iter().map(|(name, value)| (name.as_str(), Cell::new(value)));
    let hidden = sensitive.iter().map(|name| (name.as_str(), Cell::new("***")));
    output.fields(&shown.chain(hidden).collect::<Vec<_>>())
}

impl SetHeaders {
    /// Replaces them.
    ///
    /// # Errors
    /// When they are refused.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        client.put(&self.path(all), &Query::new(), &json!({"headers": members(&self.headers)?}))?;
        self.done(output)
    }

    fn path(&self, all: &str) -> String {
        self.one.path(all) + "/headers"
    }

    fn done(&self, output: &mut Output) -> Result<(), Failure> {
        output.done(format_args!("the headers of {} are as you say", self.one.endpoint))
    }
}

impl UpdateHeaders {
    /// Changes those that are named.
    ///
    /// # Errors
    /// When they are refused.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        let wish = json!({"headers": members(&self.set.headers)?, "deleteHeaders": self.remove});
        client.patch(&self.set.path(all), &Query::new(), &wish)?;
        self.set.done(output)
    }
}
