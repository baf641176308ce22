//! Encryption at rest: no secret lies in the data directory in the clear, and keys come, change and go without loss.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookyard::check;
use serde_json::json;
use tempfile::TempDir;

use crate::support::api::{Api, Hook};
use crate::support::cli::Cli;
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::server::{Server, start_in_vain};
use crate::support::settings::Settings;

const SECRET: &str = "a-marker-of-a-signing-secret";
const HEADER: &str = "Bearer a-marker-of-a-credential";

/// A master key of these bytes.
fn key(byte: u8) -> String {
    BASE64.encode([byte; 32])
}

fn under(settings: Settings, current: Option<u8>, previous: &[u8]) -> Settings {
    let previous: Vec<String> = previous.iter().map(|byte| key(*byte)).collect();
    let current = current.map(key).unwrap_or_default();
    settings
        .set("encryption.master_key", &format!("{current:?}"))
        .set("encryption.previous_master_keys", &format!("{previous:?}"))
}

fn quick(current: Option<u8>, previous: &[u8]) -> Settings {
    under(Settings::quick(), current, previous)
}

/// What was found of these texts in the files below a directory: as they are, in base64, or as what a secret is base64 of.
fn found_in(directory: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(found_in(&entry, texts));
            continue;
        }
        let bytes = fs::read(&entry).expect("a file");
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        for text in texts {
            let encoded = text.strip_prefix("whsec_").and_then(|encoded| BASE64.decode(encoded).ok());
            let raw = encoded.unwrap_or_default();
            if holds(text.as_bytes())
                || (!raw.is_empty() && holds(&raw))
                || holds(BASE64.encode(text).as_bytes())
            {
                found.push(format!("{text} in {}", entry.display()));
            }
        }
    }
    found
}

/// A receiver that answers with what it was sent.
fn repeating() -> Receiver {
    Receiver::answering_with(|request| {
        Answer::from(200).body(&format!("{:?}", request.values("authorization")))
    })
}

/// Makes hooks with secrets and headers, rotates one and delivers to it; returns all that is secret.
fn use_it(server: &Server, receiver: &Receiver) -> Vec<String> {
    let api = server.api();
    let wish = json!({"url": receiver.url("/a"), "event": "new_lead", "secret": SECRET, "headers": {"authorization": HEADER}});
    let hook: Hook = api.subscribing(&wish).expect(201);
    let rotated: Hook = api.act(&format!("/api/v1/hooks/{}/rotate-secret", hook.id)).expect(200);
    let other = api.subscribe(&receiver.url("/b"), "new_message");
    let event = api.emit("new_lead", &json!({"n": 1})).id;
    api.wait_until_delivered(&hook.id, &event);
    let secrets = [rotated.secret, other.secret].map(|secret| secret.expect("it is shown"));
    [SECRET.to_owned(), HEADER.to_owned()].into_iter().chain(secrets).collect()
}

fn texts(secrets: &[String]) -> Vec<&str> {
    secrets.iter().map(String::as_str).collect()
}

fn stop(server: &mut Server) {
    server.terminate();
    assert!(server.wait_for_exit().success());
}

/// Starts a stopped server with other settings, in vain; returns what it said.
fn refused(server: &mut Server, settings: Settings) -> String {
    server.set(settings);
    let ended = server.second_process();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    ended.output
}

/// Whether a stopped server does not start with other settings, and changes nothing then.
fn is_refused(server: &mut Server, settings: Settings) -> bool {
    server.set(settings);
    let ended = server.second_process();
    let is_refused = ended.status.code() == Some(1);
    assert!(!is_refused || ended.output.contains("nothing was changed"), "{}", ended.output);
    is_refused
}

fn restart(server: &mut Server, settings: Settings) {
    server.set(settings);
    server.restart();
}

/// A delivery to the hook of `/a`, signed with its secret and with its header.
fn delivered(api: &Api, receiver: &Receiver) -> Received {
    let hook = api.hooks().into_iter().find(|hook| hook.url.ends_with("/a")).expect("it is there");
    let event = api.emit("new_lead", &json!({"n": 2})).id;
    api.wait_until_delivered(&hook.id, &event);
    let requests = receiver.requests();
    requests.into_iter().rev().find(|request| request.webhook_id() == event).expect("it was delivered")
}

