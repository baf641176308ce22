//! Configuration: a mistake stops the start and is named; the environment outdoes the file.

use std::fs;

use serde_json::json;

use crate::support::command::{Ended, hookyard, run};
use crate::support::receiver::Receiver;
use crate::support::server::{Server, start_in_vain};
use crate::support::settings::Settings;

#[test]
fn a_wrong_value_stops_the_start_and_is_named() {
    let mistakes = [
        ("retry.schedule", r#"["soon"]"#, "soon"),
        ("delivery.timeout", r#""ten""#, "ten"),
        ("egress.allow_networks", r#"["everywhere"]"#, "everywhere"),
        ("listen", r#""somewhere""#, "somewhere"),
        ("events.unknown", r#""perhaps""#, "perhaps"),
        ("retry.jitter_percent", "-5", "-5"),
    ];

    for (key, value, shown) in mistakes {
        let ended = start_in_vain(&Settings::quick().set(key, value));

        assert_eq!(ended.status.code(), Some(2), "{key} = {value}: {}", ended.output);
        assert!(
            ended.output.contains(key) && ended.output.contains(shown),
            "{key} = {value}: {}",
            ended.output
        );
    }
}

#[test]
fn an_unknown_key_in_the_file_stops_the_start_and_is_named() {
    for key in ["retries", "retry.shedule", "delivery.time_out"] {
        let ended = start_in_vain(&Settings::quick().set(key, "1"));

        assert_eq!(ended.status.code(), Some(2), "{key}: {}", ended.output);
        let last = key.rsplit('.').next().expect("a key has a last part");
        assert!(ended.output.contains(last), "{key}: {}", ended.output);
    }
}

#[test]
fn a_variable_outdoes_the_file() {
    let settings = Settings::quick()
        .set("delivery.signature_header", r#""x-from-the-file""#)
        .variable("HOOKYARD_DELIVERY__SIGNATURE_HEADER", "x-from-the-environment");
    let server = Server::start_with(settings);
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");

    server.api().emit("new_lead", &json!(1));

    let request = &receiver.wait_for(1)[0];
    assert_eq!(request.values("x-from-the-environment").len(), 1);
    assert_eq!(request.values("x-from-the-file"), [""; 0]);
}

#[test]
fn the_admin_key_may_come_from_the_environment() {
    let key = format!("fp_{}", "7".repeat(40));
    let settings = Settings::quick().unset("admin_key").variable("HOOKYARD_ADMIN_KEY", &key);

    let server = Server::start_with(settings);

    assert_eq!(server.api_with_key(&key).get("/api/v1/accounts").status, 200);
    assert!(!server.data_dir().join("admin-key").exists());
}

#[test]
fn a_wrong_variable_stops_the_start_too() {
    let ended = start_in_vain(&Settings::quick().variable("HOOKYARD_DELIVERY__TIMEOUT", "ten"));

    assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
    assert!(ended.output.to_lowercase().contains("timeout"), "{}", ended.output);
}

#[test]
fn an_unknown_variable_is_only_warned_about() {
    let server = Server::start_with(Settings::quick().variable("HOOKYARD_SERVICE_PORT", "8080"));

    let said = format!("{}{}", server.printed(), server.complaints());
    assert!(said.contains("HOOKYARD_SERVICE_PORT"), "{said}");
    assert_eq!(server.anonymous().get("/health/live").status, 200);
}

/// Runs `hookyard config` on a file with this text.
fn config(action: &[&str], text: &str) -> Ended {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("hookyard.toml");
    fs::write(&file, text).expect("the directory is writable");
    run(hookyard(action).arg(file), b"")
}

#[test]
fn a_file_can_be_checked_without_a_start() {
    let good =
        config(&["config", "check"], "data_dir = \"elsewhere\"\npublic_url = \"https://example.com/hooks\"");
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert!(good.printed.ends_with("hookyard.toml: ok\n"), "{good:?}");

    let mistakes = [
        ("workers = 513", "workers = 513"),
        ("workers = 513", "allowed: 0 to 512"),
        ("log = \"hookyard=loud\"", "log = \"hookyard=loud\""),
        ("public_url = \"example.com\"", "public_url = \"example.com\""),
        ("retries = 3", "unknown key retries"),
        ("workers =", "line 1"),
    ];
    for (text, said) in mistakes {
        let refused = config(&["config", "check"], text);
        assert_eq!(refused.status.code(), Some(2), "{text}: {refused:?}");
        assert!(refused.complaints.contains(said) && refused.printed.is_empty(), "{text}: {refused:?}");
    }
}

#[test]
fn what_is_shown_of_a_configuration_is_one_again_with_stars_for_the_key() {
    let text = "workers = 3\n[retry]\nschedule = [\"1s\", \"90s\"]\n[[event_type]]\nname = \"order_paid\"";
    let shown = config(&["config", "show", "--config"], text);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    for line in ["workers = 3", "name = \"order_paid\"", "probe_after = 5", "admin_key = \"\""] {
        assert!(shown.printed.lines().any(|shown| shown == line), "{line}: {shown:?}");
    }
    let again = config(&["config", "show", "--config"], &shown.printed);
    assert_eq!(again.printed, shown.printed);

    let mut command = hookyard(&["config", "show"]);
    let starred = run(command.env("HOOKYARD_ADMIN_KEY", "a-key-of-some-length"), b"").printed;
    assert!(starred.contains("admin_key = \"***\"") && !starred.contains("some-length"), "{starred}");
}

#[test]
fn the_start_is_announced_with_version_and_address() {
    let server = Server::start();

    let expected = format!("hookyard {} listening on http://{}", env!("CARGO_PKG_VERSION"), server.address());

    assert!(server.printed().lines().any(|line| line == expected), "{}", server.printed());
}
