//! Dead hooks: one whose receiver is dead for its whole schedule while many events wait is asked a handful of times. When
//! it is back, its backlog comes slowly at first and in order of age, through a kill, and holds up nobody.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use crate::support::api::{Api, Hook};
use crate::support::patience::{PATIENCE, until};
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// Requests to one hook at a time.
const IN_FLIGHT: usize = 8;
/// How many events come before it is clear that the hook is dead.
const FIRST: usize = 40;
/// The failures in a row after which it is probed (`health.probe_after`).
const PROBE_AFTER: usize = 5;
/// The attempts of a schedule.
const ATTEMPTS: usize = 4;

/// A toll gate: who passes takes a permit, or waits for one.
#[derive(Clone, Default)]
struct Toll(Arc<(Mutex<usize>, Condvar)>);

impl Toll {
    fn permit(&self, more: usize) {
        *self.0.0.lock().expect("nobody panics at the gate") += more;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let permits = self.0.0.lock().expect("nobody panics at the gate");
        let waited = self.0.1.wait_timeout_while(permits, 6 * PATIENCE, |permits| *permits == 0);
        let (mut permits, _) = waited.expect("nobody panics at the gate");
        *permits = permits.saturating_sub(1);
    }
}

/// A hook that is dead or back, and what waits for it.
struct Revenant {
    server: Server,
    receiver: Receiver,
    hook: Hook,
    is_back: Arc<AtomicBool>,
    /// Lets the last attempt of the schedule fail.
    last: Toll,
    /// Lets answers through once it is back.
    answers: Toll,
    events: usize,
}

