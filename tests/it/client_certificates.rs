//! A client certificate of a hook's own: its receiver sees that one, no other hook shows it, and its key is seen nowhere.

use std::fs;
use std::path::Path;

use hookyard::hookyard::EndpointError;
use hookyard::subscription::{ClientCertificate, NotAClientCertificate};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api::{Api, Hook, JSON, Reply, text};
use crate::support::certificates::{Authority, Identity, toml};
use crate::support::cli::Cli;
use crate::support::deliveries::Attempt;
use crate::support::embedding::{account, open, quick};
use crate::support::patience::until;
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::tls_receiver::{Asking, TlsReceiver};

const MASTER_KEY: &str = "bWFya2VyLW9mLWEtbWFzdGVyLWtleS0wMTIzNDU2Nzg=";

/// An authority that a server believes, whose certificates a receiver asks for.
struct World {
    authority: Authority,
    server: Server,
    receiver: TlsReceiver,
    _files: TempDir,
}

impl World {
    fn new(change: impl Fn(Settings) -> Settings) -> Self {
        let (authority, files) = (Authority::new(), TempDir::new().expect("a temporary directory"));
        let believing = Settings::quick()
            .set("delivery.ca_file", &toml(&authority.write(files.path())))
            .steady_schedule("100ms");
        let server = Server::start_with(change(believing.probe_after(1000)));
        let receiver =
            TlsReceiver::keeping_connections(&authority.certify("localhost"), Asking::For(&authority));
        Self { authority, server, receiver, _files: files }
    }

    fn identity(&self) -> Identity {
        self.authority.certify("hookyard.example")
    }

    fn hook(&self, path: &str) -> Hook {
        self.server.api().subscribe(&self.receiver.url_of(path), "new_lead")
    }
}

fn path(hook: &str) -> String {
    format!("/api/v1/hooks/{hook}/client-certificate")
}

fn put(api: &Api, hook: &str, wish: &Value) -> Reply {
    api.send("PUT", &path(hook), JSON, Some(wish.to_string().as_bytes()))
}

#[track_caller]
fn give(api: &Api, hook: &Hook, identity: &Identity) {
    let shown: Value = put(api, &hook.id, &identity.wish()).expect(200);
    assert_eq!(text(&shown["client_certificate"], "fingerprint"), identity.fingerprint());
}

/// What a test delivery to this hook meets.
fn test(api: &Api, hook: &Hook) -> (Option<u16>, Option<String>) {
    let attempt: Attempt = api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect(200);
    (attempt.status, attempt.error)
}

fn good() -> (Option<u16>, Option<String>) {
    (Some(200), None)
}

fn refused() -> (Option<u16>, Option<String>) {
    (None, Some("tls".to_owned()))
}

/// Whether a text is in a file below a directory, as bytes.
fn is_below(directory: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).any(|path| {
        match path.is_dir() {
            true => is_below(&path, bytes),
            false => fs::read(&path).expect("a file").windows(bytes.len()).any(|part| part == bytes),
        }
    })
}

#[test]
fn hooks_of_one_receiver_show_each_their_own_and_share_no_connection() {
    let world = World::new(|settings| settings);
    let api = world.server.api();
    let [one, other, without] = ["/one", "/other", "/without"].map(|path| world.hook(path));
    let identities = [world.identity(), world.identity()];
    give(&api, &one, &identities[0]);
    give(&api, &other, &identities[1]);

    for round in 1..=3 {
        let event = api.emit("new_lead", &json!(round)).id;
        api.wait_until_delivered(&one.id, &event);
        api.wait_until_delivered(&other.id, &event);
        assert_eq!(test(&api, &without), refused());
    }

    let visits = world.receiver.visits();
    for (path, identity) in [("/one", &identities[0]), ("/other", &identities[1])] {
        let of_path = visits.iter().filter(|visit| visit.path == path);
        assert!(of_path.clone().count() >= 3);
        assert!(of_path.clone().all(|visit| visit.certificate.as_deref() == Some(&*identity.certificate)));
    }
    assert!(visits.iter().all(|visit| visit.path != "/without"));
    for visit in &visits {
        let same = visits.iter().filter(|other| other.connection == visit.connection);
        assert!(same.into_iter().all(|other| other.path == visit.path), "{visits:?}");
    }
    assert!(
        visits.last().is_some_and(|last| last.connection < visits.len() - 1),
        "connections are used again"
    );
    let failed = api.wait_for_hook(&without.id, "it was attempted", |hook| hook.last_attempt_at.is_some());
    let deliveries: Vec<Value> = api.get(&format!("/api/v1/hooks/{}/deliveries", failed.id)).expect(200);
    assert!(deliveries.iter().any(|delivery| delivery["last_error"] == "tls"), "{deliveries:?}");
}

