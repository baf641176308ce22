//! The image, the composition and the unit: what they name is there, and fits what the binary does.
//!
//! They are read, not built: that needs an engine and a service manager.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::command::{Ended, hookyard, run};

/// The instructions of the Dockerfile.
struct Dockerfile(Vec<(String, String)>);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

impl Dockerfile {
    fn read() -> Self {
        let text = read("Dockerfile");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let joined = lines.join("\n").replace("\\\n", " ");
        let instructions = joined.lines().filter_map(|line| line.trim().split_once(' '));
        Self(instructions.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, rest)| rest.as_str()).collect()
    }

    /// What follows the one instruction of this name.
    #[track_caller]
    fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0]
    }

    /// The words of a command that is written as a list.
    #[track_caller]
    fn words(&self, name: &str) -> Vec<String> {
        let text = self.one(name);
        let list = &text[text.find('[').expect("a list")..];
        serde_json::from_str(list).unwrap_or_else(|error| panic!("{name} {list}: {error}"))
    }

    /// The variables that are set in the image.
    fn variables(&self) -> Vec<(&str, &str)> {
        self.one("ENV").split_whitespace().map(|pair| pair.split_once('=').expect("NAME=VALUE")).collect()
    }

    fn variable(&self, name: &str) -> &str {
        let variables = self.variables();
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).expect("it is set")
    }
}

fn composition() -> Value {
    serde_yaml_ng::from_str(&read("compose.yaml")).expect("YAML")
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|item| item.as_str().expect("text")).collect()
}

/// The values of a key of the unit.
fn unit(key: &str) -> Vec<String> {
    let text = read("contrib/systemd/hookyard.service");
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(known, _)| *known == key).map(|(_, value)| value.to_owned()).collect()
}

/// Whether the binary knows these arguments: it explains the command instead of running it.
#[track_caller]
fn assert_understood(arguments: &[&str]) {
    let ended = run(hookyard(arguments).arg("--help"), b"");
    assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {ended:?}");
}

#[test]
fn the_image_is_built_of_files_that_are_there_and_sent_to_the_builder() {
    let dockerfile = Dockerfile::read();
    let ignored = read(".dockerignore");
    let context = tempfile::tempdir().expect("a temporary directory");
    let copies = dockerfile.all("COPY");
    let from_here: Vec<&&str> = copies.iter().filter(|copy| !copy.starts_with("--from")).collect();
    assert_eq!(from_here.len() + 2, copies.len(), "{copies:?}");

    for copy in from_here {
        let words: Vec<&str> = copy.split_whitespace().collect();
        let (target, sources) = words.split_last().expect("a target");
        for source in sources {
            assert!(root().join(source).exists(), "{source} is not there");
            assert!(ignored.lines().any(|line| line == format!("!{source}")), "{source} is not sent");
            let target = context.path().join(target);
            copy_all(&root().join(source), &if *source == "src" { target } else { target.join(source) });
        }
    }

    // It reads the manifest as a build does: `cargo metadata` does not miss the files of targets.
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let fetched = Command::new(env!("CARGO"))
        .args(["fetch", "--offline", "--locked", "--target", &host])
        .current_dir(context.path())
        .output()
        .expect("cargo runs");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
}

#[test]
fn the_images_toolchain_is_the_one_that_the_package_needs() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let needed = manifest["package"]["rust-version"].as_str().expect("text").to_owned();
    let dockerfile = Dockerfile::read();

    let bases = dockerfile.all("FROM");

    assert!(bases[0].starts_with(&format!("rust:{needed}-")), "{bases:?}");
    // One C library for both.
    assert!(bases[0].contains("bookworm") && bases[1].contains("debian12"), "{bases:?}");
}

#[test]
fn the_image_serves_on_the_port_that_it_exposes_and_keeps_its_data_in_its_volume() {
    let dockerfile = Dockerfile::read();
    let shown = run(hookyard(&["config", "show"]).envs(dockerfile.variables()), b"");

    let configuration: toml::Table = shown.printed.parse().expect("TOML");

    let listen = configuration["listen"].as_str().expect("text");
    assert_eq!(listen, format!("0.0.0.0:{}", dockerfile.one("EXPOSE")), "{shown:?}");
    let data = configuration["data_dir"].as_str().expect("text");
    assert_eq!(dockerfile.words("VOLUME"), [data]);
    let user = dockerfile.one("USER");
    let owner = format!("--chown={user} /out/data {data}");
    assert!(dockerfile.all("COPY").iter().any(|copy| copy.ends_with(&owner)), "{owner}");
    assert!(!user.starts_with('0') && user.split(':').all(|id| id.parse::<u32>().is_ok()), "{user}");
}

