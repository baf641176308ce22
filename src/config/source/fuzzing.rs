//! Fuzzing of the configuration: what is accepted keeps its bounds and survives being written, and no refusal tells
//! the admin key.

use std::path::PathBuf;

use super::super::Encryption;
use super::*;

/// An admin key that stands nowhere else.
const KEY: &str = "fp_the-key-that-is-never-shown";

/// Loads the text of a file; behind a NUL there may be lines of the environment, `NAME=value`.
pub fn configuration(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (text, env) = input.split_once('\0').unwrap_or((input, ""));
    let env = env.lines().filter_map(|line| line.split_once('='));
    let env: Vec<_> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let path = Path::new("fuzzed.toml");
    let with_key = env.iter().cloned().chain([("HOOKYARD_ADMIN_KEY".to_owned(), KEY.to_owned())]);
    let loaded = parse(path, text).and_then(|layer| Config::gathered(Some(layer), with_key));
    let refusal = match loaded {
        Err(error) => error,
        // No file is read here that an input names.
        Ok((_, config, _)) if files(&config).iter().any(|file| !file.as_os_str().is_empty()) => return,
        Ok((_, config, warnings)) => {
            for Warning::UnknownVariable { name, .. } in &warnings {
                assert!(env.iter().any(|(given, _)| given == name) && name.starts_with(PREFIX));
            }
            match config.validate() {
                Err(error) => error,
                Ok(()) => return survives(config),
            }
        }
    };
    let said = format!("{refusal} {refusal:?}");
    assert!(!said.contains(KEY) || text.contains(KEY), "{said}");
}

/// The files that are read when a configuration is loaded.
fn files(config: &Config) -> [&PathBuf; 3] {
    let Encryption { master_key_file, previous_master_keys_file, .. } = &config.encryption;
    [&config.admin_key_file, master_key_file, previous_master_keys_file]
}

/// Writes it as a file and loads that.
fn survives(config: Config) {
    assert_eq!(config.admin_key.reveal(), KEY, "the environment wins");
    assert!(!format!("{config:?}").contains(KEY));
    // It would be written in stars, as the master keys are.
    let encryption = Encryption::default();
    let config = Config { admin_key: Hidden::default(), encryption, ..config };
    let mut value = serde_json::to_value(&config).expect("it serialises");
    without_nulls(&mut value);
    let written = toml::to_string(&value).expect("it can be written");
    let layer = parse(Path::new("written.toml"), &written).expect("what is written is TOML");
    let (_, again, _) = Config::gathered(Some(layer), []).expect("what is written is read");
    let mut again = serde_json::to_value(&again).expect("it serialises");
    without_nulls(&mut again);
    assert_eq!(again, value);
}

/// TOML has none; where JSON has one, an example was not a number.
fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(list) => {
            list.retain(|value| !value.is_null());
            list.iter_mut().for_each(without_nulls);
        }
        _ => {}
    }
}
