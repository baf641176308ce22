//! Benchmarks: what the micro-benchmarks in `benches/` time, prepared so that each call does one thing.

use std::net::SocketAddr;

use crate::clock::Timestamp;
use crate::delivery::guard::Guard;
use crate::delivery::signature::Signer;
use crate::event::Body;
use crate::event_type::EventType;
use crate::filter::Filter;
use crate::id::{AccountNo, HookId, SubscriptionNo};
use crate::router::index::Index;
use crate::subscription::{
    CustomHeaders, DeliveryPolicy, EndpointUrl, Envelope, Generation, Profile, Secret, Status, Subscription,
};

pub use crate::store::ledger::benchmarks::Block;

const EVENT: &str = "new_lead";
const TIMESTAMP: &str = "2025-01-15T10:30:00Z";
const ID: &str = "evt_2Nk4VhXQyJjeUxikZG7nvJ9kOFP";

/// Builds the delivered body of an event with this data, and tells its length.
pub struct Building(EventType);

/// Makes both signatures of a request.
pub struct Signing(Signer);

/// Finds the subscriptions that an event matches.
pub struct Matching {
    index: Index,
    event_type: EventType,
}

/// Vets targets.
pub struct Vetting(Guard);

/// A URL that was parsed.
pub struct Target(EndpointUrl);

impl Default for Building {
    fn default() -> Self {
        Self(event_type(EVENT))
    }
}

impl Building {
    /// Builds one.
    pub fn build(&self, data: &[u8]) -> usize {
        Body::build(&self.0, TIMESTAMP, data).bytes.len()
    }
}

impl Default for Signing {
    fn default() -> Self {
        Self(Signer::new(&Secret::generate()))
    }
}

impl Signing {
    /// The values of both headers.
    pub fn sign(&self, body: &[u8]) -> (String, String) {
        (self.0.standard(ID, Timestamp(1_736_937_000_000), body), self.0.hex(body).unwrap_or_default())
    }
}

impl Matching {
    /// One among so many subscriptions, each of another URL and event type.
    pub fn among(subscriptions: u64) -> Self {
        let mut index = Index::default();
        let secret = Secret::generate();
        for no in 1..=subscriptions {
            let url = format!("https://hooks.example.com/{no}").parse().expect("it is a URL");
            index.insert(&Subscription {
                no: SubscriptionNo(no),
                id: HookId::from_bytes([0; 20]),
                account: AccountNo(1),
                url,
                filter: Filter::one(event_type(&format!("{EVENT}_{no}"))),
                condition: None,
                secret: secret.clone(),
                envelope: Envelope::Documented,
                previous_secrets: Vec::new(),
                headers: CustomHeaders::default(),
                client_certificate: None,
                status: Status::Active,
                generation: Generation(0),
                floor: Generation(0),
                profile: Profile::default(),
                delivery: DeliveryPolicy::default(),
                created_at: Timestamp(0),
                updated_at: Timestamp(0),
            });
        }
        Self { index, event_type: event_type(&format!("{EVENT}_{subscriptions}")) }
    }

    /// How many it finds.
    pub fn find(&self) -> usize {
        self.index.matches(AccountNo(1), &self.event_type, &[], |_| true).len()
    }
}

impl Default for Vetting {
    fn default() -> Self {
        Self(Guard::new(true, Vec::new()))
    }
}

impl Vetting {
    /// Whether a hook may have this URL.
    pub fn url(&self, target: &Target) -> bool {
        self.0.vet_url(&target.0).is_ok()
    }

    /// Whether this address may be connected to.
    pub fn address(&self, address: SocketAddr) -> bool {
        self.0.vet_address(address).is_ok()
    }
}

impl Target {
    /// Parses a URL.
    ///
    /// # Panics
    /// When it is none.
    pub fn parse(url: &str) -> Self {
        Self(url.parse().expect("it is a URL"))
    }
}

fn event_type(name: &str) -> EventType {
    name.parse().expect("it is an event type")
}
