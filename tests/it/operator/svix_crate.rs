//! The crate `svix`, in its current version and in the last of the one before, against this server. It is a package of its
//! own, in tests/sdk/rust, and built when this runs for the first time.

use std::process::Command;

use crate::support::server::Server;
use crate::support::settings::{ADMIN_KEY, Settings};

/// Where it is built.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/svix");

#[test]
fn the_crate_svix_works_against_this_server_in_both_versions() {
    let server = Server::start_with(Settings::quick().set("retry.schedule", r#"["100ms", "100ms"]"#));
    let walk = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path", "tests/sdk/rust/Cargo.toml"])
        .env("CARGO_TARGET_DIR", TARGET)
        .env("HOOKYARD_URL", format!("http://{}", server.address()))
        .env("HOOKYARD_KEY", ADMIN_KEY)
        .output()
        .expect("cargo, which runs this test, runs");
    let said = String::from_utf8_lossy(&walk.stderr);
    assert!(walk.status.success(), "{}: {said}", walk.status);
}
