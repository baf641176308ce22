//! Fixtures: data directories that earlier versions left, packed, each with a list of what must be found in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tar::{Archive, Builder, HeaderMode};
use tempfile::TempDir;

/// What a data directory holds.
#[derive(Serialize, Deserialize)]
pub struct Manifest {
    /// Which version left it, and how that ended.
    pub left_by: String,
    pub admin_key: String,
    /// Where all of its hooks' receivers are.
    pub receiver_port: u16,
    pub accounts: Vec<String>,
    pub keys: Vec<KeptKey>,
    pub hooks: Vec<KeptHook>,
    pub events: Vec<KeptEvent>,
}

/// A key that works, or one that was revoked and has no account.
#[derive(Serialize, Deserialize)]
pub struct KeptKey {
    pub text: String,
    pub account: Option<String>,
    pub scopes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct KeptHook {
    pub account: String,
    pub id: String,
    pub url: String,
    pub event: String,
    pub secret: String,
    pub status: String,
    pub created_at: String,
    /// The ids of the events that it has yet to get.
    pub pending: Vec<String>,
    /// The ids of the events that were given up.
    pub dead: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct KeptEvent {
    pub account: String,
    pub id: String,
    pub event: String,
    pub timestamp: String,
    pub n: usize,
    pub size: usize,
}

/// The data of a fixture's event: a number, and as many bytes as are wanted.
pub fn data(n: usize, size: usize) -> Value {
    json!({"n": n, "fill": "abcdefgh".repeat(size.div_ceil(8))})
}

/// The names of all fixtures.
pub fn names() -> Vec<String> {
    let files = fs::read_dir(directory()).expect("the fixtures are there");
    let names = files.filter_map(|file| {
        let name = file.expect("its name can be read").file_name().into_string().expect("it is ASCII");
        name.strip_suffix(".json").map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Packs the data directory in `from` as the fixture `name`.
pub fn pack(name: &str, from: &Path, manifest: &Manifest) {
    fs::create_dir_all(directory()).expect("the directory is writable");
    let archive = File::create(directory().join(format!("{name}.tar.gz"))).expect("it is writable");
    let mut archive = Builder::new(GzBuilder::new().mtime(0).write(archive, Compression::best()));
    archive.mode(HeaderMode::Deterministic);
    archive.append_dir_all("data", from).expect("the data directory can be read");
    archive.into_inner().and_then(|gzip| gzip.finish()).expect("the disk has room");
    let list = serde_json::to_string(manifest).expect("it is JSON");
    fs::write(directory().join(format!("{name}.json")), list + "\n").expect("the disk has room");
}

/// Unpacks the fixture `name` into a directory that is removed when it is dropped.
pub fn unpack(name: &str) -> (TempDir, Manifest) {
    let to = tempfile::tempdir().expect("a temporary directory");
    let archive = File::open(directory().join(format!("{name}.tar.gz"))).expect("the fixture is there");
    Archive::new(GzDecoder::new(archive)).unpack(to.path()).expect("the fixture is whole");
    let list = fs::read(directory().join(format!("{name}.json"))).expect("its list is there");
    (to, serde_json::from_slice(&list).expect("its list is JSON"))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}