#[test]
fn sessions_are_resumed_with_the_same_certificate_alone() {
    let world = World::new(|settings| settings);
    let receiver = TlsReceiver::showing(&world.authority.certify("localhost"), Asking::For(&world.authority));
    let api = world.server.api();
    let hooks = ["/one", "/other"].map(|path| api.subscribe(&receiver.url_of(path), "new_lead"));
    for hook in &hooks {
        give(&api, hook, &world.identity());
    }
    for round in 1..=3 {
        api.emit("new_lead", &json!(round));
        receiver.wait_for(2 * round);
    }
    let visits = receiver.visits();
    for path in ["/one", "/other"] {
        let resumed: Vec<bool> =
            visits.iter().filter(|visit| visit.path == path).map(|visit| visit.resumed).collect();
        assert_eq!(resumed, [false, true, true], "{path}");
    }
}

#[test]
fn the_next_attempt_shows_what_replaced_it_and_none_after_it_is_taken_away() {
    let world = World::new(|settings| settings);
    let (api, hook) = (world.server.api(), world.hook("/"));
    let event = api.emit("new_lead", &json!(1)).id;
    api.wait_for_hook(&hook.id, "it is refused", |hook| hook.last_attempt_at.is_some());

    let (old, new) = (world.identity(), world.identity());
    give(&api, &hook, &old);
    api.wait_until_delivered(&hook.id, &event);
    give(&api, &hook, &new);
    api.wait_until_delivered(&hook.id, &api.emit("new_lead", &json!(2)).id);
    let shown: Vec<_> = world.receiver.visits().into_iter().filter_map(|visit| visit.certificate).collect();
    assert_eq!(shown, [old.certificate.to_vec(), new.certificate.to_vec()]);

    let left: Value = api.delete(&path(&hook.id)).expect(200);
    assert!(left.get("client_certificate").is_none(), "{left}");
    assert_eq!(api.delete(&path(&hook.id)).status, 200);
    assert_eq!(api.get(&path(&hook.id)).refused(404).message, "the hook has no client certificate");
    assert_eq!(test(&api, &hook), refused());
}

#[test]
fn its_own_outweighs_the_configured_one_and_a_reload() {
    let directory = TempDir::new().expect("a temporary directory");
    let mut world = World::new(|settings| settings);
    let configured = world.identity().write(directory.path(), "client");
    let ca = world.authority.write(directory.path());
    let settings = Settings::quick()
        .set("delivery.ca_file", &toml(&ca))
        .set("delivery.client_cert_file", &toml(&configured[0]))
        .set("delivery.client_key_file", &toml(&configured[1]));
    world.server.reload(settings);
    let (api, own) = (world.server.api(), world.identity());
    let receiver = TlsReceiver::showing(&world.authority.certify("localhost"), Asking::For(&world.authority));
    let [hook, without] =
        ["/own", "/configured"].map(|path| api.subscribe(&receiver.url_of(path), "new_lead"));
    give(&api, &hook, &own);

    assert_eq!((test(&api, &hook), test(&api, &without)), (good(), good()));
    world.server.reload(Settings::quick());
    assert_eq!(test(&api, &hook), refused(), "its server is not believed any more");

    let visits = receiver.visits();
    assert_eq!(visits[0].certificate.as_deref(), Some(&*own.certificate));
    assert_ne!(visits[1].certificate.as_deref(), Some(&*own.certificate));
}

#[test]
fn it_survives_kills_and_lies_sealed_on_the_disk_and_in_backups() {
    let sealed = format!("{MASTER_KEY:?}");
    let trace = r#""trace,hookyard=trace,awc=trace,rustls=trace,sled=trace""#;
    let mut world = World::new(|settings| settings.set("encryption.master_key", &sealed).set("log", trace));
    let (hook, identity) = (world.hook("/"), world.identity());
    give(&world.server.api(), &hook, &identity);
    world.server.kill();
    world.server.restart();
    assert_eq!(test(&world.server.api(), &hook), good());
    world.server.terminate();
    assert!(world.server.wait_for_exit().success());
    world.server.restart();

    let api = world.server.api();
    let again = api.subscribe(&hook.url, "new_lead");
    assert_eq!((again.id.as_str(), test(&api, &hook)), (hook.id.as_str(), good()));
    let backup = world.server.data_dir().join("backup");
    Cli::of(&world.server).prints(&["backup", backup.to_str().expect("a path")]);
    let key = identity.key();
    // The first 16 bytes say what kind of key it is.
    let secret = &key.secret_der()[16..];
    let pem = text(&identity.wish(), "key").lines().nth(1).expect("a line").as_bytes().to_vec();
    assert!(!is_below(&world.server.data_dir(), secret) && !is_below(&world.server.data_dir(), &pem));
    let exported = Cli::of(&world.server).prints(&["export"]);
    assert!(exported.contains(&identity.fingerprint()), "{exported}");
    let log = world.server.complaints();
    for said in [exported, log] {
        let line = String::from_utf8_lossy(&pem).into_owned();
        assert!(!said.contains(&line) && !said.contains(&hex::encode(secret)), "{said}");
    }

    api.unsubscribe(&hook.id);
    let anew = api.subscribe(&hook.url, "new_lead");
    assert_ne!(anew.id, hook.id);
    assert_eq!(test(&api, &anew), refused());
}

