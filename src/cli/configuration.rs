//! `hookyard config`: whether a configuration would be accepted, and what it comes to.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use hookyard::config::{self, Config, Loaded};
use serde_json::Value;

use super::Failure;
use super::source::Source;

/// Check a configuration file, or show the configuration in force.
#[derive(Debug, clap::Args)]
pub struct Configuration {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say whether `serve` would start with this file and the present environment
    ///
    /// Status 2 says that it would not, and the message names the key, its value and what is allowed.
    Check {
        /// The TOML file to read
        file: PathBuf,
    },
    /// Print every key as `serve` would have it, in TOML, with stars for the admin key
    Show {
        /// The TOML file to read
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

impl Configuration {
    /// Reads the configuration and says what it comes to.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        let env = env.collect();
        match self.action {
            Action::Check { file } => {
                let shown = file.display().to_string();
                load(Some(file), env)?;
                println!("{shown}: ok");
            }
            Action::Show { config } => print!("{}", toml(&load(config, env)?)?),
        }
        Ok(())
    }
}

/// Reads it as `serve` would, warnings included.
fn load(file: Option<PathBuf>, env: Vec<(String, String)>) -> Result<Config, config::Error> {
    let Loaded { config, warnings } = Source { file, env, dev: false }.load()?;
    for warning in warnings {
        eprintln!("hookyard: {warning}");
    }
    Ok(config)
}

/// The configuration as a file would have it.
fn toml(config: &Config) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(config).context("cannot write the configuration")?;
    without_nulls(&mut value);
    toml::to_string_pretty(&value).context("cannot write the configuration in TOML")
}

/// TOML has no null: a key that is not there says the same.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
