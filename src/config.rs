//! The configuration: every key with its default, its bounds, and where it may come from.
//!
//! A [`Config`] is plain data. It is loaded from a TOML file and from environment variables, or built in code by
//! a program that embeds the router. What the loaders return has been validated. Reading the real environment,
//! printing warnings and binding the address are left to the binary.

mod bounds;
mod catalogue;
mod difference;
pub(crate) mod duration;
mod encryption;
mod error;
mod hidden;
mod network;
mod section;
mod source;

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::event_type::EventTypeSpec;

pub use catalogue::Catalogue;
pub use encryption::Encryption;
pub use error::Error;
pub use hidden::Hidden;
pub use section::UnknownEvents;
pub use section::{
    Delivery, Egress, Events, Health, Limits, LogFormat, Metrics, Operator, RateLimits, Retention, Retry,
    Shutdown, Subscriber, Tls, Traces,
};
#[cfg(any(fuzzing, test))]
pub(crate) use source::fuzzing;
pub use source::{Loaded, Warning};

/// What a router is opened with.
///
/// `Config::default()` is the documented behaviour; `config/hookyard.toml` lists the same keys with their bounds.
/// Serialising it gives the file's keys, with stars for the admin key and for master keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the front door listens: `address:port` or `name:port`.
    pub listen: String,
    /// The URL under which callers reach the front door, as an answer that leads back to it names it: `http` or `https`,
    /// with a path if a proxy serves it below one. When empty, such answers have paths alone.
    pub public_url: String,
    /// Where the store lives, relative to the current directory unless absolute.
    pub data_dir: PathBuf,
    /// An admin key chosen beforehand; when empty, the binary makes one at the first start.
    pub admin_key: Hidden,
    /// A file that holds the admin key. The loaders read it into `admin_key` and leave this empty; in code, set
    /// `admin_key`.
    pub admin_key_file: PathBuf,
    /// What new API keys begin with.
    pub key_prefix: String,
    /// Threads that deliver; 0 means one per core.
    pub workers: usize,
    /// What is logged, as `tracing` filter directives: `info`, or `warn,hookyard=debug`.
    pub log: String,
    /// What a line of the log looks like.
    pub log_format: LogFormat,
    pub tls: Tls,
    pub retry: Retry,
    pub delivery: Delivery,
    pub health: Health,
    pub egress: Egress,
    pub encryption: Encryption,
    pub events: Events,
    pub operator: Operator,
    pub limits: Limits,
    pub rate_limits: RateLimits,
    pub metrics: Metrics,
    pub traces: Traces,
    pub shutdown: Shutdown,
    pub retention: Retention,
    pub subscriber: Subscriber,
    /// The event types that may be emitted and subscribed to.
    #[serde(rename = "event_type")]
    pub event_types: Catalogue,
}

/// Loopback and private networks, which `--dev` lets hooks point at.
const DEV_NETWORKS: [&str; 6] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            data_dir: "data".into(),
            admin_key: Hidden::default(),
            admin_key_file: PathBuf::new(),
            key_prefix: "fp_".to_owned(),
            workers: 0,
            log: "info,actix_server=warn,actix_http=off".to_owned(),
            log_format: LogFormat::default(),
            tls: Tls::default(),
            retry: Retry::default(),
            delivery: Delivery::default(),
            health: Health::default(),
            egress: Egress::default(),
            encryption: Encryption::default(),
            events: Events::default(),
            operator: Operator::default(),
            limits: Limits::default(),
            rate_limits: RateLimits::default(),
            metrics: Metrics::default(),
            traces: Traces::default(),
            shutdown: Shutdown::default(),
            retention: Retention::default(),
            subscriber: Subscriber::default(),
            event_types: Catalogue::default(),
        }
    }
}

impl Config {
    /// The defaults, with the store in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), ..Self::default() }
    }

    /// A path of the front door as its callers may follow it: behind `public_url`, if that is given.
    pub fn public(&self, path: &str) -> String {
        let base = Url::parse(&self.public_url).map(String::from).unwrap_or_default();
        format!("{}{path}", base.trim_end_matches('/'))
    }

    /// Declares an event type; the first one declared replaces the default catalogue.
    pub fn event_type(mut self, spec: EventTypeSpec) -> Self {
        self.event_types.declare(spec);
        self
    }

    /// Accepts events and subscriptions whose type is not in the catalogue.
    pub fn allow_unknown_events(mut self) -> Self {
        self.events.unknown = UnknownEvents::Accept;
        self
    }

    /// Lets hooks have `http://` URLs and loopback or private addresses, for trying things out.
    ///
    /// Whoever may subscribe can then reach services of the local network.
    pub fn dev(mut self) -> Self {
        self.egress.https_only = false;
        let networks = DEV_NETWORKS.map(|text| text.parse::<IpNet>().expect("the constant holds networks"));
        for network in networks {
            if !self.egress.allow_networks.contains(&network) {
                self.egress.allow_networks.push(network);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> EventTypeSpec {
        EventTypeSpec { name: name.to_owned(), description: String::new(), example: 1.into(), schema: None }
    }

    #[test]
    fn the_defaults_are_valid_and_so_is_dev() {
        assert!(Config::default().validate().is_ok());
        assert!(Config::default().dev().validate().is_ok());
    }

    #[test]
    fn dev_opens_plain_http_and_private_networks_once() {
        let config = Config::new("elsewhere").dev().dev();
        assert!(!config.egress.https_only);
        assert_eq!(config.egress.allow_networks.len(), DEV_NETWORKS.len());
        let reaches = |address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            config.egress.allow_networks.iter().any(|network| network.contains(&address))
        };
        assert!(reaches("127.0.0.1") && reaches("192.168.1.9") && reaches("::1") && reaches("fd00::7"));
        assert!(!reaches("169.254.169.254") && !reaches("0.0.0.0"));
    }

    #[test]
    fn a_public_url_stands_before_a_path_with_one_slash_between() {
        let public = |url: &str| Config { public_url: url.to_owned(), ..Config::default() }.public("/api");
        assert_eq!(public(""), "/api");
        for url in ["https://example.com", "https://example.com/", "https://EXAMPLE.com:443"] {
            assert_eq!(public(url), "https://example.com/api");
        }
        assert_eq!(public("http://example.com:81/hooks/"), "http://example.com:81/hooks/api");
    }

    #[test]
    fn the_first_declared_event_type_replaces_the_catalogue() {
        let config = Config::new("data").event_type(spec("order_paid")).event_type(spec("order_sent"));
        let names: Vec<_> = config.event_types.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["order_paid", "order_sent"]);
    }

    #[test]
    fn redeclaring_the_default_catalogue_and_more_keeps_all_of_it() {
        let documented = Catalogue::default();
        let config = documented.iter().cloned().fold(Config::new("data"), Config::event_type);
        assert_eq!(config.event_type(spec("order_paid")).event_types.len(), documented.len() + 1);
    }

    #[test]
    fn neither_debug_nor_serialising_shows_a_key() {
        let mut config = Config { admin_key: "a-key-of-some-length".into(), ..Config::default() };
        config.encryption.master_key = "another-of-some-length".into();
        config.encryption.previous_master_keys = vec!["an-old-one-of-some-length".into()];
        config.operator.jwt_secret = "a-fourth-of-some-length".into();
        assert!(!format!("{config:?}").contains("some-length"));
        assert!(!serde_json::to_string(&config).unwrap().contains("some-length"));
    }
}
