//! What the requests to an endpoint are signed with: the two actions that print it.

use hookyard::config::Hidden;
use serde_json::json;

use super::super::client::{Answer, Client, Query};
use super::super::output::Output;
use super::super::shown::operator::Secret;
use super::super::word;
use super::{Failure, One};

#[derive(Debug, clap::Args)]
pub struct RotateSecret {
    #[command(flatten)]
    one: One,

    /// The new secret, instead of a generated one
    #[arg(long)]
    secret: Option<Hidden>,

    /// How long requests are signed with the old one too, up to 7d; a day when absent
    #[arg(long, value_name = "DURATION", value_parser = word::seconds)]
    overlap: Option<u64>,
}

impl RotateSecret {
    /// Makes the new secret, and prints it alone.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        let Self { one, secret, overlap } = self;
        let wish = json!({"key": secret.as_ref().map(Hidden::reveal), "gracePeriodSeconds": overlap});
        print(&client.post(&(one.path(all) + "/secret/rotate"), &Query::new(), &wish)?, output)
    }
}

/// Prints the secret alone.
///
/// # Errors
/// When it cannot be had.
pub fn show(client: &Client, endpoint: &str, output: &mut Output) -> Result<(), Failure> {
    print(&client.get(&format!("{endpoint}/secret"), &Query::new())?, output)
}

fn print(answer: &Answer, output: &mut Output) -> Result<(), Failure> {
    match output.is_json() {
        true => output.json(&answer.json),
        false => output.line(answer.decode::<Secret>()?.key),
    }
}
