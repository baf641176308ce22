//! What the contract promises, asked of the real binary, and of the library, over real sockets; a file per behaviour.

mod support;

mod accounts;
mod cli_deliveries;
mod cli_emitting;
mod cli_explain;
mod cli_failing;
mod cli_hooks;
mod cli_keys;
mod configuring;
mod dashboards;
mod deactivating;
mod delivered_request;
mod demo;
mod documented_curl;
mod egress;
mod embedded;
mod emitting;
mod errors;
mod full_disk;
mod health;
mod hostile_requests;
mod idempotency;
mod listing;
mod logging;
mod metrics;
mod pausing;
mod payload_bytes;
mod probing;
mod retry_after;
mod retrying;
mod reviving;
mod stopping;
mod subscribing;
mod surviving_kills;
mod unsubscribing;
