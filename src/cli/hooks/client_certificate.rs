//! Client certificates on the command line: what a hook shows receivers that ask who calls.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::shown::Hook;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct SetClientCertificate {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    /// The certificate in PEM, and behind it those that lead from it to its authority
    #[arg(long, value_name = "FILE", requires = "private_key", required_unless_present = "none")]
    certificate: Option<PathBuf>,

    /// Its private key in PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "certificate")]
    private_key: Option<PathBuf>,

    /// Take it away
    #[arg(long, conflicts_with_all = ["certificate", "private_key"])]
    none: bool,
}

impl SetClientCertificate {
    /// Replaces it, or takes it away, and shows the hook.
    ///
    /// # Errors
    /// When a file cannot be read, or it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let path = format!("{PATH}/{}/client-certificate", self.hook);
        let answer = match (&self.certificate, &self.private_key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (read(certificate)?, read(key)?);
                client.put(&path, &Query::new(), &json!({"certificate": *certificate, "key": *key}))?
            }
            _ => client.delete(&path, &Query::new())?,
        };
        if output.is_json() {
            return output.json(&answer.json);
        }
        output.fields(&super::fields(&answer.decode::<Hook>()?))
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let refused = |error| Failure::other(format!("cannot read {}: {error}", file.display()));
    fs::read_to_string(file).map(Zeroizing::new).map_err(refused)
}
