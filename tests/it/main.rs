//! What the contract promises, asked of the real binary over real sockets; a file per behaviour.

mod support;

mod configuring;
mod documented_curl;
mod egress;
mod health;
mod listing;
mod subscribing;
mod unsubscribing;
