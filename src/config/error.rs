//! Why a configuration is refused, said so that whoever wrote it can mend it: the key, the value, what is allowed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use figment::error::{Actual, Kind};

use super::hidden::STARS;

/// Why a configuration is refused. Never shows the admin key, nor a master key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is not TOML: line {line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("unknown key {key}{}; {hint}", Within(origin))]
    UnknownKey { key: String, origin: Option<String>, hint: String },
    #[error("{key} = {value}{}; allowed: {allowed}", Within(origin))]
    Value {
        key: String,
        value: String,
        /// The file or the environment variable that it came from, when it was loaded.
        origin: Option<String>,
        allowed: String,
    },
}

/// The keys whose values are secret.
pub(super) const HIDDEN: [&str; 4] =
    ["admin_key", "encryption.master_key", "encryption.previous_master_keys", "operator.jwt_secret"];

struct Within<'a>(&'a Option<String>);

impl Error {
    /// A value that its key must not have; `value` is written as in the file.
    pub fn value(key: impl Into<String>, value: impl fmt::Display, allowed: impl fmt::Display) -> Self {
        let key = key.into();
        let value = if is_hidden(&key) { STARS.to_owned() } else { value.to_string() };
        Self::Value { key, value, origin: None, allowed: allowed.to_string() }
    }

    /// The same error, with where the refused key came from as `find` tells it.
    pub(super) fn located(mut self, find: impl Fn(&str) -> Option<String>) -> Self {
        if let Self::Value { key, origin, .. } | Self::UnknownKey { key, origin, .. } = &mut self {
            let whole = key.split_once('[').map_or(key.as_str(), |(list, _)| list);
            *origin = find(whole);
        }
        self
    }

    /// What figment could not read into a [`Config`](super::Config); `known` lists all keys.
    pub(super) fn unreadable_value(error: figment::Error, known: &[String]) -> Self {
        let key = written(&error.path);
        let origin = error.metadata.as_ref().map(|metadata| metadata.name.to_string());
        let refused = |value: String, allowed: String| Self::value(key.clone(), value, allowed);
        match &error.kind {
            Kind::UnknownField(name, siblings) => {
                let hint = hint(name, siblings, known);
                return Self::UnknownKey { key: key.clone(), origin, hint };
            }
            Kind::InvalidType(value, expected) | Kind::InvalidValue(value, expected) => {
                refused(shown(value), plain(expected))
            }
            Kind::UnknownVariant(value, allowed) => refused(format!("{value:?}"), quoted(allowed)),
            Kind::MissingField(field) => {
                let key = if key.is_empty() { field.to_string() } else { format!("{key}.{field}") };
                Self::value(key, "(missing)", "a value")
            }
            other => refused("(unreadable)".to_owned(), other.to_string()),
        }
        .located(|_| origin.clone())
    }
}

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}

/// Whether the key's value, or an entry of it, is secret.
fn is_hidden(key: &str) -> bool {
    let whole = key.split_once('[').map_or(key, |(list, _)| list);
    HIDDEN.contains(&whole)
}

/// `retry.schedule[1]`, from the steps that lead there.
fn written(path: &[String]) -> String {
    path.iter().fold(String::new(), |key, step| match step.parse::<usize>() {
        Ok(index) => format!("{key}[{index}]"),
        Err(_) if key.is_empty() => step.clone(),
        Err(_) => format!("{key}.{step}"),
    })
}

fn shown(value: &Actual) -> String {
    match value {
        Actual::Str(text) => format!("{text:?}"),
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Seq => "[…]".to_owned(),
        Actual::Map => "{…}".to_owned(),
        other => other.to_string(),
    }
}

/// What serde says that it expected, in the words of whoever writes the file.
fn plain(expected: &str) -> String {
    match expected {
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "text in quotes",
        "a sequence" => "a list",
        other if other.starts_with("struct EventTypeSpec") => {
            "a table with name, description, example, schema"
        }
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
    .to_owned()
}

fn quoted(allowed: &[&str]) -> String {
    allowed.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" or ")
}

fn hint(name: &str, siblings: &[&str], known: &[String]) -> String {
    let elsewhere = known.iter().find(|key| key.rsplit('.').next() == Some(name));
    match elsewhere {
        Some(key) => format!("did you mean {key}?"),
        None => format!("known here: {}", siblings.join(", ")),
    }
}
