//! Delivery: one attempt.
//!
//! [`guard::Guard`] says which targets may be called, [`signature`] signs. When to attempt, how often, and what follows
//! from an outcome is left to the subscriber.

pub mod endpoint;
pub mod guard;
pub mod signature;

mod networks;
