//! Reloading: what of the configuration changes while the router runs, all of it at once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::account::KeyHash;
use crate::config::{self, Config, Delivery, Limits};
use crate::delivery::tls;
use crate::event_type::EventTypeSpec;
use crate::id::Seal;
use crate::schema::Schema;
#[cfg(feature = "server")]
use crate::token::Tokens;
#[cfg(feature = "server")]
use zeroize::Zeroizing;

use super::Hookyard;
use super::catalogue::Catalogue;

/// What a new configuration has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose new values are in force.
    pub changed: Vec<String>,
    /// The keys whose new values wait for a restart.
    pub needs_restart: Vec<String>,
}

/// The configuration in force, and what follows from it.
pub(super) struct Live {
    pub(super) config: Arc<Config>,
    pub(super) catalogue: Catalogue,
    /// The schemas of the event types that have one.
    pub(super) schemas: HashMap<String, Arc<Schema>>,
    /// The admin key that the configuration gives.
    pub(super) admin: Option<KeyHash>,
    /// What reads tokens: those of the configured secret, if there is one, and those of this store.
    #[cfg(feature = "server")]
    pub(super) tokens: Vec<Tokens>,
}

impl Live {
    pub(super) fn new(config: Config, seal: &Seal) -> Self {
        let catalogue = Catalogue::new(&config);
        // They were read when the configuration was vetted.
        let schema = |spec: &EventTypeSpec| {
            Some((spec.name.clone(), Arc::new(Schema::new(spec.schema.as_ref()?).ok()?)))
        };
        let schemas = config.event_types.iter().filter_map(schema).collect();
        let admin = (!config.admin_key.is_empty()).then(|| KeyHash::of(config.admin_key.reveal()));
        #[cfg(feature = "server")]
        let tokens = {
            let configured = Some(&config.operator.jwt_secret).filter(|secret| !secret.is_empty());
            let configured = configured.map(|secret| Zeroizing::new(secret.reveal().as_bytes().to_vec()));
            let own = Zeroizing::new(seal.derive(b"tokens").to_vec());
            // The library takes a secret of any length.
            configured.into_iter().chain([own]).filter_map(|secret| Tokens::new(&secret[..]).ok()).collect()
        };
        #[cfg(not(feature = "server"))]
        let _ = seal;
        Self {
            config: Arc::new(config),
            catalogue,
            schemas,
            admin,
            #[cfg(feature = "server")]
            tokens,
        }
    }
}

impl Hookyard {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.0.live.load().config)
    }

    /// Puts a new configuration in force, as far as that can be done without a restart.
    ///
    /// The event types, what happens to unknown ones, the limits of what is taken in and how fast, the admin key, the
    /// prefix of new keys, the public URL and the time that a stop may take change for every call that begins after it
    /// returns, all of them at once. New rates begin as after a quiet time. Whom to trust, and what to show receivers
    /// that ask, change for every connection that is opened after it; their files are read again. The rest keeps its
    /// values and is named. How to log, and which certificate a front door shows, is the program's business.
    ///
    /// # Errors
    /// When a value is not allowed, does not fit those that stay, or names a file of no use; then nothing changes.
    pub fn reload(&self, wanted: Config) -> Result<Reloaded, config::Error> {
        wanted.validate()?;
        let before = self.config();
        let after = before.reloaded(&wanted);
        after.validate()?;
        let outgoing = tls::configured(&after.delivery)?;
        let reloaded =
            Reloaded { changed: before.differences(&after), needs_restart: after.differences(&wanted) };
        #[cfg(feature = "server")]
        if before.rate_limits != after.rate_limits {
            self.0.throttles.store(Arc::new(super::admitting::Throttles::new(&after.rate_limits)));
        }
        self.0.outgoing.replace(outgoing);
        self.0.live.store(Arc::new(Live::new(after, &self.0.seal)));
        Ok(reloaded)
    }
}

impl Config {
    /// This configuration with what needs no restart taken from `wanted`.
    fn reloaded(&self, wanted: &Self) -> Self {
        let wanted = wanted.clone();
        let same_tls = self.tls.is_on() == wanted.tls.is_on();
        Self {
            public_url: wanted.public_url,
            admin_key: wanted.admin_key,
            key_prefix: wanted.key_prefix,
            log: wanted.log,
            events: wanted.events,
            operator: wanted.operator,
            event_types: wanted.event_types,
            shutdown: wanted.shutdown,
            rate_limits: wanted.rate_limits,
            // A door that is open stays what it is; the certificate that it shows can change.
            tls: if same_tls { wanted.tls } else { self.tls.clone() },
            delivery: Delivery {
                ca_file: wanted.delivery.ca_file,
                web_authorities: wanted.delivery.web_authorities,
                client_cert_file: wanted.delivery.client_cert_file,
                client_key_file: wanted.delivery.client_key_file,
                ..self.delivery.clone()
            },
            limits: Limits {
                // The credits are counted out when the router opens.
                in_flight_events: self.limits.in_flight_events,
                in_flight_bytes: self.limits.in_flight_bytes,
                // The store measures the disk by it.
                disk_reserve_bytes: self.limits.disk_reserve_bytes,
                ..wanted.limits
            },
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: impl FnOnce(&mut Config)) -> (Vec<String>, Vec<String>) {
        let before = Config::default();
        let mut wanted = before.clone();
        change(&mut wanted);
        let after = before.reloaded(&wanted);
        (before.differences(&after), after.differences(&wanted))
    }

    #[test]
    fn what_cannot_change_keeps_its_value_and_is_named() {
        let (changed, needs_restart) = changed(|config| {
            config.limits.data_bytes = 10;
            config.limits.in_flight_events = 2000;
            config.retry.jitter_percent = 0;
            config.log = "debug".to_owned();
            config.delivery.max_in_flight = 3;
            config.delivery.web_authorities = false;
            config.tls.cert_file = "front.pem".into();
        });
        assert_eq!(changed, ["delivery.web_authorities", "limits.data_bytes", "log"]);
        let waiting =
            ["delivery.max_in_flight", "limits.in_flight_events", "retry.jitter_percent", "tls.cert_file"];
        assert_eq!(needs_restart, waiting);
    }
}
