//! The log: what goes to the standard error, as text, in colour on a terminal, or as JSON, and how much of it.
//!
//! Other crates may trace whole requests, headers and rows of the store. Whatever the configuration asks for, nothing
//! finer than `info` comes from them, so that a log never holds a secret, a key or a payload.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use hookyard::config::{self, LogFormat};
use tracing::field::Field;
use tracing::{Level, Metadata};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry, reload};

/// The log of this process, whose filter can be replaced.
pub struct Log(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error>>);

/// The crate whose own lines are let through at every level.
const OWN: &str = "hookyard";

impl Log {
    /// Starts to log what the directives let through.
    ///
    /// # Errors
    /// When the directives are none.
    pub fn start(directives: &str, format: LogFormat) -> Result<Self, config::Error> {
        let (filter, handle) = reload::Layer::new(filter(directives)?);
        let limited = registry().with(filter_fn(is_harmless)).with(filter);
        let lines =
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
        match format {
            LogFormat::Text => {
                limited.with(lines.fmt_fields(debug_fn(write_field).delimited(" "))).init();
            }
            LogFormat::Json => limited.with(lines.json().flatten_event(true)).init(),
        }
        Ok(Self(Box::new(move |other| handle.reload(other))))
    }

    /// Logs what another filter lets through, from now on.
    ///
    /// # Errors
    /// When there is no log any more.
    pub fn replace(&self, filter: EnvFilter) -> Result<(), reload::Error> {
        self.0(filter)
    }
}

/// Writes a field of a line of text. Some hold what a caller chose, who must not begin a line or talk to a terminal.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => {}
        // Where another logging library was called.
        name if name.starts_with("log.") => return Ok(()),
        name => write!(writer, "{}=", name.trim_start_matches("r#"))?,
    }
    write!(OneLine(writer), "{value:?}")
}

/// Lets nothing through that would end a line or move a cursor.
struct OneLine<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let moves = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
        for piece in text.split_inclusive(moves) {
            let plain = piece.trim_end_matches(moves);
            self.0.write_str(plain)?;
            piece[plain.len()..]
                .chars()
                .try_for_each(|letter| write!(self.0, "{}", letter.escape_default()))?;
        }
        Ok(())
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

/// Whether a line can be let through, should the configuration ask for it.
fn is_harmless(line: &Metadata<'_>) -> bool {
    is_own(line.target()) || *line.level() <= Level::INFO
}

fn is_own(target: &str) -> bool {
    target.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stays_on_its_line() {
        let mut line = String::new();
        write!(OneLine(&mut Writer::new(&mut line)), "a\r\nb\u{1b}[2J ü\u{2028}\0c\n").unwrap();
        assert_eq!(line, "a\\r\\nb\\u{1b}[2J ü\\u{2028}\\u{0}c\\n");
    }

    #[test]
    fn a_wrong_directive_is_refused_as_a_configuration_error() {
        let refused = filter("hookyard=loud").unwrap_err().to_string();
        assert!(refused.starts_with("log = \"hookyard=loud\""), "{refused}");
    }

    #[test]
    fn only_this_crate_is_its_own() {
        assert!(is_own("hookyard") && is_own("hookyard::delivery::client"));
        assert!(!is_own("hookyardish") && !is_own("rustls::client") && !is_own("log"));
    }
}
