//! What an endpoint shows receivers that ask who calls: looked at, replaced and taken away.

use hookyard::clock::Timestamp;

use super::super::client::{Client, Query};
use super::super::hooks::client_certificate::Change;
use super::super::listing::{Row, show_one};
use super::super::output::Output;
use super::super::output::cell::Cell;
use super::super::shown::operator::ClientCertificate;
use super::{Failure, One};

#[derive(Debug, clap::Args)]
pub struct SetClientCertificate {
    #[command(flatten)]
    one: One,

    #[command(flatten)]
    change: Change,
}

/// Shows it, without its key.
///
/// # Errors
/// When there is none.
pub fn show(client: &Client, endpoint: &str, output: &mut Output) -> Result<(), Failure> {
    show_one::<ClientCertificate>(
        &client.get(&format!("{endpoint}/client-certificate"), &Query::new())?,
        output,
    )
}

impl SetClientCertificate {
    /// Replaces it and shows it, or takes it away.
    ///
    /// # Errors
    /// When a file cannot be read, or it is refused.
    pub fn run(&self, client: &Client, all: &str, output: &mut Output) -> Result<(), Failure> {
        let answer = self.change.make(client, &self.one.path(all))?;
        match self.change.is_removal() {
            true => output.done(format_args!("{} has no certificate of its own", self.one.endpoint)),
            false => show_one::<ClientCertificate>(&answer, output),
        }
    }
}

impl Row for ClientCertificate {
    const PLURAL: &'static str = "client certificates";
    const HEADINGS: &'static [&'static str] = &["FINGERPRINT", "VALID UNTIL"];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::new(&self.fingerprint), Cell::moment(Some(&self.not_after), Timestamp::now())]
    }
}
