//! Delivery: one attempt, from the egress guard to the outcome.
//!
//! [`guard::Guard`] says which targets may be called, [`signature`] signs, [`client::Client`] sends the request and
//! says what it met. When to attempt, how often, and what follows from an outcome is left to the subscriber.

pub mod client;
pub mod clients;
pub mod endpoint;
pub mod guard;
pub mod signature;
pub mod tls;

mod answer;
mod connection;
mod connector;
mod fault;
mod handshake;
mod intake;
mod networks;
mod own;
mod resolver;
mod socket;
mod withholding;

#[cfg(test)]
pub mod tests;
