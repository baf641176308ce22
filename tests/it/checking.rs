//! `hookyard check`: a data directory that a server left holds what it must, and what does not hold is named.

use std::process::{Command, Output};

use serde_json::json;

use crate::support::receiver::deserted_url;
use crate::support::server::Server;

fn check(server: &Server) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    command.arg("check").arg("--data-dir").arg(server.data_dir()).output().expect("the binary is built")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_killed_server_leaves_a_directory_in_which_all_holds() {
    let mut server = Server::start();
    let api = server.api();
    let hook = api.subscribe(&deserted_url(), "new_lead");
    api.emit("new_lead", &json!("x".repeat(20_000)));
    api.wait_for_hook(&hook.id, "it has failed", |hook| hook.last_attempt_at.is_some());
    server.kill();

    let checked = check(&server);

    assert!(checked.status.success(), "{checked:?}");
    assert!(said(&checked.stdout).contains("all holds; 1 hooks, 1 events"), "{checked:?}");
    server.restart();
}

#[test]
fn a_violation_is_a_line_and_exits_with_1() {
    let mut server = Server::start();
    server.kill();
    let store = sled::open(server.data_dir().join("ledger")).expect("nobody has it open");
    store.insert("zzz", "what is this").expect("the disk has room");
    drop(store);

    let checked = check(&server);

    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(said(&checked.stdout), "rows-are-known: zzz\n");
    assert!(said(&checked.stderr).contains("1 violations"), "{checked:?}");
}

#[test]
fn what_is_not_there_is_wrong_usage() {
    let server = Server::start();
    let nowhere = server.data_dir().join("nowhere");
    let nowhere = nowhere.to_str().expect("its name is text");
    for (command, why) in [
        (vec!["check", "--data-dir", nowhere], "there is no store in"),
        (vec!["restore", nowhere, "--data-dir", nowhere], "there is no backup"),
    ] {
        let ended =
            Command::new(env!("CARGO_BIN_EXE_hookyard")).args(command).output().expect("the binary runs");
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(said(&ended.stderr).contains(why), "{ended:?}");
    }
}

#[test]
fn a_directory_in_use_is_not_checked() {
    let server = Server::start();

    let checked = check(&server);

    assert_eq!(checked.status.code(), Some(1));
    assert!(said(&checked.stderr).contains("stop the server first"), "{checked:?}");
    assert_eq!(said(&checked.stderr).lines().count(), 1);
}
