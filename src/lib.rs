#![allow(dead_code)]
//! An actor-based event router that delivers webhooks: events go in, signed HTTP POSTs come out.

pub mod account;
#[cfg(feature = "server")]
pub mod api;
pub mod attempt;
pub mod clock;
pub mod config;
mod credit;
pub mod delivery;
pub mod event;
pub mod filter;
mod health;
pub mod hookyard;
pub mod id;
mod retry;
mod store;
pub mod subscription;

pub use delivery::signature;
