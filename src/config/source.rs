//! Where a configuration comes from: the defaults, a TOML file over them, environment variables over both.
//!
//! The environment is handed in. An unknown key in the file is an error, an unknown variable only a warning:
//! clients and orchestrators set some.

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};
use zeroize::Zeroizing;

use super::{Config, Error, Hidden, Traces};

/// A configuration, and what whoever starts the router should be told.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Warning>,
}

/// Something about the configuration that does not stop the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A `HOOKYARD_…` variable that names no key, and the one that may have been meant.
    UnknownVariable { name: String, meant: Option<String> },
}

/// Some keys, and the name of the file or the variable that gives them.
struct Layer {
    origin: String,
    keys: Dict,
}

const PREFIX: &str = "HOOKYARD_";
/// Variables of the commands that are clients of the HTTP API, or receivers.
const CLIENT_VARIABLES: [&str; 5] =
    ["HOOKYARD_URL", "HOOKYARD_KEY", "HOOKYARD_ACCOUNT", "HOOKYARD_SECRET", "HOOKYARD_CA"];
/// Variables of the OpenTelemetry specification, and the keys that they set where no variable of ours does.
const STANDARD_VARIABLES: [(&str, &str); 2] =
    [("OTEL_EXPORTER_OTLP_ENDPOINT", Traces::ENDPOINT), ("OTEL_SERVICE_NAME", "traces.service_name")];
/// The two ways to give what is secret; one in the environment replaces either of them in the file.
const ALTERNATIVES: [[&str; 2]; 3] = [
    ["admin_key", "admin_key_file"],
    ["encryption.master_key", "encryption.master_key_file"],
    ["encryption.previous_master_keys", "encryption.previous_master_keys_file"],
];

impl Config {
    /// Reads a TOML file; keys that it does not hold have their defaults.
    ///
    /// # Errors
    /// When the file cannot be read, holds an unknown key, or a value is not allowed.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::load(Some(path.as_ref()), []).map(|loaded| loaded.config)
    }

    /// Reads a TOML file, if one is given, and the variables among `env` that name keys, which override it:
    /// `HOOKYARD_RETRY__SCHEDULE` is `retry.schedule`. A list is written `1s,2s` or as in TOML; an empty variable
    /// counts as not set.
    ///
    /// # Errors
    /// When the file cannot be read, holds an unknown key, or a value is not allowed.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, Error> {
        let file = file.map(read).transpose()?;
        let (figment, config, warnings) = Self::gathered(file, env)?;
        let origin = |key: &str| figment.find_metadata(key).map(|metadata| metadata.name.to_string());
        let config = config.with_files_read().map_err(|error| error.located(origin))?;
        config.validate().map_err(|error| error.located(origin))?;
        Ok(Loaded { config, warnings })
    }

    /// The file's keys and the environment's over them, neither looked at any further.
    fn gathered(
        file: Option<Layer>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Figment, Self, Vec<Warning>), Error> {
        let shape = shape();
        let known = keys(&shape);
        let (layers, warnings) = variables(&shape, &known, env);
        let figment = file.into_iter().chain(layers).fold(Figment::new(), Figment::merge);
        let config = figment.extract().map_err(|error| Error::unreadable_value(error, &known))?;
        Ok((figment, config, warnings))
    }

    /// Moves the contents of files that hold keys, where there are any, to the keys.
    fn with_files_read(mut self) -> Result<Self, Error> {
        let [admin, master, previous] = ALTERNATIVES;
        let text = content(&mut self.admin_key_file, admin, !self.admin_key.is_empty())?;
        if let Some(text) = text {
            self.admin_key = Hidden::from(text.trim());
        }
        let encryption = &mut self.encryption;
        let text = content(&mut encryption.master_key_file, master, !encryption.master_key.is_empty())?;
        if let Some(text) = text {
            encryption.master_key = Hidden::from(text.trim());
        }
        let is_given = !encryption.previous_master_keys.is_empty();
        let text = content(&mut encryption.previous_master_keys_file, previous, is_given)?;
        if let Some(text) = text {
            encryption.previous_master_keys = text.split_whitespace().map(Hidden::from).collect();
        }
        Ok(self)
    }
}

