//! SIGKILL at any moment of a busy life, again and again: afterwards everything is accounted for, by number.
//!
//! Emitters and keepers of hooks make their calls, receivers of all tempers answer, and the server is killed at random
//! moments, sometimes while it starts. Every answer is kept. In the end what the answers promise is compared with what
//! arrived and with what the API shows.

mod answers;
mod attempts;
mod batches;
mod emitters;
mod far_side;
mod keepers;
mod reconciliation;
mod repeats;
mod secrets;
mod standing;

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::api::Api;
use crate::support::patience::{PATIENCE, POLL_INTERVAL};
use crate::support::server::Server;
use crate::support::settings::Settings;

use self::answers::{Clocks, Emission, Kill, Wish};
use self::emitters::Emitter;
use self::far_side::Temper;
use self::keepers::Keeper;
use self::reconciliation::Books;

/// How often the server is killed, unless `HOOKYARD_KILL_ROUNDS` says otherwise.
const ROUNDS: u64 = 50;
const EMITTERS: u64 = 3;
const IN_FLIGHT: usize = 4;
/// Logs of attempts that are read in the end, for each kill: each takes a while.
const LOGS_PER_KILL: usize = 8;
/// Attempts on a whole schedule: the first, and its three retries.
const ATTEMPTS: usize = 4;

/// One server, all who use it, and its kills so far.
struct Campaign {
    random: StdRng,
    server: Server,
    emitters: Vec<Emitter>,
    keepers: Vec<Keeper>,
    numbers: AtomicU64,
    kills: Vec<Kill>,
}

#[test]
fn nothing_is_lost_by_kills_at_any_moment() {
    let rounds = setting("HOOKYARD_KILL_ROUNDS").unwrap_or(ROUNDS);
    let seed = setting("HOOKYARD_KILL_SEED").unwrap_or_else(rand::random);
    println!("HOOKYARD_KILL_ROUNDS={rounds} HOOKYARD_KILL_SEED={seed}");
    let clocks = Clocks::now();
    let mut campaign = Campaign::begin(seed);
    for _ in 0..rounds {
        campaign.live_and_die();
    }
    campaign.settle();
    campaign.account(clocks);
    campaign.check_directory();
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

impl Campaign {
    fn begin(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let settings = Settings::quick()
            .set("delivery.max_in_flight", &IN_FLIGHT.to_string())
            .set("subscriber.window", "16")
            .set("subscriber.idle", r#""200ms""#);
        let server = Server::start_with(settings);
        let mut fork = || StdRng::seed_from_u64(random.random());
        let emitters = (0..EMITTERS).map(|_| Emitter::new(fork())).collect();
        let tempers = [
            (Temper::Steady, 2),
            (Temper::Slow, 1),
            (Temper::Flaky, 2),
            (Temper::Moody, 1),
            (Temper::Dead, 1),
        ];
        let keeper = |(temper, hooks)| Keeper::new(temper, hooks, seed, fork());
        let keepers = tempers.map(keeper).into();
        Self { random, server, emitters, keepers, numbers: AtomicU64::new(0), kills: Vec::new() }
    }

    /// One life under load, of random length, and how it ends.
    fn live_and_die(&mut self) {
        let life = match self.random.random_range(0..10) {
            0..2 => self.random.random_range(0..30),
            2..6 => self.random.random_range(30..400),
            _ => self.random.random_range(400..1_500),
        };
        let (api, dying) = (self.server.api(), AtomicBool::new(false));
        thread::scope(|scope| {
            for emitter in &mut self.emitters {
                scope.spawn(|| emitter.emit_until(&api, &dying, &self.numbers));
            }
            for keeper in &mut self.keepers {
                scope.spawn(|| keeper.keep_until(&api, &dying));
            }
            // The load is what this waits in, not for.
            thread::sleep(Duration::from_millis(life));
            dying.store(true, Ordering::SeqCst);
            let began = Instant::now();
            self.server.kill();
            self.kills.push(Kill { began, ended: Instant::now() });
        });
        while self.random.random_bool(0.25) {
            let began = Instant::now();
            self.server.restart_briefly(Duration::from_millis(self.random.random_range(0..300)));
            self.kills.push(Kill { began, ended: Instant::now() });
        }
        self.server.restart();
    }

    /// Lets everybody finish: what has no receipt gets one, receivers are mended, what is due is delivered.
    fn settle(&mut self) {
        let (api, alive) = (self.server.api(), AtomicBool::new(false));
        self.emitters.iter_mut().for_each(|emitter| emitter.finish(&api));
        for keeper in &mut self.keepers {
            keeper.far_side.mend();
            keeper.look(&api, &alive);
            keeper.ids.iter().flatten().for_each(|id| drain(&api, id));
            keeper.look(&api, &alive);
        }
    }

    fn account(&mut self, clocks: Clocks) {
        let api = self.server.api();
        let mut emissions: Vec<Emission> =
            self.emitters.iter_mut().flat_map(|emitter| std::mem::take(&mut emitter.emissions)).collect();
        emissions.sort_by_key(|emission| emission.number);
        let books = self.books(&api, &emissions, clocks);
        books.check_hooks();
        books.check_receipts();
        println!("{} events; before all hooks are brought back: {:?}", emissions.len(), books.reconcile());

        self.bring_back(&api);
        let books = self.books(&api, &emissions, clocks);
        let count = books.reconcile();
        assert_eq!((count.pending, count.dead), (0, 0), "{count:?}");
        for (hook, repeats) in books.account_for_requests() {
            println!("{hook}: {repeats:?}");
            assert!(repeats.by_kill.values().all(|lost| lost.early <= IN_FLIGHT), "{hook}: {repeats:?}");
        }
        let mut random = StdRng::seed_from_u64(self.numbers.load(Ordering::SeqCst));
        let logs = books.verify_attempts(LOGS_PER_KILL * books.kills.len(), &mut random);
        println!("afterwards: {count:?}; {logs} logs of attempts; {:?}", clocks.elapsed());
    }

    fn books<'a>(&'a self, api: &'a Api, emissions: &'a [Emission], clocks: Clocks) -> Books<'a> {
        Books { api, keepers: &self.keepers, emissions, kills: &self.kills, clocks }
    }

    /// Has every hook deliver all that it has not.
    fn bring_back(&mut self, api: &Api) {
        let alive = AtomicBool::new(false);
        for keeper in &mut self.keepers {
            for place in 0..keeper.ids.len() {
                keeper.subscribe(place, true, api, &alive);
                keeper.call(place, Wish::Replay { all: false }, api, &alive);
            }
            keeper.ids.iter().flatten().for_each(|id| drain(api, id));
        }
    }

    fn check_directory(&mut self) {
        self.server.kill();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        let checked = command.arg("check").arg("--data-dir").arg(self.server.data_dir()).output();
        let checked = checked.expect("the binary is built");
        assert!(checked.status.success(), "{checked:?}");
    }
}

/// Waits until an active hook has nothing to deliver, for as long as it gets less.
fn drain(api: &Api, id: &str) {
    let (mut least, mut since) = (u64::MAX, Instant::now());
    loop {
        let hook = api.hook(id);
        let pending = hook.pending.expect("it is shown");
        if pending == 0 || hook.status != "active" {
            return;
        }
        if pending < least {
            (least, since) = (pending, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{pending} deliveries stay pending: {hook:?}");
        thread::sleep(POLL_INTERVAL);
    }
}
