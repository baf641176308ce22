//! The configuration that a test starts its server with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::certificates::{Authority, toml};

/// The admin key of every test server that is given one.
pub const ADMIN_KEY: &str = "fp_0123456789abcdefghijABCDEFGHIJklmnop";

/// A configuration file in the making: keys with their values in TOML, and whether `--dev` is given.
#[derive(Clone)]
pub struct Settings {
    pub dev: bool,
    pub environment: Vec<(String, String)>,
    /// Who certified the front door, if it speaks TLS.
    pub authority: Option<Vec<u8>>,
    keys: BTreeMap<String, String>,
    tables: String,
}

impl Settings {
    /// A development server with an admin key, and retries that come after milliseconds.
    pub fn quick() -> Self {
        let settings = Self {
            dev: true,
            environment: Vec::new(),
            authority: None,
            keys: BTreeMap::new(),
            tables: String::new(),
        };
        settings
            .set("listen", r#""127.0.0.1:0""#)
            .set("admin_key", &format!("{ADMIN_KEY:?}"))
            .schedule(&["100ms", "200ms", "300ms"])
    }

    /// Sets a dotted key to a value that is written in TOML.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.keys.insert(key.into(), value.into());
        self
    }

    /// Opens the front door with TLS: a certificate, its key, and who certified it.
    pub fn https(mut self, [certificate, key]: &[PathBuf; 2], authority: &Authority) -> Self {
        self.authority = Some(authority.certificate.to_vec());
        self.set("tls.cert_file", &toml(certificate)).set("tls.key_file", &toml(key))
    }

    /// Leaves a key at its default.
    pub fn unset(mut self, key: &str) -> Self {
        self.keys.remove(key);
        self
    }

    /// Waits this long before each retry.
    pub fn schedule(self, waits: &[&str]) -> Self {
        self.set("retry.schedule", &format!("{waits:?}"))
    }

    /// Retries so often, always after the same wait, that no test sees the last one.
    pub fn steady_schedule(self, wait: &str) -> Self {
        self.schedule(&[wait; 100])
    }

    /// Retries so late that no test sees it.
    pub fn late_schedule(self) -> Self {
        self.schedule(&["1h"; 3])
    }

    /// Probes after so many failures in a row.
    pub fn probe_after(self, failures: u32) -> Self {
        self.set("health.probe_after", &failures.to_string())
    }

    /// Refuses plain http and private addresses, as in production.
    pub fn without_dev(mut self) -> Self {
        self.dev = false;
        self
    }

    /// Adds an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Declares an event type, which replaces the default catalogue.
    pub fn event_type(mut self, name: &str) -> Self {
        self.tables.push_str(&format!(
            "\n[[event_type]]\nname = {name:?}\ndescription = \"of a test\"\nexample = {{ n = 1 }}\n"
        ));
        self
    }

    /// The file's text, with its data under `data_dir`.
    pub fn to_toml(&self, data_dir: &Path) -> String {
        let mut text = format!("data_dir = {:?}\n", data_dir.display().to_string());
        for (key, value) in &self.keys {
            text.push_str(&format!("{key} = {value}\n"));
        }
        text + &self.tables
    }
}
