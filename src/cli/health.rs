//! `hookyard health`: whether a server accepts events, for what watches over it and has no HTTP client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use hookyard::Config;
use ureq::Agent;
use ureq::tls::TlsConfig;

use super::client::authorities::{self, Authorities};
use super::{Failure, greeting};

/// Ask a server whether it accepts events; status 0 says that it does.
///
/// Without --url it asks the server of this machine where the configuration says that it listens: an image's health
/// check needs neither arguments nor curl.
#[derive(Debug, clap::Args)]
pub struct Health {
    /// The server
    #[arg(long, env = "HOOKYARD_URL")]
    url: Option<String>,

    /// A PEM file with the certificate authorities to trust, instead of those of the public web; goes with --url
    #[arg(long, env = "HOOKYARD_CA", value_name = "FILE", value_parser = authorities::read)]
    ca: Option<Authorities>,

    /// The TOML file that the server was started with
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A healthy server answers in less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

impl Health {
    /// Asks once.
    ///
    /// # Errors
    /// When the server is not ready, or does not answer.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        let (server, tls) = match self.url.filter(|url| !url.is_empty()) {
            Some(url) => (url, self.ca.unwrap_or_default().tls()),
            None => {
                let config = Config::load(self.config.as_deref(), env)?.config;
                // Its certificate is for the name that others call it by. Nothing is told it that it does not know.
                (here(&config), TlsConfig::builder().disable_verification(true).build())
            }
        };
        ask(&format!("{}/health/ready", server.trim_end_matches('/')), tls)?;
        println!("ready");
        Ok(())
    }
}

fn ask(url: &str, tls: TlsConfig) -> anyhow::Result<()> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(PATIENCE))
        .proxy(None)
        .tls_config(tls)
        .build()
        .into();
    let answer = agent.get(url).call().with_context(|| format!("no answer from {url}"))?;
    ensure!(answer.status().is_success(), "not ready: {url} answers {}", answer.status());
    Ok(())
}

/// The URL of a server of this machine that has this configuration.
fn here(config: &Config) -> String {
    let scheme = greeting::scheme(config);
    match config.listen.parse::<SocketAddr>() {
        Ok(address) => format!("{scheme}://{}", greeting::reachable(address)),
        Err(_) => format!("{scheme}://{}", config.listen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_where_it_can_be_reached() {
        let here = |listen: &str| super::here(&Config { listen: listen.to_owned(), ..Config::default() });
        assert_eq!(here("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(here("[::]:81"), "http://[::1]:81");
        assert_eq!(here("localhost:8080"), "http://localhost:8080");
    }
}
