//! An actor-based event router that delivers webhooks: events go in, signed HTTP POSTs come out.

pub mod account;
pub mod attempt;
pub mod config;
pub mod clock;
pub mod event;
pub mod filter;
pub mod hookyard;
pub mod id;
pub mod subscription;
