//! A simulation of the whole router: its decisions, those of its shards and subscribers, and the model of the store,
//! driven in one thread by a clock and a chance of its own.
//!
//! Callers subscribe, pause, rotate, emit and replay at random; receivers fail, hang and ask for patience; the process
//! is killed, its parts panic, commits fail, messages come late, the wall clock is set. An oracle that knows the promises
//! watches every step. Whatever happens follows from the seed: one that fails replays exactly.
//!
//! `HOOKYARD_SIM_SEEDS=N` runs as many seeds, `HOOKYARD_SIM_SEED=N` that one.

mod actors;
mod faults;
mod hands;
mod mail;
mod oracle;
mod receivers;
mod rules;
mod trace;
mod wishes;
mod world;
mod writer;

use self::world::World;

/// Rough times in a seed, each followed by a calm in which all must come to an end.
const ROUNDS: usize = 3;
/// Steps of a rough time.
const STEPS: u64 = 1_500;
/// Steps in which a calm must come to an end, however much waits.
const CALM_STEPS: u64 = 300_000;

const HOUR_MS: u64 = 3_600_000;

/// What became of a run.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    steps: u64,
    requests: u64,
    hash: u64,
}

/// Runs a seed.
fn run(seed: u64) -> Ran {
    let mut world = World::new(seed);
    for _ in 0..ROUNDS {
        let until = world.trace.steps + STEPS;
        while world.trace.steps < until {
            world.step();
        }
        world.calm_down();
    }
    Ran { steps: world.trace.steps, requests: world.oracle.requests, hash: world.trace.hash() }
}

impl World {
    /// Lets everything come to an end: receivers are well, nobody wishes anything, nothing fails.
    fn calm_down(&mut self) {
        self.is_calm = true;
        self.moods.fill(receivers::Mood::Well);
        self.writer.is_to_fail = false;
        let until = self.trace.steps + CALM_STEPS;
        let mut limit = None;
        while !self.is_at_an_end() {
            self.step();
            if self.actors.current.is_some() {
                // An attempt in flight may still fail, and ask for an hour.
                let limit = *limit.get_or_insert_with(|| self.horizon().max(self.now()).0 + 2 * HOUR_MS);
                assert!(self.now().0 < limit, "broken promise: what is due comes to an end in time");
            }
            assert!(self.trace.steps < until, "broken promise: what is due comes to an end in a few steps");
        }
        self.oracle.reckon(&self.store);
        assert_eq!(self.credits.left(), self.credits.limit(), "broken promise: every credit returns");
        assert_eq!(self.slots.usage().in_use, 0, "broken promise: every slot returns");
        self.is_calm = false;
    }

    /// Whether nobody has anything to do.
    fn is_at_an_end(&self) -> bool {
        self.actors.current.is_some()
            && self.actors.subscribers.is_empty()
            && self.mail.is_empty()
            && self.writer.is_at_rest()
            && self.readers.is_empty()
            && self.flying.is_empty()
            && self.callers.is_quiet()
            && self.later_is_idle()
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn no_promise_is_broken_whatever_happens() {
    let seeds: Vec<u64> = match from_environment("HOOKYARD_SIM_SEED") {
        Some(seed) => vec![seed],
        None => {
            let base: u64 = rand::random::<u32>().into();
            let count = from_environment("HOOKYARD_SIM_SEEDS").unwrap_or(400);
            println!("seeds 0 to {} and {base} to {}", count / 2 - 1, base + count / 2 - 1);
            (0..count / 2).chain(base..base + count / 2).collect()
        }
    };
    let began = std::time::Instant::now();
    let (mut steps, mut requests) = (0, 0);
    for seed in seeds {
        let ran = run(seed);
        steps += ran.steps;
        requests += ran.requests;
    }
    println!("{steps} steps and {requests} requests in {:?}", began.elapsed());
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..5 {
        let (mut one, mut other) = (World::new(seed), World::new(seed));
        while one.trace.steps < STEPS {
            one.step();
            other.step();
            assert_eq!(one.trace.hash(), other.trace.hash(), "\n{}\n\n{}", one.trace, other.trace);
        }
        assert_eq!(run(seed), run(seed));
    }
}
