//! What the commands say to nonsense, and when the server is not there or is none.

use std::process::Command;

use crate::support::cli::Cli;
use crate::support::command;
use crate::support::receiver::{Answer, Receiver, deserted_url};
use crate::support::server::Server;

/// Commands that call this URL, with a key.
fn calling(url: &str) -> Cli {
    Cli::calling(url, std::env::temp_dir()).variable("HOOKYARD_KEY", "fp_of_a_test")
}

#[test]
fn nonsense_is_told_what_would_be_right_and_exits_with_2() {
    let cli = calling(&deserted_url());
    let id = "0".repeat(27);
    let (hook, event) = (format!("hook_{id}"), format!("evt_{id}"));
    let nonsense: &[(&[&str], &str)] = &[
        (&["hook"], "hooks"),
        (&["hooks", "--status", "tired"], "active, paused, deactivated"),
        (&["hooks", "--limit", "0"], "1.."),
        (&["hooks", "--url", "localhost:8080"], "http://127.0.0.1:8080"),
        (&["hooks", "--key", "two words"], "one word"),
        (&["hooks", "get", &event], "hook_"),
        (&["hooks", "get", "../keys"], "hookyard hooks list"),
        (&["hooks", "subscribe", "example.com", "new_lead"], "https://example.com/webhook"),
        (&["hooks", "unsubscribe", "example.com"], "https://"),
        (&["hooks", "unsubscribe", &hook, "new_lead"], "EVENT goes with a URL"),
        (&["hooks", "replay", &hook, "--since", "yesterday"], "24h"),
        (&["hooks", "replay", &hook, "--status", "lost"], "dead, missing, all"),
        (&["hooks", "rotate-secret", &hook, "--overlap", "10"], "24h"),
        (&["hooks", "--event", "new_lead", "get", &hook], "list"),
        (&["emit"], "EVENT"),
        (&["emit", "new_lead"], "--example"),
        (&["emit", "new_lead", "Jane"], r#"'"Jane"'"#),
        (&["emit", "new_lead", "{'name':1}"], "is no JSON"),
        (&["emit", "new_lead", "@no-such-file"], "no-such-file"),
        (&["emit", "new_lead", "-"], "null is the JSON for nothing"),
        (&["emit", "new_lead", "1", "--timestamp", "now"], "RFC 3339"),
        (&["emit", "--lines", "no-such-file"], "no-such-file"),
        (&["emit", "new_lead", "--lines", "-", "--batch", "1001"], "1..=1000"),
        (&["deliveries", "--status", "lost"], "pending, delivered, dead"),
        (&["deliveries", "--interval", "1s"], "--follow"),
        (&["deliveries", "get", &hook], "dlv_"),
        (&["deliveries", "retry", "1"], "hookyard deliveries list"),
        (&["events", "--since", "soon"], "24h"),
        (&["events", "get", "evt_1"], "hookyard events list"),
        (&["explain", &hook], "evt_"),
        (&["explain"], "EVENT_ID"),
        (&["keys", "create"], "--scope"),
        (&["keys", "create", "--scope", "root"], "hooks, events, admin"),
        (&["keys", "delete", "fp_1"], "key_"),
        (&["accounts", "create", "a b"], "A-Z a-z 0-9"),
        (&["completions", "perl"], "bash"),
    ];

    for (arguments, right) in nonsense {
        let said = cli.fails(2, arguments);

        assert!(said.contains(right), "{arguments:?} said: {said}");
        assert!(!said.contains("two words"), "a key is shown: {said}");
    }
}

#[test]
fn a_server_that_is_not_there_is_one_line() {
    let cli = calling(&deserted_url());

    for arguments in [&["hooks"][..], &["emit", "new_lead", "{}"], &["deliveries", "--follow"]] {
        let said = cli.fails(1, arguments);

        assert!(said.contains("no server listens at http://127.0.0.1:"), "{said}");
        assert!(said.contains("hookyard serve") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_host_that_is_not_there_is_one_line() {
    let said = calling("http://no-such-host.invalid").fails(1, &["hooks"]);

    assert!(said.contains("no-such-host.invalid") && said.lines().count() == 1, "{said}");
}

#[test]
fn what_is_no_hookyard_is_found_out() {
    let page = Receiver::answering_with(|_| Answer::from(200).body("<html>"));
    let elsewhere = Receiver::answering_with(|_| Answer::from(302).header("location", "/login"));
    let gateway = Receiver::answering_with(|_| Answer::from(502).body("bad gateway"));
    let nonsense = Receiver::answering_with(|_| Answer::nonsense());
    let cut_short = Receiver::answering_with(|_| Answer::from(200).body("[").cut_short());

    for receiver in [page, elsewhere, gateway, nonsense, cut_short] {
        let said = calling(&receiver.url("/")).fails(1, &["hooks"]);

        assert!(said.contains(&receiver.address().to_string()), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_key_is_sent_to_the_server_that_was_named_and_not_where_that_points_to() {
    let other = Receiver::answering([200]);
    let target = other.url("/");
    let pointing = Receiver::answering_with(move |_| Answer::from(307).header("location", &target));

    calling(&pointing.url("/")).fails(1, &["hooks"]);

    assert_eq!(pointing.wait_for(1)[0].values("authorization"), ["Bearer fp_of_a_test"]);
    assert!(other.requests().is_empty());
}

#[test]
fn a_server_that_has_no_room_says_when_to_come_back() {
    let full = r#"{"error":{"code":"unavailable","message":"too much is in flight"}}"#;
    let busy = Receiver::answering_with(|_| Answer::from(503).header("retry-after", "7").body(full));

    let said = calling(&busy.url("/")).fails(1, &["emit", "new_lead", "{}"]);

    assert_eq!(said, "hookyard: too much is in flight; try again in 7 s\n");
}

#[test]
fn a_reader_that_has_gone_ends_a_command_as_sigpipe_would_and_quietly() {
    let server = Server::start();
    let cli = Cli::of(&server);
    server.api().subscribe("http://127.0.0.1:9/", "new_lead");

    for arguments in [&["hooks"][..], &["hooks", "--json"], &["accounts"], &["completions", "bash"]] {
        let ended = cli.run_unread(arguments);

        assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{arguments:?}");
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let cli = calling(&deserted_url());

    for command in [
        "emit",
        "explain",
        "hooks",
        "deliveries",
        "events",
        "keys",
        "accounts",
        "completions",
        "applications",
        "event-types",
        "endpoints",
        "messages",
        "attempts",
    ] {
        let help = cli.prints(&[command, "--help"]);

        assert!(help.contains("Examples:\n") && help.contains(&format!("  hookyard {command}")), "{help}");
    }
    assert!(cli.prints(&["--help"]).contains("Exit status:\n  0  success\n"));
}

#[test]
fn the_completions_are_scripts_that_know_the_commands() {
    let cli = calling(&deserted_url());

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = cli.prints(&["completions", shell]);

        assert!(script.contains("rotate-secret") && script.contains("explain"), "{shell}");
        assert!(!script.contains("bench-part"), "{shell}: it is not for people");
    }
    let mut bash = Command::new("bash");
    let checked = command::run(bash.arg("-n"), cli.prints(&["completions", "bash"]).as_bytes());
    assert!(checked.status.success(), "bash does not understand its script: {}", checked.complaints);
}
