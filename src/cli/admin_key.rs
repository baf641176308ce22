//! The admin key of the first start: made once, written to a file that its owner alone can read, never printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hookyard::account::{AccountId, Scope};
use hookyard::config::Config;
use hookyard::hookyard::{Hookyard, PageRequest};

/// Where whoever needs the admin key finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// The configuration gives it.
    Configuration,
    /// This file holds it.
    File(PathBuf),
    /// There is one, made earlier, and this file, where it would be, does not hold it.
    Unknown { file: PathBuf },
}

/// The key's file, in the data directory. The clients read it too.
pub const FILE: &str = "admin-key";
/// What the file is called until it is whole.
const UNFINISHED: &str = "admin-key.new";
/// How the key is named in the list of keys.
const NAME: &str = "first start";

/// Makes an admin key when there is none, neither in the configuration nor in the store.
///
/// When this returns, the key's file, if it is the place to look, survives a power cut. A key whose file was not
/// finished when the power failed is lost; the configuration can always give another.
///
/// # Errors
/// When the store or the file cannot be written.
pub async fn bootstrap(hookyard: &Hookyard, config: &Config) -> anyhow::Result<Whereabouts> {
    if !config.admin_key.is_empty() {
        return Ok(Whereabouts::Configuration);
    }
    let file = config.data_dir.join(FILE);
    if any_admin_key(hookyard).await? {
        let text = fs::read_to_string(&file).map(zeroize::Zeroizing::new).unwrap_or_default();
        let caller = hookyard.authenticate(text.trim());
        let holds = caller.is_some_and(|caller| caller.scopes.contains(&Scope::Admin));
        return Ok(if holds { Whereabouts::File(file) } else { Whereabouts::Unknown { file } });
    }
    let account = AccountId::default_account();
    let (_, key) = hookyard.create_key(&account, vec![Scope::Admin], NAME.to_owned()).await?;
    write(&config.data_dir, key.reveal()).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Whereabouts::File(file))
}

async fn any_admin_key(hookyard: &Hookyard) -> anyhow::Result<bool> {
    let mut cursor = None;
    loop {
        let page = hookyard.keys(PageRequest { limit: 1000, cursor }).await?;
        if page.items.iter().any(|(key, _)| key.allows(Scope::Admin)) {
            return Ok(true);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(false),
        }
    }
}

/// Writes the key's file, whole or not at all, readable by its owner alone.
fn write(directory: &Path, key: &str) -> io::Result<()> {
    let unfinished = directory.join(UNFINISHED);
    // One left by a crash. The store's lock keeps other processes out of the directory.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{key}")?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(FILE))?;
    File::open(directory)?.sync_all()
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration => f.write_str("from the configuration"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Unknown { file } => write!(
                f,
                "made earlier and not in {}; if it is lost, give one with HOOKYARD_ADMIN_KEY",
                file.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_written_whole_for_its_owner_alone_in_place_of_an_older_one() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "older").unwrap();
        fs::write(directory.path().join(UNFINISHED), "left by a crash").unwrap();
        write(directory.path(), "fp_0123456789").unwrap();
        let file = directory.path().join(FILE);
        assert_eq!(fs::read_to_string(&file).unwrap(), "fp_0123456789\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!directory.path().join(UNFINISHED).exists());
    }
}
