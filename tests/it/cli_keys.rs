//! `hookyard keys` and `hookyard accounts`: a key is printed once, works, and can be taken back.

use serde_json::Value;

use crate::support::cli::Cli;
use crate::support::server::Server;
use crate::support::settings::{ADMIN_KEY, Settings};

#[test]
fn a_key_is_printed_alone_and_once_and_works_until_it_is_deleted() {
    let server = Server::start();
    let cli = Cli::of(&server);

    let key = cli.prints(&["keys", "create", "--scope", "hooks,events", "--name", "ci"]);

    let its_holder = cli.clone().variable("HOOKYARD_KEY", &key);
    assert!(key.starts_with("fp_") && key.lines().count() == 1, "{key}");
    its_holder.prints(&["emit", "new_lead", "null"]);
    let listed = cli.prints(&["keys"]);
    assert!(listed.contains("\thooks,events\tci\t") && !listed.contains(key.trim()), "{listed}");
    let id = listed.split('\t').next().expect("a split has a first part");
    assert_eq!(cli.prints(&["keys", "delete", id]), format!("deleted {id}\n"));
    assert!(its_holder.fails(1, &["emit", "new_lead", "null"]).contains("does not know the key"));
}

#[test]
fn a_key_belongs_to_the_account_that_is_named() {
    let server = Server::start();
    let cli = Cli::of(&server);
    assert_eq!(cli.prints(&["accounts", "create", "acme"]), "acme\n");
    assert_eq!(cli.prints(&["accounts", "create", "acme"]), "acme\n");

    let made: Value = cli.prints_json(&["keys", "create", "--account", "acme", "--scope", "hooks", "--json"]);

    assert_eq!(made["account"], "acme");
    let accounts = cli.prints(&["accounts"]);
    assert_eq!(accounts.lines().count(), 2, "{accounts}");
}

#[test]
fn a_key_without_the_scope_is_told_which_one_is_missing() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let key = cli.prints(&["keys", "create", "--scope", "events"]);

    let said = cli.variable("HOOKYARD_KEY", &key).fails(1, &["hooks"]);

    assert!(said.contains("scope hooks") && !said.contains(key.trim()), "{said}");
}

#[test]
fn the_admin_key_of_the_data_directory_serves_when_no_other_is_given() {
    let server = Server::start_with(Settings::quick().unset("admin_key"));
    let cli = Cli::without_key(&server);
    let directory = server.data_dir().display().to_string();

    assert_eq!(cli.prints(&["hooks", "--data-dir", &directory]), "");
    assert_eq!(cli.clone().variable("HOOKYARD_DATA_DIR", &directory).prints(&["hooks"]), "");
    let said = cli.fails(1, &["hooks"]);
    assert!(said.contains("asks for a key") && said.contains("data/admin-key"), "{said}");
}

#[test]
fn an_option_outdoes_the_variable() {
    let server = Server::start();
    let cli = Cli::without_key(&server).variable("HOOKYARD_KEY", "fp_of_nobody");

    assert_eq!(cli.prints(&["hooks", "--key", ADMIN_KEY]), "");
    assert!(!cli.fails(1, &["hooks"]).contains("fp_of_nobody"));
}

#[test]
fn a_variable_that_is_set_to_nothing_is_as_good_as_unset() {
    let server = Server::start();
    let mut cli = Cli::of(&server);
    for name in ["HOOKYARD_DATA_DIR", "HOOKYARD_ACCOUNT", "NO_COLOR"] {
        cli = cli.variable(name, "");
    }

    assert_eq!(cli.prints(&["hooks"]), "");
    assert!(
        cli.variable("HOOKYARD_KEY", "").fails(1, &["hooks"]).contains("there is no data/admin-key either")
    );
}