#[test]
fn with_a_master_key_no_secret_lies_in_the_data_directory_and_without_one_all_do() {
    for (current, least) in [(Some(1), 0), (None, 4)] {
        let receiver = repeating();
        let mut server = Server::start_with(quick(current, &[]));
        let secrets = use_it(&server, &receiver);
        let backup = server.data_dir().join("backup");
        Cli::of(&server).prints(&["backup", backup.to_str().expect("a path")]);
        server.kill();
        let found = found_in(&server.data_dir(), &texts(&secrets));
        let distinct: BTreeSet<&str> = secrets
            .iter()
            .map(String::as_str)
            .filter(|text| found.iter().any(|found| found.starts_with(text)))
            .collect();
        assert_eq!(distinct.len(), least, "{found:?}");

        server.restart();
        let request = delivered(&server.api(), &receiver);
        request.assert_signed_with(&secrets[2]);
        assert!(request.is_signed_with(SECRET), "the old one signs too");
        assert_eq!(request.header("authorization"), HEADER);
    }
}

#[test]
fn without_the_right_key_the_start_is_refused_and_nothing_is_lost() {
    let receiver = Receiver::answering([200]);
    let mut server = Server::start_with(quick(Some(1), &[]));
    let secrets = use_it(&server, &receiver);
    stop(&mut server);

    for settings in [quick(None, &[]), quick(Some(2), &[]), quick(Some(2), &[3])] {
        let said = refused(&mut server, settings);
        for part in ["sealed under the master key", "encryption.previous_master_keys", "nothing was changed"]
        {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains(&key(1)) && !said.contains(&key(2)), "{said}");
    }
    let checked = check::check(&server.data_dir(), &mut |violation| panic!("{violation}"));
    assert_eq!(checked.expect("no key is needed to check it").hooks, 2);

    restart(&mut server, quick(Some(1), &[]));
    delivered(&server.api(), &receiver).assert_signed_with(&secrets[2]);
}

