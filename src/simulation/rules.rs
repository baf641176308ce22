//! What a seed decides once: the configuration, and how rough the world is.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::retry;
use crate::subscriber::Policy;
use crate::subscription::{Deactivate, DeliveryPolicy, Ordering};

/// The rules of one run.
pub struct Rules {
    pub policy: Policy,
    pub slots: usize,
    pub shards: usize,
    /// How many subscribers of a shard may run at a time.
    pub running: usize,
    pub credits: usize,
    /// How many hooks there may be, and how each is served.
    pub hooks: usize,
    pub deliveries: Vec<DeliveryPolicy>,
    /// The longest a commit takes, in milliseconds.
    pub commit_ms: u64,
    /// The longest a message is on its way between threads, in milliseconds.
    pub delay_ms: u64,
    /// How long it is between two wishes of callers, at most, in milliseconds.
    pub pause_ms: u64,
    /// How long it is between two faults, at most, in milliseconds.
    pub fault_ms: u64,
    /// How often in a hundred a receiver changes for the worse.
    pub roughness: u32,
}

/// How long an attempt may take.
pub const TIMEOUT_MS: u64 = 30_000;

impl Rules {
    /// Draws them.
    pub fn draw(random: &mut StdRng) -> Self {
        let seconds = |waits: [u64; 3]| waits.map(Duration::from_secs).to_vec();
        let schedule = match random.random_range(0..4) {
            0 => seconds([1, 2, 3]),
            1 => seconds([1, 5, 30]),
            _ => seconds([60, 300, 1_800]),
        };
        let one_of = |random: &mut StdRng, choices: &[u64]| choices[random.random_range(0..choices.len())];
        let policy = Policy {
            retry: retry::Policy {
                schedule,
                jitter_percent: random.random_range(0..2) * 10,
                retry_after_max: Duration::from_secs(3_600),
            },
            probe_after: random.random_range(1..6),
            max_in_flight: one_of(random, &[1, 2, 4, 8]) as u32,
            window: one_of(random, &[1, 2, 4, 16]) as usize,
            idle: Duration::from_millis(one_of(random, &[1, 20, 200, 2_000, 10_000])),
        };
        let hooks = random.random_range(2..9);
        let deliveries = (0..hooks).map(|_| delivery(random)).collect();
        Self {
            policy,
            slots: one_of(random, &[1, 2, 4, 64]) as usize,
            shards: one_of(random, &[1, 2, 3]) as usize,
            running: one_of(random, &[1, 2, 3, 100]) as usize,
            credits: one_of(random, &[4, 16, 64]) as usize,
            hooks,
            deliveries,
            commit_ms: one_of(random, &[1, 5, 50, 500]),
            delay_ms: one_of(random, &[0, 2, 20]),
            pause_ms: one_of(random, &[20, 200, 5_000, 60_000]),
            fault_ms: one_of(random, &[2_000, 60_000, 1_000_000]),
            roughness: one_of(random, &[0, 30, 60, 90]) as u32,
        }
    }
}

/// What an owner says of a hook: half of them nothing.
fn delivery(random: &mut StdRng) -> DeliveryPolicy {
    let is_plain = random.random::<bool>();
    let mut one_in_two = || !is_plain && random.random::<bool>();
    DeliveryPolicy {
        ordering: if one_in_two() { Ordering::Fifo } else { Ordering::None },
        deactivate: if one_in_two() { Deactivate::Never } else { Deactivate::Exhausted },
        concurrency: one_in_two().then_some(2),
        ..DeliveryPolicy::default()
    }
}
