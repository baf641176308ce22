//! An actor-based event router that delivers webhooks: events go in, signed HTTP POSTs come out.

pub mod account;
#[cfg(feature = "server")]
pub mod api;
pub mod attempt;
pub mod clock;
pub mod config;
mod credit;
mod delivery;
pub mod event;
pub mod filter;
mod health;
pub mod hookyard;
pub mod id;
mod retry;
mod router;
mod runtime;
mod shard;
mod store;
mod subscriber;
pub mod subscription;

pub use config::Config;
pub use delivery::signature;
pub use event::{Event, Receipt};
pub use hookyard::{Hookyard, Subscribe};
pub use store::ledger::Durability;
