//! TLS to receivers: whose certificates are believed, and what those get to see that ask for one.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::certificates::{Authority, toml};
use crate::support::deliveries::Attempt;
use crate::support::server::{Server, start_in_vain};
use crate::support::settings::Settings;
use crate::support::tls_receiver::{Asking, TlsReceiver};

/// What a test delivery to this receiver meets.
#[track_caller]
fn attempt(api: &Api, receiver: &TlsReceiver) -> (Option<u16>, Option<String>) {
    let hook = api.subscribe(&receiver.url(), "new_lead");
    let attempt: Attempt = api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect(200);
    (attempt.status, attempt.error)
}

fn refused() -> (Option<u16>, Option<String>) {
    (None, Some("tls".to_owned()))
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn trusting(ca: &Path) -> Settings {
    Settings::quick().set("delivery.ca_file", &toml(ca))
}

#[test]
fn an_authority_of_ones_own_is_believed_where_the_configuration_names_it() {
    let (directory, authority) = (directory(), Authority::new());
    let receiver = TlsReceiver::showing(&authority.certify("localhost"), Asking::Nobody);
    let ca = authority.write(directory.path());
    let strict = Server::start();
    let besides_the_web = Server::start_with(trusting(&ca));
    let alone = Server::start_with(trusting(&ca).set("delivery.web_authorities", "false"));

    assert_eq!(attempt(&strict.api(), &receiver), refused());
    assert_eq!(attempt(&besides_the_web.api(), &receiver), (Some(200), None));
    assert_eq!(attempt(&alone.api(), &receiver), (Some(200), None));
    assert_eq!(receiver.visits().len(), 2);
}

#[test]
fn a_certificate_for_another_name_or_of_another_time_or_authority_is_refused() {
    let (directory, authority) = (directory(), Authority::new());
    let server = Server::start_with(trusting(&authority.write(directory.path())));

    for identity in [
        authority.certify("example.com"),
        authority.certify_long_ago("localhost"),
        Authority::new().certify("localhost"),
    ] {
        let receiver = TlsReceiver::showing(&identity, Asking::Nobody);
        assert_eq!(attempt(&server.api(), &receiver), refused());
        assert!(receiver.visits().is_empty());
    }
}

#[test]
fn a_receiver_that_asks_is_shown_the_certificate() {
    let (directory, authority) = (directory(), Authority::new());
    let (ours, anothers) = (authority.certify("hookyard.example"), Authority::new());
    let [cert, key] = ours.write(directory.path(), "client");
    let ca = authority.write(directory.path());
    let with = trusting(&ca)
        .set("delivery.client_cert_file", &toml(&cert))
        .set("delivery.client_key_file", &toml(&key));
    let (with, without) = (Server::start_with(with), Server::start_with(trusting(&ca)));
    let asking = TlsReceiver::showing(&authority.certify("localhost"), Asking::For(&authority));
    let silent = TlsReceiver::showing(&authority.certify("localhost"), Asking::Nobody);
    let choosy = TlsReceiver::showing(&authority.certify("localhost"), Asking::For(&anothers));

    assert_eq!(attempt(&with.api(), &asking), (Some(200), None));
    assert_eq!(asking.visits()[0].certificate.as_deref(), Some(&*ours.certificate));
    assert_eq!(attempt(&with.api(), &silent), (Some(200), None));
    assert_eq!(silent.visits()[0].certificate, None);
    // It is refused after the handshake, as TLS 1.3 has it.
    assert_eq!(attempt(&without.api(), &asking), refused());
    assert_eq!(attempt(&with.api(), &choosy), refused());
    assert_eq!((asking.visits().len(), choosy.visits().len()), (1, 0));
}

#[test]
fn sessions_are_resumed_with_a_certificate_too() {
    let (directory, authority) = (directory(), Authority::new());
    let [cert, key] = authority.certify("hookyard.example").write(directory.path(), "client");
    let settings = trusting(&authority.write(directory.path()))
        .set("delivery.client_cert_file", &toml(&cert))
        .set("delivery.client_key_file", &toml(&key));
    let server = Server::start_with(settings);
    let receiver = TlsReceiver::showing(&authority.certify("localhost"), Asking::For(&authority));
    server.api().subscribe(&receiver.url(), "new_lead");

    for count in 1..=3 {
        server.api().emit("new_lead", &json!(count));
        receiver.wait_for(count);
    }

    let resumed: Vec<bool> = receiver.visits().iter().map(|visit| visit.resumed).collect();
    assert_eq!(resumed, [false, true, true]);
    assert!(receiver.visits().iter().all(|visit| visit.certificate.is_some()));
}

#[test]
fn a_reload_changes_whom_to_believe_and_what_to_show() {
    let (directory, authority) = (directory(), Authority::new());
    let ca = authority.write(directory.path());
    let (old, new) = (authority.certify("old.example"), authority.certify("new.example"));
    let [cert, key] = old.write(directory.path(), "client");
    let settings = trusting(&ca)
        .set("delivery.client_cert_file", &toml(&cert))
        .set("delivery.client_key_file", &toml(&key));
    let mut server = Server::start_with(Settings::quick());
    let receiver = TlsReceiver::showing(&authority.certify("localhost"), Asking::For(&authority));
    assert_eq!(attempt(&server.api(), &receiver), refused());

    server.reload(settings.clone());
    assert_eq!(attempt(&server.api(), &receiver), (Some(200), None));
    new.write(directory.path(), "client");
    server.reload(settings.clone());
    assert_eq!(attempt(&server.api(), &receiver), (Some(200), None));
    let seen = receiver.visits().into_iter().map(|visit| visit.certificate.expect("it has to be shown"));
    assert_eq!(seen.collect::<Vec<_>>(), [old.certificate.to_vec(), new.certificate.to_vec()]);

    // The key is that of the old one now, which is a mistake, and changes nothing.
    let others_key = old.write(directory.path(), "other")[1].clone();
    server
        .reload(settings.set("delivery.client_key_file", &toml(&others_key)).set("delivery.ca_file", "\"\""));
    assert_eq!(attempt(&server.api(), &receiver), (Some(200), None));
    let said = server.complaints();
    assert!(
        said.contains("the configuration is refused") && said.contains("delivery.client_key_file"),
        "{said}"
    );
    assert!(!said.contains("need a restart"), "{said}");
}

#[test]
fn files_of_no_use_stop_the_start_and_are_named() {
    let (directory, authority) = (directory(), Authority::new());
    let ca = authority.write(directory.path());
    let [cert, key] = authority.certify("hookyard.example").write(directory.path(), "client");
    let nothing = directory.path().join("nothing.pem");
    let mistakes = [
        ("delivery.ca_file", vec![("delivery.ca_file", toml(&nothing))]),
        ("delivery.ca_file", vec![("delivery.ca_file", toml(&key))]),
        ("delivery.web_authorities", vec![("delivery.web_authorities", "false".to_owned())]),
        ("delivery.client_key_file", vec![("delivery.client_cert_file", toml(&cert))]),
        ("delivery.client_cert_file", vec![("delivery.client_key_file", toml(&key))]),
        (
            "delivery.client_key_file",
            vec![("delivery.client_cert_file", toml(&ca)), ("delivery.client_key_file", toml(&key))],
        ),
    ];

    for (named, keys) in mistakes {
        let settings = keys.iter().fold(Settings::quick(), |settings, (key, value)| settings.set(key, value));
        let ended = start_in_vain(&settings);
        assert_eq!(ended.status.code(), Some(2), "{keys:?}: {}", ended.output);
        assert!(ended.output.contains(&format!("{named} = ")), "{keys:?}: {}", ended.output);
    }
}

#[test]
fn what_fails_for_its_certificate_is_tried_again_and_arrives_once_it_is_mended() {
    let (directory, authority) = (directory(), Authority::new());
    let settings = Settings::quick().steady_schedule("100ms").probe_after(1000);
    let mut server = Server::start_with(settings.clone());
    let receiver = TlsReceiver::showing(&authority.certify("localhost"), Asking::Nobody);
    let hook = server.api().subscribe(&receiver.url(), "new_lead");
    let event = server.api().emit("new_lead", &json!(1)).id;
    server.api().wait_for_hook(&hook.id, "it was attempted", |hook| hook.last_attempt_at.is_some());

    server.reload(settings.set("delivery.ca_file", &toml(&authority.write(directory.path()))));

    server.api().wait_until_delivered(&hook.id, &event);
    let deliveries: Vec<Value> =
        server.api().get(&format!("/api/v1/hooks/{}/deliveries", hook.id)).expect(200);
    assert_eq!(deliveries[0]["status"], "delivered");
    assert_eq!(receiver.visits().len(), 1);
}