#[test]
fn a_malformed_key_is_refused_without_being_shown() {
    for (name, value) in [
        ("encryption.master_key", r#""marker-of-a-key""#),
        ("encryption.previous_master_keys", r#"["marker-of-a-key"]"#),
        ("encryption.previous_master_keys", r#""marker-of-a-key""#),
        ("encryption.master_key", "70117011"),
    ] {
        let ended = start_in_vain(&Settings::quick().set(name, value));
        assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
        assert!(ended.output.contains(name) && ended.output.contains("***"), "{}", ended.output);
        assert!(!ended.output.contains("marker") && !ended.output.contains("70117011"), "{}", ended.output);
    }
}

#[test]
fn keys_come_change_and_go_and_each_time_the_old_one_can_be_taken_out() {
    let receiver = Receiver::answering([200]);
    let mut server = Server::start_with(quick(None, &[]));
    let secrets = use_it(&server, &receiver);
    let after = [
        quick(Some(1), &[]),
        quick(Some(1), &[]),
        // The next one, with the first for as long as it is needed.
        quick(Some(2), &[1]),
        quick(Some(2), &[]),
        // None any more.
        quick(None, &[2]),
        quick(None, &[]),
    ];
    for settings in after {
        stop(&mut server);
        restart(&mut server, settings);
        let request = delivered(&server.api(), &receiver);
        request.assert_signed_with(&secrets[2]);
        assert_eq!(request.header("authorization"), HEADER);
    }
}

#[test]
fn a_key_may_come_from_a_file_or_the_environment() {
    let receiver = Receiver::answering([200]);
    let files = TempDir::new().expect("a temporary directory");
    let (current, previous) = (files.path().join("key"), files.path().join("previous"));
    fs::write(&current, format!("{}\n", hex::encode([2; 32]))).expect("it is writable");
    fs::write(&previous, format!("{}\n{}\n", key(3), key(1))).expect("it is writable");
    let mut server =
        Server::start_with(Settings::quick().variable("HOOKYARD_ENCRYPTION__MASTER_KEY", &key(1)));
    let secrets = use_it(&server, &receiver);
    stop(&mut server);
    let in_files = Settings::quick()
        .set("encryption.master_key_file", &format!("{current:?}"))
        .set("encryption.previous_master_keys_file", &format!("{previous:?}"));
    restart(&mut server, in_files);
    stop(&mut server);
    restart(&mut server, quick(Some(2), &[]));
    delivered(&server.api(), &receiver).assert_signed_with(&secrets[2]);
}

#[test]
fn a_backup_holds_what_was_sealed_as_it_was_and_is_restored_under_the_same_key() {
    let receiver = Receiver::answering([200]);
    let server = Server::start_with(quick(Some(1), &[]));
    let secrets = use_it(&server, &receiver);
    let directory = TempDir::new().expect("a temporary directory");
    let (backup, restored) = (directory.path().join("backup"), directory.path().join("data"));
    let cli = Cli::of(&server);
    cli.prints(&["backup", backup.to_str().expect("a path")]);
    cli.prints(&[
        "restore",
        backup.to_str().expect("a path"),
        "--data-dir",
        restored.to_str().expect("a path"),
    ]);
    assert_eq!(found_in(directory.path(), &texts(&secrets)), [""; 0]);
    drop(server);

    let server = Server::start_on(directory, quick(Some(1), &[]));
    delivered(&server.api(), &receiver).assert_signed_with(&secrets[2]);
}

#[test]
fn a_restored_backup_has_no_trace_of_the_time_before_there_was_a_key() {
    let receiver = Receiver::answering([200]);
    let mut server = Server::start_with(quick(None, &[]));
    let secrets = use_it(&server, &receiver);
    stop(&mut server);
    restart(&mut server, quick(Some(1), &[]));
    let directory = TempDir::new().expect("a temporary directory");
    let (backup, restored) = (directory.path().join("backup"), directory.path().join("data"));
    let cli = Cli::of(&server);
    cli.prints(&["backup", backup.to_str().expect("a path")]);
    cli.prints(&[
        "restore",
        backup.to_str().expect("a path"),
        "--data-dir",
        restored.to_str().expect("a path"),
    ]);
    assert_eq!(found_in(directory.path(), &texts(&secrets)), [""; 0]);
}

/// Enough hooks for many steps.
const HOOKS: usize = 1_600;
/// How many of them get events while keys are changed.
const BUSY: usize = 40;
/// Whoever makes them.
const MAKERS: usize = 8;
const BEGUN: &str = "secrets are being sealed anew";
const DONE: &str = "no previous key is needed";

#[test]
fn a_change_of_keys_that_is_killed_in_the_middle_goes_on_at_the_next_start() {
    let receiver = Receiver::answering([200]);
    let mut server = Server::start_with(quick(None, &[]));
    let hooks = many_hooks(&server.api(), &receiver);
    let (mut middles, mut old) = (0_u32, None);
    for round in 1..=12_u8 {
        // Some events are on their way when it is killed, and some wait.
        (0..10).for_each(|n| drop(server.api().emit("new_lead", &json!([round, n]))));
        server.kill();
        let (new, previous) = (Some(round), Vec::from_iter(old));
        let through = |server: &Server| server.complaints().matches(DONE).count();
        let before = through(&server);
        server.set(quick(new, &previous));
        server.start_and_kill(BEGUN, Duration::from_millis(64 * u64::from(round)));
        if through(&server) == before {
            assert!(refused(&mut server, quick(old, &[])).contains("nothing was changed"));
            // Neither key is enough by itself, unless all was done and there was no time to say so.
            let is_enough = old.is_none() || !is_refused(&mut server, quick(new, &[]));
            let begun = |server: &Server| server.complaints().matches(BEGUN).count();
            let before = begun(&server);
            restart(&mut server, quick(new, &previous));
            stop(&mut server);
            let went_on = begun(&server) > before;
            assert!(went_on != is_enough || old.is_none());
            middles += u32::from(went_on);
        }
        restart(&mut server, quick(new, &[]));
        old = new;
    }
    println!("{middles} of 12 changes of keys were killed in the middle");
    assert!(middles > 0, "no change of keys was killed in the middle");

    let last = ["new_lead", "new_message"].map(|event| server.api().emit(event, &json!("last")).id);
    let of_last = |request: &Received| last.iter().any(|id| id == request.webhook_id());
    let requests = receiver.wait_until("each hook has the last event", |requests| {
        requests.iter().filter(|request| of_last(request)).count() >= HOOKS
    });
    let by_path: HashMap<&str, &Received> = requests
        .iter()
        .filter(|request| of_last(request))
        .map(|request| (request.target.as_str(), request))
        .collect();
    for hook in &hooks {
        let path = &hook.url[receiver.url("").len()..];
        let request = by_path.get(path).unwrap_or_else(|| panic!("{path} got nothing"));
        request.assert_signed_with(hook.secret.as_ref().expect("it was shown"));
        assert_eq!(request.header("x-path"), path);
    }
    // What was emitted in the meantime is not lost either.
    let busy: BTreeSet<(&str, &str)> =
        requests.iter().map(|request| (request.target.as_str(), request.webhook_id())).collect();
    assert_eq!(busy.len(), BUSY * 12 * 10 + HOOKS);
}

/// Hooks with headers, each at a path of its own.
fn many_hooks(api: &Api, receiver: &Receiver) -> Vec<Hook> {
    let make = |n: usize| {
        let (path, event) = (format!("/{n}"), if n < BUSY { "new_lead" } else { "new_message" });
        let wish = json!({"url": receiver.url(&path), "event": event, "headers": {"x-path": path}});
        api.subscribing(&wish).expect::<Hook>(201)
    };
    let some = |maker: usize| (maker..HOOKS).step_by(MAKERS).map(make).collect::<Vec<_>>();
    let some = &some;
    thread::scope(|scope| {
        let makers: Vec<_> = (0..MAKERS).map(|maker| scope.spawn(move || some(maker))).collect();
        makers.into_iter().flat_map(|maker| maker.join().expect("it made them")).collect()
    })
}
