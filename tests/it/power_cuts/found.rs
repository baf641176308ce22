//! What a store holds after a power cut, read through the library or from the real binary.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use hookyard::account::AccountId;
use hookyard::hookyard::{DeliveryQuery, DeliveryStatus, HookQuery, PageRequest};
use hookyard::{Config, Event, Hookyard};
use pollster::block_on;
use serde_json::Value;
use url::Url;

use crate::support::api::{Api, text};

/// The content of a store.
#[derive(Debug, Default)]
pub struct Found {
    /// By the path of their URLs.
    pub hooks: BTreeMap<String, Hook>,
    /// By event and hook.
    pub deliveries: HashMap<(String, String), Delivery>,
    pub keys: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub struct Hook {
    pub status: String,
    /// None where it cannot be read.
    pub secret: Option<String>,
}

#[derive(Debug)]
pub struct Delivery {
    pub status: DeliveryStatus,
    pub attempts: u64,
    /// The numbers of the attempts that are kept; none where they were not read.
    pub log: Option<Vec<u64>>,
}

/// As many as a page has.
const PAGE: usize = 1_000;

impl Found {
    /// Opens the store in a data directory by the library, reads it, and sees that it takes an event.
    ///
    /// # Errors
    /// When it does not open or cannot be read; says why.
    pub fn open(data_dir: &Path) -> Result<Self, String> {
        let hookyard = block_on(Hookyard::open(quiet(data_dir))).map_err(|error| error.to_string())?;
        let found = Self::read(&hookyard);
        let taken = Event::new("after-the-power-cut", &0)
            .map_err(|error| error.to_string())
            .and_then(|event| hookyard.blocking().emit(event).map_err(|error| error.to_string()));
        hookyard.blocking().shutdown();
        taken.and(found)
    }

    fn read(hookyard: &Hookyard) -> Result<Self, String> {
        let (mut found, asked) = (Self::default(), hookyard.blocking());
        let account = AccountId::default_account();
        let mut names = HashMap::new();
        let mut page = PageRequest { limit: PAGE, cursor: None };
        loop {
            let hooks = asked.hooks(&account, HookQuery::default(), page.clone()).map_err(cannot("hooks"))?;
            for hook in hooks.items {
                let record = hook.subscription;
                let path = path_of(record.url.as_sent());
                names.insert(record.id, path.clone());
                let secret = Some(record.secret.reveal().to_owned());
                found.add(path, Hook { status: record.status.as_str().to_owned(), secret })?;
            }
            page.cursor = hooks.next;
            if page.cursor.is_none() {
                break;
            }
        }
        loop {
            let deliveries = asked
                .deliveries(&account, DeliveryQuery::default(), page.clone())
                .map_err(cannot("deliveries"))?;
            for one in deliveries.items {
                let hook = names.get(&one.hook_id).ok_or(format!("{} is of no hook", one.id))?;
                let log = Some(one.log.iter().map(|attempt| u64::from(attempt.n)).collect());
                let delivery = Delivery { status: one.status, attempts: one.attempts.into(), log };
                found.deliveries.insert((one.event_id.to_string(), hook.clone()), delivery);
            }
            page.cursor = deliveries.next;
            if page.cursor.is_none() {
                break;
            }
        }
        let keys = block_on(hookyard.keys(page)).map_err(cannot("keys"))?;
        found.keys = keys.items.into_iter().map(|(key, _)| key.id.to_string()).collect();
        Ok(found)
    }

    /// Reads all that a server tells.
    pub fn ask(api: &Api) -> Result<Self, String> {
        let mut found = Self::default();
        let mut names = HashMap::new();
        let all = |path: &str| api.pages(&format!("{path}?limit={PAGE}")).into_iter().flatten();
        for hook in all("/api/v1/hooks") {
            let path = path_of(text(&hook, "url"));
            names.insert(text(&hook, "id").to_owned(), path.clone());
            found.add(path, Hook { status: text(&hook, "status").to_owned(), secret: None })?;
        }
        for one in all("/api/v1/deliveries") {
            let hook = names.get(text(&one, "hook_id")).ok_or(format!("{one} is of no hook"))?;
            let status = match text(&one, "status") {
                "pending" => DeliveryStatus::Pending,
                "delivered" => DeliveryStatus::Delivered,
                _ => DeliveryStatus::Dead,
            };
            let attempts = one["attempts"].as_u64().ok_or(format!("{one} has no attempts"))?;
            let delivery = Delivery { status, attempts, log: None };
            found.deliveries.insert((text(&one, "event_id").to_owned(), hook.clone()), delivery);
        }
        found.keys = all("/api/v1/keys").map(|key: Value| text(&key, "id").to_owned()).collect();
        Ok(found)
    }

    fn add(&mut self, path: String, hook: Hook) -> Result<(), String> {
        match self.hooks.insert(path.clone(), hook) {
            None => Ok(()),
            Some(_) => Err(format!("{path} is there twice")),
        }
    }
}

/// A router that delivers nowhere, and keeps everything.
fn quiet(data_dir: &Path) -> Config {
    // Without `dev` it calls no plain http and no loopback address, and tries again much later.
    let mut config = Config::new(data_dir).allow_unknown_events();
    config.workers = 1;
    (config.retention.age, config.retention.size_bytes) = (std::time::Duration::ZERO, 0);
    config
}

fn path_of(url: &str) -> String {
    Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_else(|_| url.to_owned())
}

fn cannot<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("cannot read the {what}: {error}")
}