#[test]
fn a_change_of_master_keys_seals_it_anew() {
    let mut world = World::new(|settings| settings);
    let (hook, identity) = (world.hook("/"), world.identity());
    let ca = world.authority.write(world._files.path());
    let under = |current: &str, previous: &str| {
        Settings::quick()
            .set("delivery.ca_file", &toml(&ca))
            .set("encryption.master_key", &format!("{current:?}"))
            .set("encryption.previous_master_keys", previous)
    };
    give(&world.server.api(), &hook, &identity);
    let key = hex::encode([7; 32]);
    let both = format!("[{key:?}]");
    for settings in [
        under(&key, "[]"),
        under(MASTER_KEY, &both),
        under(MASTER_KEY, "[]"),
        under("", &format!("[{MASTER_KEY:?}]")),
        under("", "[]"),
    ] {
        world.server.terminate();
        assert!(world.server.wait_for_exit().success());
        world.server.set(settings);
        world.server.restart();
        assert_eq!(test(&world.server.api(), &hook), good());
    }
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_reason() {
    let server = Server::start();
    let api = server.api();
    let (authority, hook) = (Authority::new(), api.subscribe("https://127.0.0.1:9/", "new_lead"));
    let good = authority.certify("hookyard.example").wish();
    let (certificate, key) = (text(&good, "certificate"), text(&good, "key"));
    let long = " ".repeat(16 * 1024 + 1);
    let expired = authority.certify_long_ago("hookyard.example").wish();
    for (wish, why) in [
        (json!({"key": key}), "certificate is required"),
        (json!({"certificate": certificate}), "key is required"),
        (json!({"certificate": certificate, "key": 7}), "key must be a string"),
        (json!({"certificate": "marker", "key": key}), "certificate holds no certificate"),
        (json!({"certificate": &certificate[..90], "key": key}), "certificate is not PEM"),
        (json!({"certificate": certificate.repeat(11), "key": key}), "more than 10 certificates"),
        (json!({"certificate": long, "key": key}), "certificate has more than 16384 bytes"),
        (json!({"certificate": certificate, "key": long}), "key has more than 16384 bytes"),
        (json!({"certificate": certificate, "key": certificate}), "key holds no private key"),
        (
            json!({"certificate": certificate, "key": key.replace("PRIVATE", "ENCRYPTED PRIVATE")}),
            "one that is encrypted",
        ),
        (json!({"certificate": certificate, "key": key.replace("M", "N")}), "key "),
        (
            json!({"certificate": authority.certify("other.example").wish()["certificate"], "key": key}),
            "key is not that of the first certificate",
        ),
        (expired, "certificate expired at 1995-01-01T00:00:00Z"),
    ] {
        let refusal = put(&api, &hook.id, &wish).refused(422);
        assert!(refusal.code == "invalid_field" && refusal.message.contains(why), "{}", refusal.message);
        assert!(!refusal.message.contains("marker"), "{}", refusal.message);
    }
    assert_eq!(api.get(&path(&hook.id)).status, 404);

    let plain = api.subscribe("http://127.0.0.1:9/", "new_lead");
    let refusal = put(&api, &plain.id, &good).refused(422);
    assert!(refusal.message.contains("https://"), "{}", refusal.message);
    put(&api, &hook.id, &good).expect::<Value>(200);
    let endpoint = format!("/api/v1/app/default/endpoint/{}", hook.id);
    let moved = json!({"url": "http://127.0.0.1:9/"}).to_string();
    let moved = api.send("PATCH", &endpoint, JSON, Some(moved.as_bytes()));
    assert_eq!(moved.status, 422, "{}", moved.describe());
}

#[test]
fn a_new_hook_or_endpoint_shows_it_from_its_first_request_on() {
    let world = World::new(|settings| settings);
    let (cli, api, identity) = (Cli::of(&world.server), world.server.api(), world.identity());
    let url = |path: &str| world.receiver.url_of(path);
    let files = TempDir::new().expect("a temporary directory");
    let [certificate, key] = identity.write(files.path(), "client").map(|path| path.display().to_string());
    let shown = ["--certificate", &certificate, "--private-key", &key];
    let subscribe = |url: String, certificate: Value| {
        api.subscribing(&json!({"url": url, "event": "new_lead", "client_certificate": certificate}))
    };

    let hook: Value = subscribe(url("/hook"), identity.wish()).expect(201);
    assert_eq!(text(&hook["client_certificate"], "fingerprint"), identity.fingerprint());
    let printed = cli.prints(&[&["hooks", "subscribe", &url("/command"), "new_lead"], &shown[..]].concat());
    assert!(printed.contains(&identity.fingerprint()), "{printed}");
    let endpoint = json!({
        "url": url("/endpoint"), "eventTypes": ["new_lead"], "clientCertificate": identity.wish(),
    });
    let endpoint: Value = api.post("/api/v1/app/default/endpoint", &endpoint).expect(201);
    assert_eq!(text(&endpoint["clientCertificate"], "fingerprint"), identity.fingerprint());
    let create = ["endpoints", "create", &url("/create"), "--event-type", "new_lead"];
    cli.prints(&[&create[..], &shown].concat());
    api.emit("new_lead", &json!(1));
    until("all have been called", || world.receiver.visits().len() == 4);
    let visits = world.receiver.visits();
    assert!(visits.iter().all(|visit| visit.certificate.as_deref() == Some(&*identity.certificate)));

    // One that is there keeps what it has.
    let again = subscribe(url("/hook"), world.identity().wish());
    assert_eq!(again.expect::<Value>(200)["client_certificate"], hook["client_certificate"]);
    let refused = subscribe("http://127.0.0.1:9/".to_owned(), identity.wish());
    assert!(refused.refused(422).message.contains("https://"));
    for (wrong, why) in
        [(json!("marker"), "an object"), (json!({"key": "marker"}), "certificate is required")]
    {
        let refusal = subscribe(url("/wrong"), wrong).refused(422);
        assert!(refusal.message.contains(why) && !refusal.message.contains("marker"), "{}", refusal.message);
    }
    let mut wrong = identity.wish();
    wrong["key"] = world.identity().wish()["key"].clone();
    let wrong = json!({"url": url("/wrong"), "clientCertificate": wrong});
    let faults: Value = api.post("/api/v1/app/default/endpoint", &wrong).expect(422);
    assert_eq!(faults["detail"][0]["loc"], json!(["body", "key"]));
}

#[test]
fn other_accounts_and_other_scopes_see_and_change_nothing() {
    let server = Server::start();
    let api = server.api();
    let hook = api.subscribe("https://127.0.0.1:9/", "new_lead");
    let identity = Authority::new().certify("hookyard.example");
    give(&api, &hook, &identity);
    let (stranger, emitter) = (api.account("other"), api.key_of("default", &["events"]));
    for (caller, status) in [(stranger, 404), (emitter, 403)] {
        put(&caller, &hook.id, &Authority::new().certify("a.example").wish()).refused(status);
        caller.get(&path(&hook.id)).refused(status);
        caller.delete(&path(&hook.id)).refused(status);
    }
    let shown: Value = api.get(&path(&hook.id)).expect(200);
    assert_eq!(shown, json!({"fingerprint": identity.fingerprint(), "not_after": "2095-01-01T00:00:00Z"}));
    assert_eq!(
        api.get(&format!("/api/v1/hooks/{}", hook.id)).expect::<Value>(200)["client_certificate"],
        shown
    );
}

#[test]
fn the_operator_gives_shows_and_takes_it() {
    let world = World::new(|settings| settings);
    let (api, hook, identity) = (world.server.api(), world.hook("/"), world.identity());
    let endpoint = format!("/api/v1/app/default/endpoint/{}", hook.id.replacen("hook_", "ep_", 1));
    let path = format!("{endpoint}/client-certificate");
    let call = |method: &str, path: &str, body: Option<Value>| {
        let body = body.map(|body| body.to_string());
        api.send(method, path, JSON, body.as_ref().map(String::as_bytes))
    };
    assert_eq!(call("GET", &path, None).status, 404);
    let expected = json!({"fingerprint": identity.fingerprint(), "notAfter": "2095-01-01T00:00:00.000Z"});
    assert_eq!(call("PUT", &path, Some(identity.wish())).expect::<Value>(200), expected);
    assert_eq!(call("GET", &path, None).expect::<Value>(200), expected);
    assert_eq!(test(&api, &hook), good());

    // Whoever knows nothing of it leaves it as it is.
    let known = json!({"url": hook.url, "description": "billing", "eventTypes": ["new_lead"]});
    assert_eq!(call("PUT", &endpoint, Some(known)).expect::<Value>(200)["clientCertificate"], expected);
    let mut wrong = identity.wish();
    wrong["key"] = world.identity().wish()["key"].clone();
    let faults: Value = call("PUT", &path, Some(wrong)).expect(422);
    assert_eq!(faults["detail"][0]["loc"], json!(["body", "key"]));
    assert_eq!(call("DELETE", &path, None).status, 204);
    assert_eq!(call("GET", &path, None).status, 404);
}

#[test]
fn the_commands_give_and_take_it() {
    let world = World::new(|settings| settings);
    let (cli, hook, identity) = (Cli::of(&world.server), world.hook("/"), world.identity());
    let files = TempDir::new().expect("a temporary directory");
    let [certificate, key] = identity.write(files.path(), "client").map(|path| path.display().to_string());
    let set = ["hooks", "set-client-certificate", &hook.id];
    let given = [&set[..], &["--certificate", &certificate, "--private-key", &key]].concat();
    let printed = cli.prints(&given);
    assert!(printed.contains(&format!("client certificate\t{}\n", identity.fingerprint())), "{printed}");
    assert_eq!(test(&world.server.api(), &hook), good());

    let swapped = [&set[..], &["--certificate", &key, "--private-key", &certificate]].concat();
    assert!(cli.fails(2, &swapped).contains("key holds no private key"));
    for incomplete in [&set[..], &[&set[..], &["--certificate", &certificate]].concat()] {
        cli.fails(2, incomplete);
    }
    assert!(!cli.prints(&[&set[..], &["--none"]].concat()).contains("client certificate"));
    assert_eq!(test(&world.server.api(), &hook), refused());

    let endpoint = hook.id.replacen("hook_", "ep_", 1);
    let set = ["endpoints", "set-client-certificate", &endpoint];
    let printed = cli.prints(&[&set[..], &["--certificate", &certificate, "--private-key", &key]].concat());
    assert!(printed.starts_with(&format!("fingerprint\t{}\n", identity.fingerprint())), "{printed}");
    assert_eq!(cli.prints(&["endpoints", "client-certificate", &endpoint]), printed);
    assert_eq!(test(&world.server.api(), &hook), good());
    cli.prints(&[&set[..], &["--none"]].concat());
    cli.fails(1, &["endpoints", "client-certificate", &endpoint]);
}

#[tokio::test]
async fn a_program_gives_and_takes_it() {
    let (authority, directory) = (Authority::new(), TempDir::new().expect("a temporary directory"));
    let receiver = TlsReceiver::showing(&authority.certify("localhost"), Asking::For(&authority));
    let mut config = quick(&directory.path().join("data"));
    config.delivery.ca_file = authority.write(directory.path());
    let hookyard = open(config).await;
    let wish = hookyard::Subscribe::new(receiver.url(), "new_lead");
    let hook = hookyard.subscribe(wish).await.expect("it is accepted").hook.subscription.id;
    let identity = authority.certify("hookyard.example");
    let read = |identity: &Identity| {
        let wish = identity.wish();
        ClientCertificate::from_pem(text(&wish, "certificate"), text(&wish, "key")).expect("they fit")
    };

    let given = hookyard.set_client_certificate(&account(), hook, Some(read(&identity))).await;
    let shown = given.expect("it is accepted").subscription.client_certificate.expect("it has one");
    assert_eq!(shown.fingerprint(), identity.fingerprint());
    assert!(hookyard.test(&account(), hook).await.expect("it is tried").outcome.is_success());
    assert_eq!(receiver.visits()[0].certificate.as_deref(), Some(&*identity.certificate));

    let expired = read(&authority.certify_long_ago("hookyard.example"));
    let refused = hookyard.set_client_certificate(&account(), hook, Some(expired)).await;
    let why = matches!(refused, Err(EndpointError::ClientCertificate(NotAClientCertificate::Expired(_))));
    assert!(why, "{refused:?}");
    hookyard.set_client_certificate(&account(), hook, None).await.expect("it is taken away");
    assert!(!hookyard.test(&account(), hook).await.expect("it is tried").outcome.is_success());
    hookyard.shutdown().await;
}