/// The content of the file at `path`, if one is named; the path is taken.
fn content(
    path: &mut PathBuf,
    [key, file_key]: [&str; 2],
    is_given: bool,
) -> Result<Option<Zeroizing<String>>, Error> {
    let path = std::mem::take(path);
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let refused = |allowed: String| Error::value(file_key, format!("{path:?}"), allowed);
    if is_given {
        return Err(refused(format!("one of {key} and {file_key}, not both")));
    }
    let text = fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.map_err(|error| refused(format!("a file that can be read ({error})")))?;
    if text.trim().is_empty() {
        return Err(refused("a file that holds a key".to_owned()));
    }
    Ok(Some(text))
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::UnknownVariable { name, meant } = self;
        write!(f, "the environment variable {name} names no configuration key and is ignored")?;
        meant.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean {meant}?"))
    }
}

impl Layer {
    /// One key, with dots.
    fn of(origin: String, key: &str, value: Value) -> Self {
        Self { origin, keys: figment::util::nest(key, value).into_dict().unwrap_or_default() }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.keys.clone()))
    }
}

/// Every key with its default, for its type.
pub(super) fn shape() -> Value {
    Value::serialize(Config::default()).expect("a configuration serialises into memory")
}

/// The keys with dots, those of tables in lists left out.
pub(super) fn keys(shape: &Value) -> Vec<String> {
    let Some(table) = shape.as_dict() else { return Vec::new() };
    let below = |(key, value): (&String, &Value)| match value {
        Value::Dict(..) => keys(value).iter().map(|rest| format!("{key}.{rest}")).collect(),
        _ => vec![key.clone()],
    };
    table.iter().flat_map(below).collect()
}

fn read(path: &Path) -> Result<Layer, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.into(), source })?;
    parse(path, &text)
}

/// The keys that the text of a file gives.
fn parse(path: &Path, text: &str) -> Result<Layer, Error> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..start].iter().filter(|&&byte| byte == b'\n').count();
        Error::Syntax { path: path.into(), line, message: error.message().replace('\n', ", ") }
    })?;
    let keys = table.into_iter().map(|(key, value)| (key, of_toml(value))).collect();
    Ok(Layer { origin: path.display().to_string(), keys })
}

/// A date in TOML becomes its text, as it would be written in JSON.
fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(of_toml).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, of_toml(value))).collect::<Dict>().into()
        }
    }
}

fn variables(
    shape: &Value,
    known: &[String],
    env: impl IntoIterator<Item = (String, String)>,
) -> (Vec<Layer>, Vec<Warning>) {
    let mut layers = Vec::new();
    let mut warnings = Vec::new();
    for (name, text) in env {
        if let Some((_, key)) = STANDARD_VARIABLES.iter().find(|(standard, _)| *standard == name) {
            // Elsewhere they are meant for others.
            if cfg!(feature = "otlp") && !text.is_empty() {
                layers.insert(0, Layer::of(name, key, text.into()));
            }
            continue;
        }
        if !name.starts_with(PREFIX) || CLIENT_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        let Some(key) = known.iter().find(|key| variable(key) == name) else {
            let meant = known.iter().map(|key| variable(key)).find(|known| alike(known, &name));
            warnings.push(Warning::UnknownVariable { name, meant });
            continue;
        };
        if text.is_empty() {
            continue;
        }
        let alternatives = ALTERNATIVES.iter().find(|keys| keys.contains(&key.as_str()));
        for alternative in alternatives.into_iter().flatten() {
            let absent = shape.find_ref(alternative).cloned().unwrap_or_else(|| "".into());
            layers.insert(0, Layer::of(name.clone(), alternative, absent));
        }
        let value = shape.find_ref(key).map_or_else(|| text.as_str().into(), |sample| typed(sample, &text));
        layers.push(Layer::of(name, key, value));
    }
    (layers, warnings)
}

/// The variable that sets a key: `retry.schedule` is set by `HOOKYARD_RETRY__SCHEDULE`.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Whether a variable is this one but for doubled underscores and letter case.
fn alike(variable: &str, name: &str) -> bool {
    variable.replace("__", "_") == name.replace("__", "_").to_ascii_uppercase()
}

/// A variable's text as a value of the same type as `sample`; text that is none stays text, to be refused later.
fn typed(sample: &Value, text: &str) -> Value {
    let value = match sample {
        Value::Num(_, Num::F64(_)) => text.trim().parse::<f64>().ok().map(Value::from),
        Value::Num(..) => text.trim().parse::<u64>().ok().map(Value::from),
        Value::Bool(..) => text.trim().parse::<bool>().ok().map(Value::from),
        Value::Array(..) if text.trim_start().starts_with('[') => {
            let table = toml::from_str::<toml::Table>(&format!("list = {text}")).ok();
            table.and_then(|mut table| table.remove("list")).map(of_toml)
        }
        Value::Array(..) => Some(text.split(',').map(str::trim).collect::<Vec<_>>().into()),
        _ => None,
    };
    value.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests;
