//! The calls that a load makes, of a server over HTTP as of the library.

use std::thread;
use std::time::Instant;

use hookyard::account::{AccountId, Scope};
use hookyard::hookyard::{Rotate, Which};
use hookyard::id::{HookId, KeyId};
use hookyard::{Event, Hookyard, Subscribe};
use serde_json::{Value, json};

use crate::support::api::{Api, JSON, Receipt, Reply, text};
use crate::support::patience::{PATIENCE, POLL_INTERVAL};

/// A way in. Nothing may be refused.
pub trait Front: Sync {
    /// Returns the hook's id.
    fn subscribe(&self, url: &str, event: &str, secret: &str, replay: bool) -> String;
    fn unsubscribe(&self, hook: &str);
    fn pause(&self, hook: &str);
    fn resume(&self, hook: &str);
    fn rotate(&self, hook: &str, secret: &str);
    fn status(&self, hook: &str) -> String;
    /// Returns the id of each event, and how many hooks it matched.
    fn emit(&self, event: &str, data: &[Value]) -> Vec<(String, u64)>;
    /// Returns the key's id.
    fn make_key(&self) -> String;
    fn delete_key(&self, key: &str);
}

/// Someone who calls a server over HTTP.
pub struct Caller {
    pub api: Api,
    /// Whether what is answered with 503 is tried again until it is not.
    pub insists: bool,
}

impl Caller {
    fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let (headers, body) = match body {
            Value::Null => (&[][..], None),
            body => (JSON, Some(body.to_string())),
        };
        let send = || self.api.send(method, path, headers, body.as_ref().map(|body| body.as_bytes()));
        if !self.insists {
            return send();
        }
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let reply = send();
            if reply.status != 503 || Instant::now() > deadline {
                return reply;
            }
            let wait = reply.header("retry-after");
            assert!(wait.is_some_and(|wait| wait.parse::<u32>().is_ok()), "{}", reply.describe());
            // Sooner than it says: the more is tried, the more can go wrong.
            thread::sleep(20 * POLL_INTERVAL);
        }
    }

    fn act(&self, hook: &str, what: &str) -> Reply {
        self.send("POST", &format!("/api/v1/hooks/{hook}/{what}"), &Value::Null)
    }
}

impl Front for Caller {
    fn subscribe(&self, url: &str, event: &str, secret: &str, replay: bool) -> String {
        let wish = json!({"url": url, "event": event, "secret": secret, "replay": replay});
        let reply = self.send("POST", "/api/v1/hooks/subscribe", &wish);
        assert!(matches!(reply.status, 200 | 201), "{}", reply.describe());
        let hook: Value = reply.expect(reply.status);
        text(&hook, "id").to_owned()
    }

    fn unsubscribe(&self, hook: &str) {
        let gone: Value = self.send("DELETE", &format!("/api/v1/hooks/{hook}"), &Value::Null).expect(200);
        // It may be gone by an earlier try.
        assert!(gone["deleted"] == 1 || self.insists, "{gone}");
    }

    fn pause(&self, hook: &str) {
        self.act(hook, "pause").expect::<Value>(200);
    }

    fn resume(&self, hook: &str) {
        self.act(hook, "resume").expect::<Value>(200);
    }

    fn rotate(&self, hook: &str, secret: &str) {
        let path = format!("/api/v1/hooks/{hook}/rotate-secret");
        self.send("POST", &path, &json!({"secret": secret})).expect::<Value>(200);
    }

    fn status(&self, hook: &str) -> String {
        let hook: Value = self.send("GET", &format!("/api/v1/hooks/{hook}"), &Value::Null).expect(200);
        text(&hook, "status").to_owned()
    }

    fn emit(&self, event: &str, data: &[Value]) -> Vec<(String, u64)> {
        let batch: Vec<Value> = data.iter().map(|data| json!({"event": event, "data": data})).collect();
        let receipts: Vec<Receipt> = self.send("POST", "/api/v1/events", &Value::from(batch)).expect(202);
        receipts.into_iter().map(|receipt| (receipt.id, receipt.matched)).collect()
    }

    fn make_key(&self) -> String {
        let wish = json!({"account": "default", "scopes": ["events"], "name": "of a load"});
        let key: Value = self.send("POST", "/api/v1/keys", &wish).expect(201);
        text(&key, "id").to_owned()
    }

    fn delete_key(&self, key: &str) {
        let reply = self.send("DELETE", &format!("/api/v1/keys/{key}"), &Value::Null);
        let is_gone = matches!(reply.status, 200 | 204) || self.insists && reply.status == 404;
        assert!(is_gone, "{}", reply.describe());
    }
}

impl Front for Hookyard {
    fn subscribe(&self, url: &str, event: &str, secret: &str, replay: bool) -> String {
        let wish = Subscribe { secret: Some(secret.to_owned()), replay, ..Subscribe::new(url, event) };
        let subscribed = self.blocking().subscribe(wish).expect("accepted");
        subscribed.hook.subscription.id.to_string()
    }

    fn unsubscribe(&self, hook: &str) {
        let which = Which::Id(id(hook));
        assert_eq!(self.blocking().unsubscribe(&account(), which).expect("accepted"), 1);
    }

    fn pause(&self, hook: &str) {
        self.blocking().pause(&account(), id(hook)).expect("accepted");
    }

    fn resume(&self, hook: &str) {
        self.blocking().resume(&account(), id(hook)).expect("accepted");
    }

    fn rotate(&self, hook: &str, secret: &str) {
        let wish = Rotate { secret: Some(secret.to_owned()), ..Rotate::default() };
        self.blocking().rotate_secret(&account(), id(hook), wish).expect("accepted");
    }

    fn status(&self, hook: &str) -> String {
        let hook = self.blocking().hook(&account(), id(hook)).expect("it is there");
        hook.subscription.status.as_str().to_owned()
    }

    fn emit(&self, event: &str, data: &[Value]) -> Vec<(String, u64)> {
        let batch = data.iter().map(|data| Event::new(event, data).expect("it serialises")).collect();
        let receipts = self.blocking().emit_batch(batch).expect("accepted");
        receipts.into_iter().map(|receipt| (receipt.id.to_string(), receipt.matched as u64)).collect()
    }

    fn make_key(&self) -> String {
        let account = account();
        let making = self.create_key(&account, vec![Scope::Events], "of a load".to_owned());
        let (key, _) = pollster::block_on(making).expect("accepted");
        key.id.to_string()
    }

    fn delete_key(&self, key: &str) {
        let key: KeyId = key.parse().expect("it is an id");
        pollster::block_on(Hookyard::delete_key(self, key)).expect("accepted");
    }
}

fn account() -> AccountId {
    AccountId::default_account()
}

fn id(hook: &str) -> HookId {
    hook.parse().expect("it is an id")
}
