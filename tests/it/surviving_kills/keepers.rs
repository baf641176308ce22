//! Who keeps hooks while the server is killed: each has the hooks of one URL, and notes every answer.
//!
//! The calls about one URL are made one after the other, so that what may be true of its hooks follows from their order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::api::{Api, Hook, JSON, Reply};
use crate::support::deliveries::Delivery;

use super::answers::{Call, Said, Wish};
use super::emitters::EVENT_TYPES;
use super::far_side::{FarSide, Temper};

/// The keeper of one URL, over all lives of the server.
pub struct Keeper {
    pub far_side: FarSide,
    /// For each of its hooks, the id that it has, as far as is known. The hook's event type is that of its place.
    pub ids: Vec<Option<String>>,
    pub calls: Vec<Call>,
    random: StdRng,
}

impl Keeper {
    pub fn new(temper: Temper, hooks: usize, seed: u64, random: StdRng) -> Self {
        let far_side = FarSide::new(temper, seed);
        Self { far_side, ids: vec![None; hooks], calls: Vec::new(), random }
    }

    /// Subscribes what is not, and looks at the rest.
    pub fn look(&mut self, api: &Api, dying: &AtomicBool) {
        for place in 0..self.ids.len() {
            match self.ids[place] {
                None => self.subscribe(place, false, api, dying),
                Some(_) => self.call(place, Wish::Look, api, dying),
            }
        }
    }

    /// Looks, then does one thing after the other until the server is being killed.
    pub fn keep_until(&mut self, api: &Api, dying: &AtomicBool) {
        self.look(api, dying);
        while !dying.load(Ordering::SeqCst) {
            self.act(api, dying);
            thread::sleep(Duration::from_millis(self.random.random_range(5..60)));
        }
    }

    fn act(&mut self, api: &Api, dying: &AtomicBool) {
        let place = self.random.random_range(0..self.ids.len());
        let Some(id) = self.ids[place].clone() else {
            return self.subscribe(place, false, api, dying);
        };
        match self.random.random_range(0..100) {
            0..15 => self.call(place, Wish::Pause, api, dying),
            15..40 => self.call(place, Wish::Resume, api, dying),
            40..60 => {
                let replay = self.random.random_bool(0.5);
                self.subscribe(place, replay, api, dying);
            }
            // The first of several stays: the others take its secret over.
            60..67 if place > 0 || self.ids.len() == 1 => self.call(place, Wish::Unsubscribe, api, dying),
            67..77 => {
                let overlap = Duration::from_secs([0, 2, 3600][self.random.random_range(0..3)]);
                let secret = self.new_secret();
                self.call(place, Wish::Rotate { secret, overlap }, api, dying);
            }
            77..82 => {
                let all = self.random.random_bool(0.5);
                self.call(place, Wish::Replay { all }, api, dying);
            }
            82..90 => self.retry(place, &id, api, dying),
            _ => self.call(place, Wish::Look, api, dying),
        }
    }

    /// Subscribes; the first hook of the URL brings a secret of its own, so that it is known in any case.
    pub fn subscribe(&mut self, place: usize, replay: bool, api: &Api, dying: &AtomicBool) {
        let secret = (place == 0).then(|| self.new_secret());
        self.call(place, Wish::Subscribe { secret, replay }, api, dying);
    }

    /// Asks for one of the latest deliveries again.
    fn retry(&mut self, place: usize, id: &str, api: &Api, dying: &AtomicBool) {
        let path = format!("/api/v1/hooks/{id}/deliveries?limit=20");
        let Ok(reply) = api.try_send("GET", &path, &[], None) else {
            assert!(dying.load(Ordering::SeqCst), "a server that lives gave no answer");
            return;
        };
        if reply.status != 200 {
            return;
        }
        let deliveries: Vec<Delivery> = reply.expect(200);
        if !deliveries.is_empty() {
            let chosen = &deliveries[self.random.random_range(0..deliveries.len())];
            let path = format!("/api/v1/deliveries/{}/retry", chosen.id);
            let wish = Wish::Retry { event: chosen.event_id.clone() };
            self.send(place, wish, &path, None, api, dying);
        }
    }

