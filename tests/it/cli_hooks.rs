//! `hookyard hooks`: from subscribing to unsubscribing, as tables, as lines and as JSON.

use serde_json::Value;

use crate::support::api::text;
use crate::support::cli::Cli;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

/// The first field of the first line.
fn first_id(printed: &str) -> &str {
    printed.split(['\t', '\n']).next().expect("a split has a first part")
}

#[test]
fn a_hook_goes_its_way_by_commands_alone() {
    let server = Server::start();
    let cli = Cli::of(&server);

    let made: Value = cli.prints_json(&["hooks", "subscribe", "http://127.0.0.1:9/a", "new_lead", "--json"]);
    let id = text(&made, "id");

    assert_eq!(first_id(&cli.prints(&["hooks"])), id);
    assert!(cli.prints(&["hooks", "get", id]).contains("url\thttp://127.0.0.1:9/a\n"));
    assert!(cli.prints(&["hooks", "pause", id]).contains("is paused"));
    assert_eq!(first_id(&cli.prints(&["hooks", "list", "--status", "paused"])), id);
    assert!(cli.prints(&["hooks", "resume", id]).contains("is active"));
    assert_eq!(cli.prints(&["hooks", "unsubscribe", id]), "removed 1 hook\n");
    assert_eq!(cli.prints(&["hooks"]), "");
}

#[test]
fn hooks_are_unsubscribed_by_their_url_with_or_without_an_event() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let url = "http://127.0.0.1:9/";
    for event in ["new_lead", "new_message", "agent_created"] {
        cli.prints(&["hooks", "subscribe", url, event]);
    }

    assert_eq!(cli.prints(&["hooks", "unsubscribe", url, "new_message"]), "removed 1 hook\n");
    assert_eq!(cli.prints(&["hooks", "unsubscribe", url]), "removed 2 hooks\n");
    assert!(cli.fails(1, &["hooks", "unsubscribe", url]).contains("nothing was removed"));
}

#[test]
fn json_is_the_answer_of_the_api_as_it_came() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    api.subscribe("http://127.0.0.1:9/a", "new_lead");
    let hook = api.subscribe("http://127.0.0.1:9/b", "new_lead");

    let printed = cli.prints(&["hooks", "--json"]);
    assert_eq!(printed.trim_end(), api.get("/api/v1/hooks").text());
    let printed = cli.prints(&["hooks", "--json", "get", &hook.id]);
    assert_eq!(printed.trim_end(), api.get(&format!("/api/v1/hooks/{}", hook.id)).text());
    assert_eq!(cli.prints(&["hooks", "--event", "agent_created", "--json"]), "[]\n");
}

#[test]
fn a_list_ends_where_it_is_told_to() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    for number in 0..60 {
        api.subscribe(&format!("http://127.0.0.1:9/{number}"), "new_lead");
    }

    assert_eq!(cli.prints(&["hooks"]).lines().count(), 50);
    assert_eq!(cli.prints(&["hooks", "--limit", "55"]).lines().count(), 55);
    assert_eq!(cli.prints(&["hooks", "--all"]).lines().count(), 60);
}

#[test]
fn secrets_are_printed_by_subscribe_alone() {
    let server = Server::start();
    let cli = Cli::of(&server);

    let subscribed = cli.prints(&["hooks", "subscribe", "http://127.0.0.1:9/", "new_lead"]);

    assert!(subscribed.contains("secret\twhsec_"), "{subscribed}");
    let listed = cli.prints(&["hooks"]);
    let shown = cli.prints(&["hooks", "get", first_id(&listed)]);
    assert!(!listed.contains("whsec_") && !shown.contains("whsec_"), "{listed}{shown}");
}

#[test]
fn a_terminal_gets_a_table_in_colour_and_a_pipe_plain_lines() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let id =
        server.api().subscribe("http://127.0.0.1:9/a/path/that/is/rather/long/for/a/table", "new_lead").id;

    let piped = cli.prints(&["hooks"]);
    let screen = cli.on_terminal(100, &["hooks"]);
    let plain = cli.on_terminal(100, &["hooks", "--no-color"]);
    let no_color = cli.clone().variable("NO_COLOR", "1").on_terminal(100, &["hooks"]);

    assert!(piped.starts_with(&format!("{id}\tactive\tnew_lead\thttp://127.0.0.1:9/a/path")), "{piped}");
    assert!(screen.contains("\x1b[32mactive\x1b[0m") && screen.contains(&id), "{screen:?}");
    assert!(plain.starts_with("ID  ") && !plain.contains('\x1b'), "{plain:?}");
    assert_eq!(no_color, plain);
    assert!(plain.lines().all(|line| line.chars().count() <= 100), "{plain}");
}

#[test]
fn what_a_person_is_told_beside_an_empty_table_goes_to_nobody_elses_pipe() {
    let server = Server::start();
    let cli = Cli::of(&server);

    assert_eq!(cli.on_terminal(80, &["hooks", "--no-color"]).trim_end(), "no hooks");
    let ended = cli.run(&["hooks"]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn a_hook_belongs_to_the_account_that_is_named() {
    let server = Server::start();
    let cli = Cli::of(&server);
    cli.prints(&["accounts", "create", "acme"]);

    cli.prints(&["hooks", "subscribe", "http://127.0.0.1:9/", "new_lead", "--account", "acme"]);

    assert_eq!(cli.prints(&["hooks"]), "");
    let acme = cli.variable("HOOKYARD_ACCOUNT", "acme");
    assert_eq!(acme.prints(&["hooks"]).lines().count(), 1);
}

#[test]
fn what_a_subscription_asked_for_by_a_command_gets_can_be_received() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let receiver = Receiver::answering([200]);
    cli.prints(&["hooks", "subscribe", &receiver.url("/"), "new_lead"]);

    let id = cli.prints(&["emit", "new_lead", r#"{"n":1}"#]);

    assert_eq!(receiver.wait_for(1)[0].webhook_id(), id.trim_end());
}
