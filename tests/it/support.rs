//! The field's language for these tests: a real server, clients of its API, and receivers of its requests.

pub mod api;
pub mod certificates;
pub mod cli;
pub mod command;
pub mod deliveries;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod document;
pub mod embedding;
pub mod exposition;
pub mod fixture;
pub mod misbehaving;
pub mod names;
pub mod namespace;
pub mod patience;
pub mod process;
pub mod raw;
pub mod receiver;
pub mod replays;
pub mod rude;
pub mod server;
pub mod settings;
pub mod signature;
pub mod tls_receiver;
pub mod wall_clock;
pub mod world;
