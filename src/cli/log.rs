//! The log: what goes to the standard error, as text, in colour on a terminal, or as JSON, and how much of it.

use std::io::{self, IsTerminal};

use hookyard::config::{self, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload;

/// The log of this process, whose filter can be replaced.
pub struct Log(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error>>);

impl Log {
    /// Starts to log what the directives let through.
    ///
    /// # Errors
    /// When the directives are none.
    pub fn start(directives: &str, format: LogFormat) -> Result<Self, config::Error> {
        let ansi = io::stderr().is_terminal();
        let lines = tracing_subscriber::fmt().with_env_filter(filter(directives)?);
        let lines = lines.with_writer(io::stderr).with_ansi(ansi);
        match format {
            LogFormat::Text => {
                let lines = lines.with_filter_reloading();
                let filter = lines.reload_handle();
                lines.init();
                Ok(Self(Box::new(move |other| filter.reload(other))))
            }
            LogFormat::Json => {
                let lines = lines.json().flatten_event(true).with_filter_reloading();
                let filter = lines.reload_handle();
                lines.init();
                Ok(Self(Box::new(move |other| filter.reload(other))))
            }
        }
    }

    /// Logs what another filter lets through, from now on.
    ///
    /// # Errors
    /// When there is no log any more.
    pub fn replace(&self, filter: EnvFilter) -> Result<(), reload::Error> {
        self.0(filter)
    }
}

/// The filter that the value of the key `log` describes.
///
/// # Errors
/// When it describes none.
pub fn filter(directives: &str) -> Result<EnvFilter, config::Error> {
    EnvFilter::try_new(directives).map_err(|error| {
        let allowed = format!("a level such as info, or directives such as warn,hookyard=debug ({error})");
        config::Error::value("log", format!("{directives:?}"), allowed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_directive_is_refused_as_a_configuration_error() {
        let refused = filter("hookyard=loud").unwrap_err().to_string();
        assert!(refused.starts_with("log = \"hookyard=loud\""), "{refused}");
    }
}
