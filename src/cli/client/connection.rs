//! Where the commands find the server and the key, and how they show what they get: the options that they share.

use std::convert::Infallible;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::super::admin_key;
use super::super::output::Output;
use super::super::word;
use super::authorities::{self, Authorities};
use super::{Client, Failure};

/// The options of every command that calls a server.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server and output")]
pub struct Connection {
    /// The server to call
    #[arg(id = "server", long = "url", global = true, env = "HOOKYARD_URL", value_name = "URL")]
    #[arg(default_value = DEFAULT_URL, value_parser = server)]
    url: Url,

    /// The API key; better in the environment, for a command line can be seen by others
    ///
    /// Without one, a server on this machine is called with the admin key in --data-dir.
    #[arg(long, global = true, env = "HOOKYARD_KEY", hide_env_values = true)]
    key: Option<Key>,

    /// Where the server keeps its data, and the admin key
    #[arg(long, global = true, env = "HOOKYARD_DATA_DIR", value_name = "DIR")]
    #[arg(default_value = DEFAULT_DATA_DIR, value_parser = directory)]
    data_dir: PathBuf,

    /// A PEM file with the certificate authorities to trust, instead of those of the public web
    #[arg(long, global = true, env = "HOOKYARD_CA", value_name = "FILE", value_parser = authorities::read)]
    ca: Option<Authorities>,

    /// The account to act for; an admin key may name any
    #[arg(long, global = true, env = "HOOKYARD_ACCOUNT")]
    account: Option<String>,

    /// Print the API's JSON as it comes
    #[arg(long, global = true)]
    json: bool,

    /// No colours, as NO_COLOR does
    #[arg(long, global = true)]
    no_color: bool,
}

/// An API key, which nothing here prints.
#[derive(Clone)]
pub struct Key(Zeroizing<String>);

/// Where a server listens unless told.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// The account that a call is for unless told.
const DEFAULT_ACCOUNT: &str = "default";
/// The path of all accounts in the operator's API.
pub const APPLICATIONS: &str = "/api/v1/app";
/// Where it keeps its data unless told.
const DEFAULT_DATA_DIR: &str = "data";

impl Connection {
    /// The client that these options ask for.
    ///
    /// # Errors
    /// When the key cannot be one, or its file cannot be read.
    pub fn client(&self) -> Result<Client, Failure> {
        let (key, origin) = self.key()?;
        if key.as_ref().is_some_and(|key| !key.0.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Failure::Usage(format!(
                "{origin} is none: a key is one word of visible ASCII characters, such as fp_…"
            )));
        }
        let account = self.account.clone().filter(|account| !account.is_empty());
        let tls = self.ca.clone().unwrap_or_default().tls();
        Ok(Client::new(self.url.clone(), tls, (key, origin), account))
    }

    /// The account that they name.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref().filter(|account| !account.is_empty())
    }

    /// The path of the account that they name, or else of `default`, in the operator's API.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn application(&self) -> Result<String, Failure> {
        let named = word::name(self.account().unwrap_or(DEFAULT_ACCOUNT));
        let named = named.map_err(|why| Failure::Usage(format!("--account: {why}")))?;
        Ok(format!("{APPLICATIONS}/{named}"))
    }

    /// The output that these options ask for.
    pub fn output(&self) -> Output {
        if self.no_color {
            anstream::ColorChoice::Never.write_global();
        }
        Output::to_stdout(self.json)
    }

    /// The key to call with, and what to call it when it is refused.
    fn key(&self) -> Result<(Option<Key>, String), Failure> {
        if let Some(key) = self.key.clone().filter(|key| !key.0.is_empty()) {
            return Ok((Some(key), "the key of --key or HOOKYARD_KEY".to_owned()));
        }
        let file = self.data_dir.join(admin_key::FILE);
        if !is_this_machine(&self.url) {
            return Ok((None, format!("{} is for a server on this machine alone", file.display())));
        }
        let key = read(&file)?;
        let origin = match &key {
            Some(_) => format!("the key in {}", file.display()),
            None => format!("there is no {} either", file.display()),
        };
        Ok((key, origin))
    }
}

impl Key {
    /// The value of an `Authorization` header.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0.as_str())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

/// Whether only this machine can answer at the URL.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        None => false,
    }
}

fn read(file: &Path) -> Result<Option<Key>, Failure> {
    match fs::read_to_string(file).map(Zeroizing::new) {
        Ok(text) => Ok(Some(Key::from(text.as_str()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let unread = Err(error).with_context(|| {
                format!("cannot read the admin key in {}; HOOKYARD_KEY gives one too", file.display())
            });
            Ok(unread?)
        }
    }
}

/// A variable that is set to nothing is as good as unset.
fn directory(text: &str) -> Result<PathBuf, Infallible> {
    Ok(if text.is_empty() { DEFAULT_DATA_DIR } else { text }.into())
}

fn server(text: &str) -> Result<Url, String> {
    let text = if text.is_empty() { DEFAULT_URL } else { text };
    let refused = |why: &str| format!("{why}; an address is written as {DEFAULT_URL}");
    let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(refused("only scheme, host, port and path count"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_scheme_and_a_host_and_is_the_usual_one_when_empty() {
        assert_eq!(server("").unwrap().as_str(), "http://127.0.0.1:8080/");
        assert_eq!(server("https://example.com/hooks").unwrap().path(), "/hooks");
        for bad in ["127.0.0.1:8080", "localhost:8080", "ftp://a", "http://u:p@a", "http://a?b", "x"] {
            let refusal = server(bad).unwrap_err();
            assert!(refusal.ends_with("an address is written as http://127.0.0.1:8080"), "{refusal}");
        }
    }

    #[test]
    fn the_admin_key_is_only_for_servers_of_this_machine() {
        for near in ["http://127.0.0.2:1/", "http://localhost/", "http://[::1]/", "http://0.0.0.0:8080"] {
            assert!(is_this_machine(&near.parse().unwrap()), "{near}");
        }
        for far in ["https://example.com/", "http://10.0.0.1/", "http://localhost.example/", "http://[::2]/"]
        {
            assert!(!is_this_machine(&far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Key::from("fp_secret\n")), "Key(***)");
        assert_eq!(Key::from("fp_secret\n").bearer(), "Bearer fp_secret");
    }
}
