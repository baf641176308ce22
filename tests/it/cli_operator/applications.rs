//! `hookyard applications`: accounts, and tokens that speak for one.

use crate::support::cli::Cli;
use crate::support::server::Server;

use super::{acme, field, words};

#[test]
fn an_application_goes_its_way_by_commands_alone() {
    let server = Server::start();
    let cli = Cli::of(&server);

    let made = cli.prints(&words("applications create Acme --uid acme --rate-limit 5 --metadata plan=pro"));
    assert_eq!((field(&made, "uid"), field(&made, "rate limit")), ("acme", "5"));
    assert_eq!(field(&made, "metadata"), r#"{"plan":"pro"}"#);
    let known = cli.prints(&["applications", "create", "Other", "--uid", "acme", "--get-if-exists"]);
    assert_eq!(known, made);
    assert!(cli.fails(1, &["applications", "create", "Other", "--uid", "acme"]).contains("already exists"));

    let id = field(&made, "id");
    let changed =
        cli.prints(&["applications", "update", "acme", "--name", "Acme Ltd.", "--unset", "rate-limit"]);
    assert_eq!((field(&changed, "name"), field(&changed, "rate limit")), ("Acme Ltd.", ""));
    assert_eq!(field(&changed, "metadata"), r#"{"plan":"pro"}"#);
    assert!(cli.prints(&["applications"]).starts_with(&format!("{id}\tacme\tAcme Ltd.\t")));
    let replaced = cli.prints(&["applications", "update", id, "--name", "New", "--uid", "new", "--replace"]);
    assert_eq!((field(&replaced, "id"), field(&replaced, "metadata")), (id, "{}"));

    assert_eq!(cli.prints(&["applications", "delete", "new"]), "deleted new\n");
    let gone = cli.fails(1, &["applications", "get", "new"]);
    assert_eq!(gone, "hookyard: Entity not found: /api/v1/app/new\n");
}

#[test]
fn a_token_of_portal_access_speaks_for_its_application() {
    let (_server, cli) = acme();

    let token = cli.prints(&["applications", "portal-access", "acme", "--expiry", "1h"]);

    let theirs = cli.variable("HOOKYARD_KEY", token.trim_end());
    assert_eq!(field(&theirs.prints(&["applications", "get", "acme"]), "name"), "Acme");
    assert!(theirs.fails(1, &["applications"]).contains("Insufficient access"));
    let elsewhere = theirs.fails(1, &["applications", "get", "default"]);
    assert_eq!(elsewhere, "hookyard: Entity not found: /api/v1/app/default\n");
}
