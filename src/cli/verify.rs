//! `hookyard verify`: whether the signature of a request that was received holds.
//!
//! The request comes from the standard input. It ends with status 0 if the signatures match, with 1 and the reason if
//! not, with 2 if there is nothing to verify.

mod hint;
mod input;

use std::io::{self, Read};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use hookyard::clock::Timestamp;
use hookyard::signature;
use hookyard::subscription::Secret;

use self::input::Input;
use super::Failure;
use super::fields::Fields;
use super::receiver::BODY_LIMIT;
use super::verification::{Age, Verifier};

/// Verify the signature of a request read from the standard input.
///
/// What is read is the body, byte for byte as it was received, or a whole HTTP request with its head. The signatures
/// are those of Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature) and any header whose value is
/// sha256= and an HMAC of the body, such as x-fetchply-signature; which are given must all match.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// The hook's secret; may be repeated, and one that matches is enough
    ///
    /// Other users of this machine can see it on the command line; they cannot see the variable.
    #[arg(
        long = "secret",
        value_name = "SECRET",
        env = "HOOKYARD_SECRET",
        hide_env_values = true,
        required = true
    )]
    secrets: Vec<Secret>,

    /// The value of webhook-id
    #[arg(long)]
    id: Option<String>,

    /// The value of webhook-timestamp
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<String>,

    /// The value of webhook-signature
    #[arg(long, value_name = "v1,…", allow_hyphen_values = true)]
    signature: Option<String>,

    /// A header of the request; may be repeated
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<Header>,

    /// How far the request's time may be from now, such as 5m, or off
    #[arg(long, value_name = "TIME", default_value = "5m")]
    tolerance: Tolerance,
}

#[derive(Clone, Debug)]
struct Header {
    name: String,
    value: String,
}

#[derive(Clone, Copy, Debug)]
struct Tolerance(Duration);

const EXAMPLES: &str = "\
Examples:
  hookyard verify --secret whsec_… < request.http
  hookyard verify --id evt_… --timestamp 1736937000 --signature v1,… --tolerance off < body.json
  hookyard verify -H 'x-fetchply-signature: sha256=…' < body.json     with the secret in HOOKYARD_SECRET

Exit status: 0 verified, 1 not, 2 wrong usage.";

impl Verify {
    /// Reads the request and verifies it.
    ///
    /// # Errors
    /// When it is not to be trusted, or cannot be read.
    pub fn run(self) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let limit = BODY_LIMIT as u64;
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes).context("cannot read the request")?;
        if bytes.len() as u64 > limit {
            return Err(anyhow!("the request has more than {limit} bytes").into());
        }
        let Input { mut fields, body } = Input::read(bytes).map_err(Failure::Usage)?;
        self.add_headers(&mut fields);
        if fields.iter().next().is_none() {
            let message =
                "nothing to verify: give --id, --timestamp and --signature, --header, or a whole request";
            return Err(Failure::Usage(message.to_owned()));
        }
        let now = Timestamp::now();
        let verifier = Verifier::new(self.secrets.clone(), self.tolerance.0);
        let age = Age::of(&fields, now).map_or_else(String::new, |age| format!("; signed {age}"));
        match verifier.verify(&fields, &body, now) {
            Ok(headers) => {
                println!("verified by {}{age}", headers.join(" and "));
                Ok(())
            }
            Err(refusal) => {
                let hint = hint::of(&refusal, &self.secrets, &fields, &body, now);
                let hint = hint.map_or_else(String::new, |hint| format!("\n{hint}"));
                Err(anyhow!("not verified: {refusal}{age}{hint}").into())
            }
        }
    }

    /// Those of the command line count more than those of the request.
    fn add_headers(&self, fields: &mut Fields) {
        for Header { name, value } in &self.headers {
            fields.set(name, value);
        }
        let options = [
            (signature::ID, &self.id),
            (signature::TIMESTAMP, &self.timestamp),
            (signature::SIGNATURE, &self.signature),
        ];
        for (name, value) in options {
            if let Some(value) = value {
                fields.set(name, value);
            }
        }
    }
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a header is written NAME: VALUE")?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

impl FromStr for Tolerance {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(Duration::MAX)),
            text => humantime::parse_duration(text).map(Self),
        }
    }
}
