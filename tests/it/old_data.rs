//! Data directories that earlier versions left: each opens, and all that was in it is there and goes out.
//!
//! Every release adds a pair of them: `HOOKYARD_FIXTURE=0.1.0 cargo test --test it a_fixture_is_made -- --ignored`.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, JSON, Receipt, text};
use crate::support::fixture::{self, KeptEvent, KeptHook, KeptKey, Manifest};
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::{ADMIN_KEY, Settings};

/// Names the version that fixtures are made of.
const MAKING: &str = "HOOKYARD_FIXTURE";
/// Where the hooks of fixtures are received; below the ports that systems give away.
const PORTS: [u16; 2] = [28_471, 28_472];
/// Bytes of events: small ones share a row, large ones lie in pieces.
const SIZES: [usize; 10] = [0, 16, 200, 1_000, 3_000, 6_900, 7_100, 20_000, 70_000, 300];
/// After this long, what is pending is in pages; nothing outside of the store tells.
const PARKED_AFTER: Duration = Duration::from_secs(14);

#[test]
fn data_of_earlier_versions_opens_with_all_that_was_in_it() {
    let names = fixture::names();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let (directory, manifest) = fixture::unpack(&name);
        let receiver = Receiver::at_port(manifest.receiver_port, |_| 200);
        // However old it is, nothing has expired.
        let server = Server::start_on(directory, Settings::quick().set("retention.age", r#""0s""#));

        assert_accounts_and_keys(&server, &manifest);
        for hook in &manifest.hooks {
            let api = client(&server, &manifest, &hook.account);
            assert_hook(&api, hook);
            if hook.status == "paused" {
                api.resume(&hook.id);
            }
            if hook.status == "deactivated" {
                let wish = json!({"url": hook.url, "event": hook.event, "replay": true});
                assert_eq!(api.subscribing(&wish).expect::<Hook>(201).id, hook.id);
            }
            // What failed before is overdue by now, and goes out by itself.
            api.wait_for_hook(&hook.id, "nothing is pending", |hook| hook.pending == Some(0));
        }

        assert_deliveries(&receiver.requests(), &manifest);
        manifest.events.iter().for_each(|event| assert_event(&server, &manifest, event));
        assert_new_ids_are_new(&server, &manifest);
    }
}

#[test]
#[ignore = "makes the fixtures of a release"]
fn a_fixture_is_made() {
    let Ok(version) = std::env::var(MAKING) else { return };
    let [stopped, killed] = PORTS;
    let (mut server, manifest) = a_used_server(&version, "stopped", stopped);
    server.terminate();
    assert!(server.wait_for_exit().success());
    fixture::pack(&format!("{version}-stopped"), &server.data_dir(), &manifest);
    let (mut server, manifest) = a_used_server(&version, "killed", killed);
    server.kill();
    fixture::pack(&format!("{version}-killed"), &server.data_dir(), &manifest);
}

/// A client that manages hooks and emits for `account`.
fn client(server: &Server, manifest: &Manifest, account: &str) -> Api {
    let key =
        manifest.keys.iter().find(|key| key.account.as_deref() == Some(account) && key.scopes.len() == 2);
    server.api_with_key(&key.expect("each account has a key").text)
}

fn assert_accounts_and_keys(server: &Server, manifest: &Manifest) {
    let accounts: Vec<Value> = server.api().get("/api/v1/accounts").expect(200);
    let accounts: BTreeSet<&str> = accounts.iter().map(|account| text(account, "id")).collect();
    assert_eq!(accounts, manifest.accounts.iter().map(String::as_str).collect());
    for KeptKey { text, account, scopes } in &manifest.keys {
        let status = server.api_with_key(text).get("/api/v1/hooks").status;
        let expected = match account {
            None => 401,
            Some(_) if scopes.iter().any(|scope| scope == "hooks") => 200,
            Some(_) => 403,
        };
        assert_eq!(status, expected, "{account:?} {scopes:?}");
    }
    assert_eq!(server.api_with_key(&manifest.admin_key).get("/api/v1/keys").status, 200);
}

fn assert_hook(api: &Api, kept: &KeptHook) {
    let hook = api.hook(&kept.id);
    assert_eq!(
        (&hook.url, &hook.event, &hook.status, &hook.created_at),
        (&kept.url, &kept.event, &kept.status, &kept.created_at)
    );
    // An active one has begun to send what was pending.
    if kept.status != "active" {
        assert_eq!(hook.pending, Some(kept.pending.len() as u64), "{}", kept.url);
    }
    assert_eq!(hook.dead, Some(kept.dead.len() as u64), "{}", kept.url);
}

fn assert_event(server: &Server, manifest: &Manifest, kept: &KeptEvent) {
    let api = client(server, manifest, &kept.account);
    let event: Value = api.get(&format!("/api/v1/events/{}", kept.id)).expect(200);
    assert_eq!(
        (text(&event, "id"), text(&event, "event"), text(&event, "timestamp")),
        (kept.id.as_str(), kept.event.as_str(), kept.timestamp.as_str())
    );
    assert_eq!(event["data"], fixture::data(kept.n, kept.size));
}

/// Everything that waited has arrived, each with the bytes that it was accepted with and its hook's signature; nothing
/// else has.
fn assert_deliveries(requests: &[Received], manifest: &Manifest) {
    let events: BTreeMap<&str, &KeptEvent> =
        manifest.events.iter().map(|event| (event.id.as_str(), event)).collect();
    for hook in &manifest.hooks {
        let path = &hook.url[hook.url.rfind('/').expect("it has a path")..];
        let arrived: Vec<&Received> = requests.iter().filter(|request| request.target == path).collect();
        let mut waited: BTreeSet<&str> = hook.pending.iter().map(String::as_str).collect();
        if hook.status == "deactivated" {
            waited.extend(hook.dead.iter().map(String::as_str));
        }
        let ids: BTreeSet<&str> = arrived.iter().map(|request| request.webhook_id()).collect();
        assert_eq!(ids, waited, "{}", hook.url);
        for request in arrived {
            let event = events[request.webhook_id()];
            let data = fixture::data(event.n, event.size);
            let body =
                format!(r#"{{"event":"{}","timestamp":"{}","data":{data}}}"#, event.event, event.timestamp);
            assert_eq!(request.text(), body);
            request.assert_signed_with(&hook.secret);
        }
    }
}

fn assert_new_ids_are_new(server: &Server, manifest: &Manifest) {
    let known: BTreeSet<&str> = manifest.events.iter().map(|event| event.id.as_str()).collect();
    for account in &manifest.accounts {
        let receipt = client(server, manifest, account).emit("agent_deleted", &json!(null));
        assert!(!known.contains(receipt.id.as_str()));
    }
}

/// A server that has hooks in every state, with events on their way to them, and the list of all that.
fn a_used_server(version: &str, ended: &str, receiver_port: u16) -> (Server, Manifest) {
    let settings = Settings::quick().schedule(&["10s", "10s", "10s"]).set("health.probe_after", "3");
    let server = Server::start_with(settings);
    let receiver = Receiver::at_port(receiver_port, |request| match request.target.as_str() {
        "/retrying" | "/probing" => 500,
        "/gone" | "/revived" => 410,
        _ => 200,
    });
    let mut story = Story {
        server,
        receiver,
        manifest: Manifest {
            left_by: format!("{version}, {ended}"),
            admin_key: ADMIN_KEY.into(),
            receiver_port,
            accounts: vec!["default".into()],
            keys: Vec::new(),
            hooks: Vec::new(),
            events: Vec::new(),
        },
    };
    story.tell();
    (story.server, story.manifest)
}

struct Story {
    server: Server,
    receiver: Receiver,
    manifest: Manifest,
}

impl Story {
    fn tell(&mut self) {
        for account in ["default", "acme", "globex"] {
            self.make_account(account);
        }
        self.delivered("acme");
        let paused = self.paused("acme", "/paused", "feedback_received", 30);
        self.gone("globex", "/gone", "agent_created", 12);
        self.revived("default");
        let garbage = self.paused("globex", "/left", "new_conversation", 12);

        thread::sleep(PARKED_AFTER);
        for _ in 0..5 {
            let id = self.emit("acme", "feedback_received");
            self.manifest.hooks[paused].pending.push(id);
        }
        self.failing("acme", "/retrying", "new_message", 2);
        self.failing("default", "/probing", "new_message", 8);
        let left = self.manifest.hooks.remove(garbage);
        self.client("globex").unsubscribe(&left.id);
    }

    fn client(&self, account: &str) -> Api {
        client(&self.server, &self.manifest, account)
    }

    fn make_account(&mut self, account: &str) {
        let admin = self.server.api();
        let made = admin.post("/api/v1/accounts", &json!({"id": account}));
        if made.status == 201 {
            self.manifest.accounts.push(account.into());
        }
        for scopes in [&["hooks", "events"][..], &["events"]] {
            let (_, text) = make_key(&admin, account, scopes);
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            self.manifest.keys.push(KeptKey { text, account: Some(account.into()), scopes });
        }
        let (id, text) = make_key(&admin, account, &["hooks"]);
        let _: Value = admin.delete(&format!("/api/v1/keys/{id}")).expect(200);
        self.manifest.keys.push(KeptKey { text, account: None, scopes: Vec::new() });
    }

    /// Subscribes; returns the hook's place in the list.
    fn subscribe(&mut self, account: &str, path: &str, event: &str) -> usize {
        let hook = self.client(account).subscribe(&self.receiver.url(path), event);
        self.manifest.hooks.push(KeptHook {
            account: account.into(),
            id: hook.id,
            url: hook.url,
            event: hook.event,
            secret: hook.secret.expect("it is shown once"),
            status: hook.status,
            created_at: hook.created_at,
            pending: Vec::new(),
            dead: Vec::new(),
        });
        self.manifest.hooks.len() - 1
    }

    fn emit(&mut self, account: &str, event: &str) -> String {
        let n = self.manifest.events.len();
        let size = SIZES[n % SIZES.len()];
        let body = json!({"event": event, "data": fixture::data(n, size)}).to_string();
        let key = format!("key {n}");
        let headers = if n.is_multiple_of(3) {
            [JSON, &[("idempotency-key", key.as_str())]].concat()
        } else {
            JSON.to_vec()
        };
        let reply = self.client(account).send("POST", "/api/v1/events", &headers, Some(body.as_bytes()));
        let Receipt { id, event, timestamp, .. } = reply.expect(202);
        self.manifest.events.push(KeptEvent {
            account: account.into(),
            id: id.clone(),
            event,
            timestamp,
            n,
            size,
        });
        id
    }

    /// Emits to the hook at `at`, and waits until it looks as `settled` says; returns the ids.
    fn emit_to(&mut self, at: usize, count: usize, settled: impl Fn(&Hook) -> bool) -> Vec<String> {
        let KeptHook { account, event, id, .. } = &self.manifest.hooks[at];
        let (account, event, id) = (account.clone(), event.clone(), id.clone());
        let ids = (0..count).map(|_| self.emit(&account, &event)).collect();
        self.client(&account).wait_for_hook(&id, "what was emitted has settled", settled);
        ids
    }

    fn delivered(&mut self, account: &str) {
        let at = self.subscribe(account, "/active", "new_lead");
        self.emit_to(at, 30, |hook| hook.pending == Some(0));
    }

    fn failing(&mut self, account: &str, path: &str, event: &str, count: usize) {
        let at = self.subscribe(account, path, event);
        let ids = self
            .emit_to(at, count, |hook| hook.pending == Some(count as u64) && hook.next_attempt_at.is_some());
        self.manifest.hooks[at].pending = ids;
    }

    fn paused(&mut self, account: &str, path: &str, event: &str, count: usize) -> usize {
        let at = self.subscribe(account, path, event);
        self.client(account).pause(&self.manifest.hooks[at].id);
        self.manifest.hooks[at].status = "paused".into();
        self.manifest.hooks[at].pending = self.emit_to(at, count, |hook| hook.pending == Some(count as u64));
        at
    }

    /// A hook that answers 410 while others wait.
    fn gone(&mut self, account: &str, path: &str, event: &str, count: usize) -> usize {
        let at = self.paused(account, path, event, count);
        let (client, id) = (self.client(account), self.manifest.hooks[at].id.clone());
        client.resume(&id);
        client.wait_for_hook(&id, "it is given up", |hook| hook.dead == Some(count as u64));
        let hook = &mut self.manifest.hooks[at];
        hook.status = "deactivated".into();
        hook.dead = std::mem::take(&mut hook.pending);
        at
    }

    /// A hook that came back without what it had not got, and is paused with something new.
    fn revived(&mut self, account: &str) {
        let at = self.gone(account, "/revived", "training_completed", 4);
        let hook = &self.manifest.hooks[at];
        let wish = json!({"url": hook.url, "event": hook.event});
        let (client, id) = (self.client(account), hook.id.clone());
        let _: Hook = client.subscribing(&wish).expect(201);
        client.pause(&id);
        let ids = self.emit_to(at, 3, |hook| hook.pending == Some(3));
        let hook = &mut self.manifest.hooks[at];
        (hook.status, hook.pending) = ("paused".into(), ids);
    }
}

/// Makes a key; returns its id and its text.
fn make_key(admin: &Api, account: &str, scopes: &[&str]) -> (String, String) {
    let key: Value = admin.post("/api/v1/keys", &json!({"account": account, "scopes": scopes})).expect(201);
    (text(&key, "id").into(), text(&key, "key").into())
}
