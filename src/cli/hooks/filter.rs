//! Filters on the command line: what must hold of an event's data.

use serde_json::json;

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::shown::Hook;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct SetFilter {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    /// An expression of JSONPath in which @ is the data, such as '@.amount > 100'; without one every event is let through
    #[arg(value_name = "EXPRESSION")]
    filter: Option<String>,
}

impl SetFilter {
    /// Replaces the filter, and shows the hook.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let wish = json!({"filter": self.filter});
        let answer = client.put(&format!("{PATH}/{}/filter", self.hook), &Query::new(), &wish)?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        output.fields(&super::fields(&answer.decode::<Hook>()?))
    }
}
