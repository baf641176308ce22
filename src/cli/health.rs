//! `hookyard health`: whether a server accepts events, for what watches over it and has no HTTP client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use actix_web::rt;
use anyhow::{anyhow, ensure};

use super::source::Source;
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
        let server = match self.url.filter(|url| !url.is_empty()) {
            Some(url) => url,
            None => {
                let source = Source { file: self.config, env: env.collect(), dev: false };
                here(&source.load()?.config.listen)
            }
        };
        let url = format!("{}/health/ready", server.trim_end_matches('/'));
        rt::System::new().block_on(ask(&url))?;
        println!("ready");
        Ok(())
    }
}

async fn ask(url: &str) -> anyhow::Result<()> {
    let client = awc::Client::builder().disable_redirects().timeout(PATIENCE).finish();
    // Its errors are neither `Send` nor `Sync`.
    let answer = client.get(url).send().await.map_err(|error| anyhow!("no answer from {url}: {error}"))?;
    ensure!(answer.status().is_success(), "not ready: {url} answers {}", answer.status());
    Ok(())
}

/// The URL of a server of this machine that listens there.
fn here(listen: &str) -> String {
    match listen.parse::<SocketAddr>() {
        Ok(address) => format!("http://{}", greeting::reachable(address)),
        Err(_) => format!("http://{listen}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_where_it_can_be_reached() {
        assert_eq!(here("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(here("[::]:81"), "http://[::1]:81");
        assert_eq!(here("localhost:8080"), "http://localhost:8080");
    }
}
