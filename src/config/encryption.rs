//! `[encryption]`: the master keys, as the configuration gives them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, Hidden};
use crate::encryption::{Keyring, MasterKey};

/// `[encryption]`: how secrets lie on the disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encryption {
    /// The master key under which hooks' secrets, their client certificates and the values of their custom headers are
    /// sealed on the disk; when empty, they lie there in the clear. `openssl rand -base64 32` makes one.
    pub master_key: Hidden,
    /// A file that holds the master key. The loaders read it into `master_key` and leave this empty; in code, set
    /// `master_key`.
    pub master_key_file: PathBuf,
    /// Master keys that were in use before. What is sealed under them is sealed under the current one at the next start, or
    /// lies in the clear if there is none; then they can be taken out.
    pub previous_master_keys: Vec<Hidden>,
    /// A file that holds them, one a line. The loaders read it into `previous_master_keys` and leave this empty; in code,
    /// set `previous_master_keys`.
    pub previous_master_keys_file: PathBuf,
}

/// The most keys that were in use before.
const PREVIOUS_LIMIT: usize = 16;
const FILE_IN_CODE: &str = "a file when loading; in code, set the key itself";

impl Encryption {
    /// Whether there is a master key, or was.
    pub fn is_on(&self) -> bool {
        !self.master_key.is_empty() || !self.previous_master_keys.is_empty()
    }

    /// The keys, read.
    ///
    /// # Errors
    /// When one of them is none.
    pub(crate) fn keyring(&self) -> Result<Keyring, Error> {
        let current = Some(&self.master_key).filter(|key| !key.is_empty());
        let current = current.map(|key| read("encryption.master_key", key)).transpose()?;
        let previous = self.previous_master_keys.iter().enumerate();
        let previous = previous
            .map(|(index, key)| read(&format!("encryption.previous_master_keys[{index}]"), key))
            .collect::<Result<_, _>>()?;
        Ok(Keyring::new(current, previous))
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        let files = [
            ("encryption.master_key_file", &self.master_key_file),
            ("encryption.previous_master_keys_file", &self.previous_master_keys_file),
        ];
        for (key, file) in files {
            if !file.as_os_str().is_empty() {
                return Err(Error::value(key, format!("{file:?}"), FILE_IN_CODE));
            }
        }
        if self.previous_master_keys.len() > PREVIOUS_LIMIT {
            let allowed = format!("up to {PREVIOUS_LIMIT} keys");
            return Err(Error::value("encryption.previous_master_keys", "", allowed));
        }
        self.keyring().map(drop)
    }
}

fn read(name: &str, key: &Hidden) -> Result<MasterKey, Error> {
    key.reveal().parse().map_err(|refused| Error::value(name, "", refused))
}
