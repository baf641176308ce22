//! The commands for the operator's API, as lines and as JSON; a file per group of commands.

mod applications;
mod endpoints;
mod event_types;
mod messages;

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::cli::Cli;
use crate::support::receiver::{Answer, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Those for which there is no command: `hookyard health` asks another path, and tokens end by themselves.
const WITHOUT_COMMAND: [&str; 4] =
    ["GET /api/v1/health", "GET /api/v1/health/ping", "GET /api/v1/openapi.json", "POST /api/v1/auth/logout"];

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

#[test]
fn every_operation_has_a_command() {
    let server = Server::start();
    let document: Value = server.api().get("/api/v1/openapi.json").expect(200);
    let recorder = Receiver::answering_with(|_| Answer::from(204));
    let cli = Cli::calling(&recorder.url(""), server.data_dir()).variable("HOOKYARD_KEY", "fp_of_a_test");
    let commands = "applications; applications create a; applications get a; applications update a; \
        applications update a --replace; applications delete a; applications portal-access a; \
        event-types; event-types create t d; event-types get t; event-types update t; \
        event-types update t --replace; event-types archive t; \
        endpoints; endpoints create u; endpoints get e; endpoints update e; endpoints update e --replace; \
        endpoints delete e; endpoints secret e; endpoints rotate-secret e; endpoints headers e; \
        endpoints set-headers e; endpoints update-headers e; endpoints client-certificate e; \
        endpoints set-client-certificate e --certificate f --private-key f; \
        endpoints set-client-certificate e --none; endpoints recover e --since 1h; endpoints stats e; \
        endpoints send-example e t; \
        messages; messages create t {}; messages get m; messages list --endpoint e; messages destinations m; \
        messages resend m e; messages expunge m; \
        attempts --endpoint e; attempts --message m; attempts get m a; attempts expunge m a";

    fs::write(server.data_dir().join("f"), "PEM").expect("the directory is writable");
    for command in commands.split(';') {
        // What it makes of the answer does not matter here.
        cli.run(&words(command));
    }

    let called: Vec<(String, Vec<String>)> = recorder.requests().iter().map(called).collect();
    let mut without_command = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let template: Vec<&str> = path.split('/').collect();
        for method in operations.as_object().expect("operations").keys().map(|method| method.to_uppercase()) {
            let is_it = |(called, segments): &(String, Vec<String>)| {
                *called == method && segments.len() == template.len() && {
                    template.iter().zip(segments).all(|(named, is)| named.starts_with('{') || named == is)
                }
            };
            if !called.iter().any(is_it) {
                without_command.insert(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(without_command, WITHOUT_COMMAND.map(str::to_owned).into());
}

/// The method of a request, and the segments of its path.
fn called(request: &crate::support::receiver::Received) -> (String, Vec<String>) {
    let path = request.target.split('?').next().unwrap_or_default();
    (request.method.clone(), path.split('/').map(str::to_owned).collect())
}

#[test]
fn a_list_goes_on_over_pages_until_it_is_told_to_end() {
    let (server, cli) = acme();
    for number in 0..260 {
        let wish = json!({"eventType": "a", "payload": {"n": number}});
        server.api().post("/api/v1/app/acme/msg", &wish).expect::<Value>(202);
    }

    assert_eq!(cli.prints(&["messages"]).lines().count(), 50);
    assert_eq!(cli.prints(&["messages", "--limit", "255"]).lines().count(), 255);
    assert_eq!(cli.prints_json::<Vec<Value>>(&["messages", "--all", "--json"]).len(), 260);
    assert_eq!(cli.prints(&["endpoints", "--json"]), "[]\n");
}

#[test]
fn what_the_operators_api_refuses_is_told_in_a_line() {
    let (_server, cli) = acme();

    let said = cli.fails(2, &["endpoints", "create", "ftp://a/", "--uid", "ep_1", "--event-type", "lost"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in ["url: Endpoint URL schemes must be http or https", "uid: Uids are not", "lost"] {
        assert!(said.contains(part), "{said}");
    }
    let stranger = cli.clone().variable("HOOKYARD_KEY", "fp_of_nobody");
    assert!(stranger.fails(1, &["endpoints"]).contains("does not know the key"));
    assert!(cli.fails(2, &["attempts"]).contains("--endpoint, --message or both"));
    assert!(cli.fails(2, &["endpoints", "get", "../msg"]).contains("a name has no slash"));
    assert!(cli.fails(2, &["endpoints", "--account", "a/b"]).contains("--account: a name has no slash"));
    assert!(cli.fails(2, &["messages", "--status", "fail"]).contains("--endpoint"));
    assert!(cli.fails(2, &["applications", "create", "a", "--metadata", "b"]).contains("name=value"));
}
