//! The commands for the operator's API, as lines and as JSON; a file per group of commands.

mod applications;
mod endpoints;
mod event_types;

use serde_json::Value;

use crate::support::api::text;
use crate::support::cli::Cli;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// A server with an application, and commands that speak for it.
fn acme() -> (Server, Cli) {
    let server = Server::start_with(Settings::quick());
    let cli = Cli::of(&server).variable("HOOKYARD_ACCOUNT", "acme");
    cli.prints(&["applications", "create", "Acme", "--uid", "acme"]);
    (server, cli)
}

/// The arguments of a command in which none has a space.
fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

/// The value of a field of what was shown line by line.
fn field<'a>(shown: &'a str, name: &str) -> &'a str {
    let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    value.unwrap_or_else(|| panic!("no {name} in {shown}"))
}

/// The id of an endpoint with this URL.
fn endpoint(cli: &Cli, url: &str) -> String {
    text(&cli.prints_json::<Value>(&["endpoints", "create", url, "--json"]), "id").to_owned()
}