    /// Makes a call about a hook and notes what comes of it.
    pub fn call(&mut self, place: usize, wish: Wish, api: &Api, dying: &AtomicBool) {
        let (event, url) = (EVENT_TYPES[place], self.far_side.url());
        let id = self.ids[place].clone().unwrap_or_default();
        let (path, body) = match &wish {
            Wish::Subscribe { secret, replay } => {
                let mut body = json!({"url": url, "event": event, "replay": replay});
                if let Some(secret) = secret {
                    body["secret"] = json!(secret);
                }
                ("/api/v1/hooks/subscribe".to_owned(), Some(body))
            }
            Wish::Unsubscribe | Wish::Look => (format!("/api/v1/hooks/{id}"), None),
            Wish::Pause => (format!("/api/v1/hooks/{id}/pause"), None),
            Wish::Resume => (format!("/api/v1/hooks/{id}/resume"), None),
            Wish::Rotate { secret, overlap } => {
                let body = json!({"secret": secret, "overlap": format!("{}s", overlap.as_secs())});
                (format!("/api/v1/hooks/{id}/rotate-secret"), Some(body))
            }
            Wish::Replay { all } => {
                let body = if *all { all_of_the_last_second() } else { json!({}) };
                (format!("/api/v1/hooks/{id}/replay"), Some(body))
            }
            Wish::Retry { .. } => unreachable!("it names a delivery"),
        };
        self.send(place, wish, &path, body, api, dying);
    }

    fn send(
        &mut self,
        place: usize,
        wish: Wish,
        path: &str,
        body: Option<Value>,
        api: &Api,
        dying: &AtomicBool,
    ) {
        let method = match wish {
            Wish::Look => "GET",
            Wish::Unsubscribe => "DELETE",
            _ => "POST",
        };
        let body = body.map(|body| body.to_string());
        let headers = if body.is_some() { JSON } else { &[] };
        let began = Instant::now();
        let sent = api.try_send(method, path, headers, body.as_deref().map(str::as_bytes));
        let ended = Instant::now();
        let said = match sent {
            Ok(reply) => heard(&wish, &reply),
            Err(error) => {
                assert!(dying.load(Ordering::SeqCst), "a server that lives gave no answer: {error}");
                Said::Nothing
            }
        };
        match (&said, &wish) {
            (Said::Created(hook), _) => self.ids[place] = Some(hook.id.clone()),
            (Said::Hook(hook), Wish::Subscribe { .. }) => self.ids[place] = Some(hook.id.clone()),
            // What a kill cut off may have been done.
            (Said::Deleted(_), _) => self.ids[place] = None,
            (Said::Missing, Wish::Retry { .. }) => {}
            (Said::Missing, _) => self.ids[place] = None,
            _ => {}
        }
        self.calls.push(Call { place, began, ended, wish, said });
    }

    fn new_secret(&mut self) -> String {
        format!("of-the-kill-test-{:032x}", self.random.random::<u128>())
    }
}

fn all_of_the_last_second() -> Value {
    let since = OffsetDateTime::from(SystemTime::now() - Duration::from_secs(1));
    json!({"status": "all", "since": since.format(&Rfc3339).expect("a moment of this age")})
}

/// What an answer says; any that is not foreseen fails the test.
fn heard(wish: &Wish, reply: &Reply) -> Said {
    let hook =
        || -> Hook { serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{}", reply.describe())) };
    match (wish, reply.status) {
        (Wish::Subscribe { .. }, 201) => Said::Created(hook()),
        (Wish::Unsubscribe, 200) => {
            let gone: Value = reply.expect(200);
            Said::Deleted(gone["deleted"].as_u64().expect("how many are gone"))
        }
        (Wish::Replay { .. } | Wish::Retry { .. }, 202) => Said::Queued,
        (Wish::Replay { .. } | Wish::Retry { .. }, 409) => Said::GivenUp,
        (Wish::Subscribe { .. } | Wish::Look | Wish::Pause | Wish::Resume | Wish::Rotate { .. }, 200) => {
            Said::Hook(hook())
        }
        (_, 404) if !matches!(wish, Wish::Subscribe { .. }) => Said::Missing,
        _ => panic!("{wish:?}: {}", reply.describe()),
    }
}
