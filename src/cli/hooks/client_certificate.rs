//! Client certificates on the command line: what a hook shows receivers that ask who calls.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::client::{Answer, Client, Query};
use super::super::output::Output;
use super::super::shown::Hook;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct SetClientCertificate {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    #[command(flatten)]
    change: Change,
}

/// A certificate with its key, if there is to be one.
#[derive(Debug, clap::Args)]
pub struct Shown {
    /// What its requests show to receivers that ask who calls (mutual TLS): a certificate in PEM, and behind it those that
    /// lead from it to its authority
    #[arg(long, value_name = "FILE", requires = "private_key")]
    certificate: Option<PathBuf>,

    /// The certificate's private key in PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "certificate")]
    private_key: Option<PathBuf>,
}

/// A certificate, or that there is to be none.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("wanted").required(true).args(["certificate", "none"])))]
pub struct Change {
    #[command(flatten)]
    shown: Shown,

    /// Take it away
    #[arg(long, conflicts_with = "private_key")]
    none: bool,
}

impl SetClientCertificate {
    /// Replaces it, or takes it away, and shows the hook.
    ///
    /// # Errors
    /// When a file cannot be read, or it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let answer = self.change.make(client, &format!("{PATH}/{}", self.hook))?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        output.fields(&super::fields(&answer.decode::<Hook>()?))
    }
}

impl Shown {
    /// The certificate and the key, as the API takes them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn members(&self) -> Result<Option<Value>, Failure> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.private_key) else {
            return Ok(None);
        };
        Ok(Some(json!({"certificate": *read(certificate)?, "key": *read(key)?})))
    }
}

impl Change {
    /// Replaces it, or takes it away, from what is at this path.
    ///
    /// # Errors
    /// When a file cannot be read, or it is refused.
    pub fn make(&self, client: &Client, path: &str) -> Result<Answer, Failure> {
        let path = format!("{path}/client-certificate");
        match self.shown.members()? {
            Some(members) => client.put(&path, &Query::new(), &members),
            None => client.delete(&path, &Query::new()),
        }
    }

    /// Whether it takes it away.
    pub fn is_removal(&self) -> bool {
        self.none
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let refused = |error| Failure::other(format!("cannot read {}: {error}", file.display()));
    fs::read_to_string(file).map(Zeroizing::new).map_err(refused)
}
