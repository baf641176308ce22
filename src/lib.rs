//! An actor-based event router that delivers webhooks: events go in, signed HTTP POSTs come out.
//!
//! [`Hookyard`] is the face. [`Hookyard::emit`](hookyard::Hookyard::emit) returns once an event is durable; from then on
//! it is delivered to every hook that it matched, at least once, however often the process dies.
//!
//! # The house
//!
//! Imports only fall, from the last of these lines to the first:
//!
//! | part | what it holds |
//! |---|---|
//! | [`id`] [`clock`] [`event_type`] [`event`] [`account`] [`subscription`] [`filter`] [`condition`] [`attempt`] [`trace_context`] | the vocabulary |
//! | `retry` `health` | policy: when to try again, whom to probe |
//! | `share` `line` `credit` | how much may be in flight, and how accounts share that |
//! | `throttle` | how fast callers may come |
//! | `metrics` | what is counted and measured, as text for Prometheus |
//! | `store` | the ledger's verbs, the backend on a log and sled behind them, and the one writer that makes all changes durable |
//! | [`backup`] | the file that a backup is, and restoring one |
//! | `traces` | spans of what happens to events, for a collector of OpenTelemetry (feature `otlp`) |
//! | `delivery` | one attempt: the egress guard, the [`signature`], the request, its outcome |
//! | `subscriber` | the actor that serves one subscription |
//! | `shard` | the actor that keeps the subscribers of one thread |
//! | `router` | the actor that decides which subscriptions an event goes to |
//! | `runtime` | the threads of these actors, and the one path by which they start |
//! | [`hookyard`] | the face |
//! | `api` (feature `server`) | the front door: the same over HTTP |
//!
//! [`config`] stands beside them: what can be set, and how it is read; `certificates` are in files that it names.
//!
//! # The way of an event
//!
//! ```text
//! emit ─► validate, build the body, take a credit ─► router: match ─► writer: commit, sync ─► receipt
//!                                                                          │
//!              subscriber: window ◄─── shard: start or find it ◄─── router: forward
//!                  │
//!                  └► attempt ─► outcome ─► settle, with the next commit ─► done, retry later, or give up
//! ```

pub mod account;
#[cfg(feature = "server")]
pub mod api;
pub mod attempt;
pub mod backup;
#[cfg(feature = "benchmarks")]
#[doc(hidden)]
pub mod benchmarks;
mod certificates;
pub mod clock;
pub mod condition;
pub mod config;
mod credit;
mod delivery;
mod encryption;
pub mod event;
pub mod event_type;
pub mod filter;
mod forgetting;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod health;
pub mod hookyard;
pub mod id;
pub mod label;
mod line;
mod metrics;
#[cfg(feature = "server")]
mod repeats;
mod retry;
mod router;
mod runtime;
mod schema;
mod shard;
mod share;
#[cfg(test)]
mod simulation;
mod store;
mod subscriber;
pub mod subscription;
#[cfg(feature = "server")]
mod throttle;
#[cfg(feature = "server")]
mod token;
pub mod trace_context;
mod traces;

pub use config::Config;
pub use delivery::signature;
pub use event::{Event, Receipt};
pub use hookyard::{Hookyard, Subscribe};
pub use store::ledger::Durability;
pub use store::ledger::checking as check;
pub use trace_context::TraceContext;

/// The code of the tour for Rust programs, which is compiled with the other examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/tour-rust.md")]
struct Tour;
