//! A load with everything that a store does under it: deliveries that succeed, fail and wait, hooks that come, go, are
//! given up and come back, secrets and keys that change, deletes, retention, and segments that are used again.
//!
//! Each thread has hooks and event types of its own and does one thing after the other, so that it is known what each
//! event matches. What is to be answered to a delivery stands in its data.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fact::{Fact, Notes, State};
use super::front::Front;
use crate::support::disk::Disk;
use crate::support::patience::{POLL_INTERVAL, until};
use crate::support::receiver::{Received, Receiver};

/// A load on one process.
pub struct Load<'a, F> {
    pub front: &'a F,
    pub notes: &'a Notes,
    /// What the URLs of its hooks begin with.
    pub receiver: &'a str,
    /// Tells it from the loads of other processes on the same disk.
    pub round: usize,
    pub until: Instant,
}

/// A hook as its thread knows it.
struct Hook {
    path: String,
    id: String,
    secret: String,
}

/// A receiver for a load: answers what each event's data wants, one status after the other, and notes what came.
pub fn receiver(disk: &Disk, notes: Notes) -> Receiver {
    let counts: Mutex<HashMap<(String, String), usize>> = Mutex::default();
    // The disk outlives the deliveries to it.
    assert!(disk.counter().exists());
    Receiver::answering_with(move |request: &Received| {
        let (hook, event) = (request.target.clone(), request.webhook_id().to_owned());
        let data = request.data();
        let answers = data["answers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut counts = counts.lock().expect("no answering panics");
        let count = counts.entry((hook.clone(), event.clone())).or_default();
        let status = answers.get(*count).or(answers.last()).and_then(Value::as_u64).unwrap_or(200) as u16;
        *count += 1;
        drop(counts);
        notes.note(Fact::Arrived { hook, event, status });
        status
    })
}

impl<F: Front> Load<'_, F> {
    /// Runs all of it until its time is over.
    pub fn run(&self) {
        thread::scope(|scope| {
            scope.spawn(|| self.deliver());
            scope.spawn(|| self.give_up());
            scope.spawn(|| self.pause());
            scope.spawn(|| self.come_and_go());
            scope.spawn(|| self.change_keys());
        });
    }

    /// Two hooks that get everything, at the first attempt or the second; their secrets are rotated.
    fn deliver(&self) {
        let event = self.event("delivered");
        let mut hooks = ["a", "b"].map(|name| self.subscribe(&format!("delivered-{name}"), &event));
        for turn in 0.. {
            let answers = if turn % 3 == 0 { json!([500, 200]) } else { json!([200]) };
            let length = if turn % 7 == 0 { 20_000 } else { 700 };
            self.emit(&event, &vec![data(turn, &answers, length); 8], &hooks.each_ref());
            if turn % 5 == 4 {
                let secret = format!("rotated-secret-{}-{turn}", self.round);
                let hook = &mut hooks[turn / 5 % 2];
                self.change(&hook.path, &State::active(&secret), || self.front.rotate(&hook.id, &secret));
                hook.secret = secret;
            }
            thread::sleep(6 * POLL_INTERVAL);
            if self.is_over() {
                return;
            }
        }
    }

    /// A hook that is given up again and again, by 410 or after its last retry, and comes back with its dead letters or
    /// without.
    fn give_up(&self) {
        let (event, other) = (self.event("given-up"), self.event("other"));
        let hook = self.subscribe("given-up", &event);
        for turn in 0.. {
            self.notes.wished(&hook.path, &State::deactivated(&hook.secret));
            let answers = if turn % 3 == 2 { json!([500, 500, 500, 500, 200]) } else { json!([410, 200]) };
            let length = 300 + turn % 5 * 900;
            self.emit(&event, &vec![data(turn, &answers, length); 12], &[&hook]);
            until("the hook is given up", || self.front.status(&hook.id) == "deactivated" || self.is_over());
            if self.is_over() {
                return;
            }
            // What is seen may not be durable yet; with the next receipt it is.
            self.emit(&other, &[json!(turn)], &[]);
            self.notes.answered(&hook.path, &State::deactivated(&hook.secret));
            thread::sleep(4 * POLL_INTERVAL);
            self.notes.wished(&hook.path, &State::active(&hook.secret));
            // What it had not got may have it given up at once.
            self.notes.wished(&hook.path, &State::deactivated(&hook.secret));
            self.front.subscribe(&self.url(&hook.path), &event, &hook.secret, turn % 2 == 0);
            self.notes.answered(&hook.path, &State::active(&hook.secret));
        }
    }

    /// A hook that waits most of the time: it has a backlog, of which some is delivered now and then.
    fn pause(&self) {
        let event = self.event("paused");
        let hook = self.subscribe("paused", &event);
        let (paused, active) = (State::paused(&hook.secret), State::active(&hook.secret));
        self.change(&hook.path, &paused, || self.front.pause(&hook.id));
        for turn in 0.. {
            self.emit(&event, &vec![data(turn, &json!([200]), 900); 5], &[&hook]);
            if turn % 20 == 19 {
                self.change(&hook.path, &active, || self.front.resume(&hook.id));
                thread::sleep(10 * POLL_INTERVAL);
                self.change(&hook.path, &paused, || self.front.pause(&hook.id));
            }
            thread::sleep(2 * POLL_INTERVAL);
            if self.is_over() {
                return;
            }
        }
    }

    /// Hooks that come, let deliveries wait or fail, and go with all of them.
    fn come_and_go(&self) {
        let event = self.event("come-and-go");
        for turn in 0.. {
            let hook = self.subscribe(&format!("come-and-go-{turn}"), &event);
            if turn % 2 == 0 {
                self.change(&hook.path, &State::paused(&hook.secret), || self.front.pause(&hook.id));
            } else {
                self.notes.wished(&hook.path, &State::deactivated(&hook.secret));
            }
            self.emit(&event, &vec![data(turn, &json!([500]), 400); 30], &[&hook]);
            thread::sleep(10 * POLL_INTERVAL);
            self.change(&hook.path, &State::Gone, || self.front.unsubscribe(&hook.id));
            if self.is_over() {
                return;
            }
        }
    }

    /// Keys that are made, and some of them deleted.
    fn change_keys(&self) {
        let mut keys = Vec::new();
        for turn in 0.. {
            let key = self.front.make_key();
            self.notes.note(Fact::KeyMade { key: key.clone() });
            keys.push(key);
            if turn % 2 == 1 {
                let key = keys.remove(0);
                self.notes.note(Fact::KeyToBeDeleted { key: key.clone() });
                self.front.delete_key(&key);
                self.notes.note(Fact::KeyDeleted { key });
            }
            thread::sleep(20 * POLL_INTERVAL);
            if self.is_over() {
                return;
            }
        }
    }

    fn event(&self, name: &str) -> String {
        format!("{name}-{}", self.round)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.receiver)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn subscribe(&self, name: &str, event: &str) -> Hook {
        let path = format!("/{}/{name}", self.round);
        let secret = format!("secret-of-{}-{name}", self.round);
        let id = self.change(&path, &State::active(&secret), || {
            self.front.subscribe(&self.url(&path), event, &secret, false)
        });
        Hook { path, id, secret }
    }

    fn change<T>(&self, path: &str, state: &State, change: impl FnOnce() -> T) -> T {
        self.notes.wished(path, state);
        let answer = change();
        self.notes.answered(path, state);
        answer
    }

    /// Emits to hooks that match unless they were given up meanwhile, of which then there may be only one.
    fn emit(&self, event: &str, data: &[Value], hooks: &[&Hook]) {
        for (event, matched) in self.front.emit(event, data) {
            assert!(matched == 0 || matched == hooks.len() as u64, "{matched} hooks matched");
            let matching = hooks.iter().take(matched as usize);
            let hooks = matching.map(|hook| hook.path.clone()).collect();
            self.notes.note(Fact::Receipt { event, hooks });
        }
    }
}

/// The data of an event to which receivers answer in this order.
fn data(turn: usize, answers: &Value, length: usize) -> Value {
    json!({"turn": turn, "answers": answers, "padding": "x".repeat(length)})
}

/// So much of the load, in a debug build on a busy machine.
pub fn for_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
