//! Configuration: a mistake stops the start and is named; the environment outdoes the file.

use serde_json::json;

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

#[test]
fn the_start_is_announced_with_version_and_address() {
    let server = Server::start();

    let expected = format!("hookyard {} listening on http://{}", env!("CARGO_PKG_VERSION"), server.address());

    assert!(server.printed().lines().any(|line| line == expected), "{}", server.printed());
}
