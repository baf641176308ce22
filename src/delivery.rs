//! Delivery: one attempt.
//!
//! [`signature`] signs. When to attempt, how often, and what follows from an outcome is left to the subscriber.

pub mod signature;