impl Revenant {
    /// A dead hook for which so many events wait; the last attempt of the oldest hangs meanwhile, and the server is
    /// killed in the middle of it.
    fn dead(waiting: usize) -> Self {
        let settings = Settings::quick()
            .set("delivery.max_in_flight", &IN_FLIGHT.to_string())
            .set("delivery.timeout", r#""5m""#);
        let mut server = Server::start_with(settings);
        let (is_back, last, answers) = (Arc::new(AtomicBool::new(false)), Toll::default(), Toll::default());
        let receiver = receiver(&is_back, &last, &answers);
        let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
        emit(&server.api(), 0..FIRST);
        wait_for_attempts(&receiver, ATTEMPTS);
        emit(&server.api(), FIRST..FIRST + waiting / 2);
        server.kill();
        server.restart();
        wait_for_attempts(&receiver, ATTEMPTS + 1);
        emit(&server.api(), FIRST + waiting / 2..FIRST + waiting);
        Self { server, receiver, hook, is_back, last, answers, events: FIRST + waiting }
    }

    fn api(&self) -> Api {
        self.server.api()
    }

    /// Lets the last attempt fail, and waits until the hook is given up.
    fn give_up(&self) {
        self.last.permit(usize::MAX / 2);
        let given_up = |hook: &Hook| hook.status == "deactivated";
        let hook = self.api().wait_for_hook(&self.hook.id, "it is given up", given_up);
        assert_eq!(hook.dead, Some(self.events as u64));
    }

    /// Subscribes it again, with all that is parked.
    fn come_back(&self) {
        self.is_back.store(true, Ordering::Relaxed);
        let wish = json!({"url": self.hook.url, "event": self.hook.event, "replay": true});
        assert_eq!(self.api().subscribing(&wish).status, 201);
    }

    /// Waits until so many wait and are not answered yet.
    fn wait_until_pending(&self, count: usize) {
        let pending = |hook: &Hook| hook.pending == Some(count as u64);
        self.api().wait_for_hook(&self.hook.id, "what was answered is settled", pending);
    }

    /// Waits for so many requests, for as long as they come.
    fn wait_for(&self, count: usize) {
        while self.receiver.count() < count {
            let before = self.receiver.count();
            until("another request comes", || self.receiver.count() > before);
        }
    }
}

/// A receiver that answers 500 while it is dead, to the last attempt of the oldest event only when it is let; once it is
/// back it answers 200, as it is let.
fn receiver(is_back: &Arc<AtomicBool>, last: &Toll, answers: &Toll) -> Receiver {
    let (is_back, last, answers) = (is_back.clone(), last.clone(), answers.clone());
    let attempts = AtomicUsize::new(0);
    Receiver::answering_with(move |request| {
        if is_back.load(Ordering::Relaxed) {
            answers.pass();
            return 200;
        }
        if number(request) == 0 && attempts.fetch_add(1, Ordering::Relaxed) + 1 >= ATTEMPTS {
            last.pass();
        }
        500
    })
}

fn wait_for_attempts(receiver: &Receiver, attempts: usize) {
    receiver.wait_until("the oldest was attempted", |requests| {
        requests.iter().filter(|request| number(request) == 0).count() >= attempts
    });
}

fn number(request: &Received) -> usize {
    request.data().as_u64().expect("a number") as usize
}

/// Emits events with these numbers.
fn emit(api: &Api, mut numbers: Range<usize>) {
    while !numbers.is_empty() {
        let next = (numbers.start + 1000).min(numbers.end);
        let batch: Vec<Value> =
            (numbers.start..next).map(|n| json!({"event": "new_lead", "data": n})).collect();
        api.emit_all(&batch);
        numbers.start = next;
    }
}

/// Asserts that each of these was sent when all older ones had been, but for those in flight with it.
fn assert_in_order(requests: &[Received]) {
    let mut by_age: Vec<usize> = requests.iter().map(number).collect();
    by_age.sort_unstable();
    for (before, number) in requests.iter().map(number).enumerate() {
        let older = by_age.partition_point(|other| *other < number);
        assert!(older < before + IN_FLIGHT, "{number} was the {before}th to come, with {older} older ones");
    }
}

/// The whole life of a dead hook for which so many events wait.
fn live_and_return(waiting: usize) {
    let mut hook = Revenant::dead(waiting);
    hook.give_up();
    let asked = hook.receiver.count();
    assert!(asked <= IN_FLIGHT + PROBE_AFTER + ATTEMPTS, "a dead hook had {asked} requests");
    let healthy = Receiver::answering([200]);
    hook.api().subscribe(&healthy.url("/"), "new_message");

    hook.come_back();
    let mut answered = 0;
    for wave in [1, 2, 4, IN_FLIGHT] {
        hook.receiver.wait_for(asked + answered + wave);
        hook.wait_until_pending(hook.events - answered);
        assert_eq!(hook.receiver.count() - asked, answered + wave, "it opens slowly");
        if wave < IN_FLIGHT {
            hook.answers.permit(wave);
            answered += wave;
        }
    }
    // All requests that it may have in flight hang.
    (0..20).for_each(|n| drop(hook.api().emit("new_message", &json!(n))));
    healthy.wait_for(20);

    hook.answers.permit(waiting / 2);
    answered += waiting / 2;
    hook.wait_for(asked + answered + IN_FLIGHT);
    hook.wait_until_pending(hook.events - answered);
    hook.server.kill();
    let before = hook.receiver.count();
    hook.answers.permit(usize::MAX / 2);
    hook.server.restart();
    hook.wait_for(before + hook.events - answered);
    hook.wait_until_pending(0);

    let requests = hook.receiver.requests();
    assert_in_order(&requests[asked..before]);
    assert_in_order(&requests[before..]);
    let mut arrived: Vec<usize> = requests[asked..].iter().map(number).collect();
    arrived.sort_unstable();
    arrived.dedup();
    assert!(arrived.into_iter().eq(0..hook.events), "some never came");
    let repeated = requests.len() - asked - hook.events;
    assert!(repeated <= IN_FLIGHT, "{repeated} were repeated that were not in flight at the kill");
}

#[test]
fn a_dead_hook_is_asked_a_handful_of_times_and_gets_its_backlog_when_it_is_back() {
    live_and_return(3_000);
}

/// The same with as many as it takes to believe it: a minute or more.
#[test]
#[ignore = "it takes minutes: cargo test --test it a_hundred_thousand -- --ignored"]
fn a_hundred_thousand_events_wait_for_a_dead_hook_and_all_come() {
    live_and_return(100_000);
}
