//! The trace of a simulation: a hash of every step, and the last of them in clear.

use std::collections::VecDeque;
use std::fmt;

/// How many steps are remembered in clear.
const REMEMBERED: usize = 120;

/// What happened, step by step.
#[derive(Default)]
pub struct Trace {
    pub steps: u64,
    hash: u64,
    last: VecDeque<Step>,
}

#[derive(Clone, Copy)]
struct Step {
    elapsed: u64,
    what: &'static str,
    numbers: [u64; 3],
}

impl Trace {
    /// Notes a step.
    pub fn note(&mut self, elapsed: u64, what: &'static str, numbers: [u64; 3]) {
        self.steps += 1;
        let words = [what.len() as u64, u64::from(what.as_bytes()[0]), elapsed];
        for word in words.into_iter().chain(numbers) {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(Step { elapsed, what, numbers });
    }

    /// Two runs with the same hash took the same steps.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { elapsed, what, numbers: [a, b, c] } in &self.last {
            writeln!(f, "{elapsed:>10} ms  {what:<28} {a} {b} {c}")?;
        }
        write!(f, "{} steps, trace {:016x}", self.steps, self.hash)
    }
}
