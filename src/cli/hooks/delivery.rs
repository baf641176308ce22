//! Delivery policies on the command line: how a hook is served, when subscribing and for a hook that is there.

use serde_json::{Value, json};

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::shown::Hook;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct SetDelivery {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    #[command(flatten)]
    policy: Policy,
}

/// How a hook is served; what is left out is as configured
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Delivery")]
pub struct Policy {
    /// Requests that begin in a second at most
    #[arg(long, value_name = "N")]
    rate: Option<u32>,

    /// Requests in flight at a time at most
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,

    /// One event after the other: while one is tried again, those behind it wait
    #[arg(long)]
    fifo: bool,

    /// Send webhook-sequence, a number that grows from event to event
    #[arg(long)]
    sequence: bool,

    /// The wait before a retry; given again for the next one
    #[arg(long = "retry", value_name = "DURATION", value_parser = word::duration)]
    retries: Vec<String>,

    /// Try only once
    #[arg(long, conflicts_with = "retries")]
    no_retries: bool,

    /// How long a request may take in all
    #[arg(long = "attempt-timeout", value_name = "DURATION", value_parser = word::duration)]
    timeout: Option<String>,

    /// Deactivate the hook once retries are used up: exhausted (at once), after a duration without any success, or never
    #[arg(long, value_name = "WHEN")]
    deactivate: Option<String>,

    /// Let an event that fails to the last while others succeed become a dead letter alone
    #[arg(long)]
    dead_letter_poison: bool,
}

impl SetDelivery {
    /// Replaces the policy, and shows the hook.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let wish = json!({"delivery": self.policy.members()});
        let answer = client.put(&format!("{PATH}/{}/delivery", self.hook), &Query::new(), &wish)?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        output.fields(&super::fields(&answer.decode::<Hook>()?))
    }
}

impl Policy {
    /// The policy as the API takes it.
    pub fn members(&self) -> Value {
        let mut members = serde_json::Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            members.extend(value.map(|value| (name.to_owned(), value)));
        };
        say("rate", self.rate.map(Value::from));
        say("concurrency", self.concurrency.map(Value::from));
        say("ordering", self.fifo.then(|| json!("fifo")));
        say("sequence", self.sequence.then_some(Value::Bool(true)));
        let says_retries = self.no_retries || !self.retries.is_empty();
        say("retries", says_retries.then(|| json!(self.retries)));
        say("timeout", self.timeout.as_ref().map(|timeout| json!(timeout)));
        say("deactivate", self.deactivate.as_ref().map(|when| json!(when)));
        say("poison", self.dead_letter_poison.then(|| json!("dead_letter")));
        members.into()
    }
}
