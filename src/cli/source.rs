//! The source of a server's configuration: a file, the environment and `--dev`, read at the start and on SIGHUP.

use std::path::PathBuf;

use hookyard::Hookyard;
use hookyard::api::Certificate;
use hookyard::config::{self, Config, Loaded};
use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use super::log::{self, Log};
use super::service;

/// Where a configuration is read from, as often as it is asked for.
pub struct Source {
    pub file: Option<PathBuf>,
    pub env: Vec<(String, String)>,
    /// Whether local targets are allowed, whatever the file says.
    pub dev: bool,
}

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn load(&self) -> Result<Loaded, config::Error> {
        let Loaded { config, warnings } = Config::load(self.file.as_deref(), self.env.iter().cloned())?;
        log::filter(&config.log)?;
        config.check_certificates()?;
        let config = if self.dev { config.dev() } else { config };
        Ok(Loaded { config, warnings })
    }

    /// Reads it again at each signal and puts it in force, without end. What is refused changes nothing.
    pub async fn follow(
        self,
        mut hangup: Signal,
        hookyard: Hookyard,
        certificate: Option<Certificate>,
        log: Log,
    ) {
        while hangup.recv().await.is_some() {
            service::reloading();
            if let Err(error) = self.reload(&hookyard, certificate.as_ref(), &log) {
                error!(%error, "the configuration is refused: nothing has changed");
            }
            service::ready();
        }
    }

    fn reload(
        &self,
        hookyard: &Hookyard,
        shown: Option<&Certificate>,
        log: &Log,
    ) -> Result<(), config::Error> {
        let Loaded { config, warnings } = self.load()?;
        let filter = log::filter(&config.log)?;
        let certificate = Certificate::read(&config.tls)?;
        let reloaded = hookyard.reload(config)?;
        if let Err(error) = log.replace(filter) {
            warn!(%error, "the log keeps its level");
        }
        for warning in warnings {
            warn!("{warning}");
        }
        if let (Some(shown), Some(certificate)) = (shown, &certificate)
            && shown.replace(certificate)
        {
            info!("the front door shows another certificate");
        }
        info!(changed = reloaded.changed.join(", "), "the configuration is read again");
        if !reloaded.needs_restart.is_empty() {
            warn!(keys = reloaded.needs_restart.join(", "), "these changes need a restart");
        }
        Ok(())
    }
}