#[test]
fn the_image_runs_commands_that_the_binary_has() {
    let dockerfile = Dockerfile::read();
    let binary = dockerfile.words("ENTRYPOINT");
    let installed = format!("/out/hookyard {}", binary[0]);
    assert!(dockerfile.all("COPY").iter().any(|copy| copy.ends_with(&installed)), "{installed}");

    let (serve, health) = (dockerfile.words("CMD"), dockerfile.words("HEALTHCHECK"));

    assert_eq!((binary.len(), &health[0]), (1, &binary[0]));
    assert_understood(&serve.iter().map(String::as_str).collect::<Vec<_>>());
    assert_understood(&health[1..].iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_composition_fits_the_image() {
    let (dockerfile, composition) = (Dockerfile::read(), composition());
    let service = &composition["services"]["hookyard"];
    let port = format!(":{}", dockerfile.one("EXPOSE"));
    assert!(strings(&service["ports"]).iter().all(|published| published.ends_with(&port)));
    let data = format!("data:{}", dockerfile.variable("HOOKYARD_DATA_DIR"));
    assert_eq!(strings(&service["volumes"]), [data.as_str()]);
    assert!(composition["volumes"].get("data").is_some(), "{composition}");
    assert_eq!(service["user"].as_str(), Some(dockerfile.one("USER")));

    let health = strings(&service["healthcheck"]["test"]);

    assert_eq!(health.join(" "), format!("CMD {}", dockerfile.words("HEALTHCHECK").join(" ")));
    let variables = service["environment"].as_object().expect("variables");
    let variables = variables.iter().map(|(name, value)| (name, value.as_str().expect("text")));
    let shown: Ended = run(hookyard(&["config", "show"]).envs(variables), b"");
    assert_eq!((shown.status.code(), shown.complaints.as_str()), (Some(0), ""), "{shown:?}");
}

#[test]
fn the_unit_runs_a_command_that_the_binary_has_on_the_directory_that_it_is_given() {
    let [start] = &unit("ExecStart")[..] else { panic!("one command") };
    let words: Vec<&str> = start.split_whitespace().collect();
    assert_eq!(words[0], "/usr/local/bin/hookyard");
    assert_understood(&words[1..]);

    let directory = unit("StateDirectory");

    assert_eq!(unit("Environment"), [format!("HOOKYARD_DATA_DIR=%S/{}", directory[0])]);
    assert_eq!(unit("RestartPreventExitStatus"), ["2"]);
    assert_eq!(unit("Type"), ["notify"]);
}

#[test]
fn systemd_understands_the_unit() {
    let analyze = "/usr/bin/systemd-analyze";
    if !Path::new(analyze).exists() {
        eprintln!("left out: there is no {analyze}");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("hookyard.service");
    let text = read("contrib/systemd/hookyard.service");
    let text = text.replace("/usr/local/bin/hookyard", env!("CARGO_BIN_EXE_hookyard"));
    fs::write(&file, text).expect("the directory is writable");

    let verified = Command::new(analyze).args(["verify", "--man=no"]).arg(&file).output().expect("it runs");

    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_package_holds_what_it_takes_to_build_it_and_no_more() {
    let listed = Command::new(env!("CARGO"))
        .args(["package", "--list", "--offline", "--allow-dirty"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let files: Vec<PathBuf> = String::from_utf8_lossy(&listed.stdout).lines().map(PathBuf::from).collect();

    for needed in [
        "Cargo.lock",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "README.md",
        "config/hookyard.toml",
        "src/api/page.html",
    ] {
        assert!(files.iter().any(|file| file == Path::new(needed)), "{needed} is missing");
    }
    for left in ["tests", ".ci", "Dockerfile", "compose.yaml", "deny.toml", "target", "data"] {
        assert!(!files.iter().any(|file| file.starts_with(left)), "{left} is in the package");
    }
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("the directory is writable");
        for entry in fs::read_dir(from).expect("it is there") {
            let entry = entry.expect("it can be read");
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).expect("the directory is writable");
    }
}
