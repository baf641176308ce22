//! Reconciling what is found after a power cut with what was answered before it, by number.

use std::collections::{BTreeMap, HashMap};

use hookyard::hookyard::DeliveryStatus;

use super::fact::{Fact, Noted, State};
use super::found::{Delivery, Found};

/// What was known, in the order of time.
#[derive(Default)]
pub struct Books {
    hooks: BTreeMap<String, Vec<Wish>>,
    receipts: Vec<Receipt>,
    /// When a receiver first had an event and answered 2xx.
    arrivals: HashMap<(String, String), usize>,
    keys: BTreeMap<String, Key>,
    pub admin_key: Option<(usize, String)>,
}

/// A state that was wished for a hook.
struct Wish {
    wished: usize,
    answered: Option<usize>,
    state: State,
}

struct Receipt {
    position: usize,
    event: String,
    hooks: Vec<String>,
}

#[derive(Default)]
struct Key {
    made: usize,
    to_be_deleted: Option<usize>,
    deleted: Option<usize>,
}

/// What was compared, by what it was found to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub images: usize,
    pub hooks: usize,
    pub gone: usize,
    pub keys: usize,
    pub pending: usize,
    pub delivered: usize,
    pub dead: usize,
    /// Events that retention has let go of.
    pub expired: usize,
    pub attempts: usize,
}

impl Books {
    pub fn new(facts: &[Noted]) -> Self {
        let mut books = Self::default();
        for Noted { position, fact } in facts {
            books.add(*position, fact);
        }
        books
    }

    fn add(&mut self, position: usize, fact: &Fact) {
        match fact {
            Fact::Wished { hook, state } => {
                let wish = Wish { wished: position, answered: None, state: state.clone() };
                self.hooks.entry(hook.clone()).or_default().push(wish);
            }
            Fact::Answered { hook, state } => {
                let wishes = self.hooks.entry(hook.clone()).or_default();
                let wish = wishes.iter_mut().rfind(|wish| wish.state == *state);
                wish.expect("what is answered was wished").answered = Some(position);
            }
            Fact::Receipt { event, hooks } => {
                self.receipts.push(Receipt { position, event: event.clone(), hooks: hooks.clone() });
            }
            Fact::Arrived { hook, event, status } => {
                if (200..300).contains(status) {
                    self.arrivals.entry((event.clone(), hook.clone())).or_insert(position);
                }
            }
            Fact::KeyMade { key } => self.keys.entry(key.clone()).or_default().made = position,
            Fact::KeyToBeDeleted { key } => {
                self.keys.entry(key.clone()).or_default().to_be_deleted = Some(position);
            }
            Fact::KeyDeleted { key } => self.keys.entry(key.clone()).or_default().deleted = Some(position),
            Fact::AdminKey { text } => self.admin_key = Some((position, text.clone())),
        }
    }

    /// The positions at which something was answered.
    pub fn answers(&self) -> Vec<usize> {
        let wishes = self.hooks.values().flatten().filter_map(|wish| wish.answered);
        wishes.chain(self.receipts.iter().map(|receipt| receipt.position)).collect()
    }

    /// Compares what is found after a power cut at `cut`; returns what is wrong, and counts what was compared.
    pub fn compare(&self, found: &Found, cut: usize, tally: &mut Tally) -> Vec<String> {
        let mut wrong = Vec::new();
        tally.images += 1;
        self.compare_hooks(found, cut, tally, &mut wrong);
        self.compare_keys(found, cut, tally, &mut wrong);
        self.compare_deliveries(found, cut, tally, &mut wrong);
        for ((event, hook), delivery) in &found.deliveries {
            if let Some(log) = &delivery.log {
                tally.attempts += log.len();
                // Retention lets go of the oldest; what is kept has no gap and goes up to the last.
                let whole = log.windows(2).all(|pair| pair[1] == pair[0] + 1)
                    && log.last().is_none_or(|last| *last == delivery.attempts);
                if !whole {
                    let attempts = delivery.attempts;
                    wrong.push(format!("{event} to {hook}: attempts {log:?} of {attempts}"));
                }
            }
        }
        wrong
    }

    fn compare_hooks(&self, found: &Found, cut: usize, tally: &mut Tally, wrong: &mut Vec<String>) {
        for (path, wishes) in &self.hooks {
            let last_answered = wishes.iter().rposition(|wish| wish.answered.is_some_and(|at| at <= cut));
            let possible: Vec<&State> = wishes[last_answered.unwrap_or(0)..]
                .iter()
                .filter(|wish| wish.wished <= cut)
                .map(|wish| &wish.state)
                .collect();
            let there = found.hooks.get(path);
            let may_be_gone = last_answered.is_none() || possible.contains(&&State::Gone);
            let fits = match there {
                None => may_be_gone,
                Some(hook) => possible.iter().any(|state| match state {
                    State::Gone => false,
                    State::Subscribed { status, secret } => {
                        *status == hook.status && hook.secret.as_ref().is_none_or(|known| known == secret)
                    }
                }),
            };
            if !fits {
                wrong.push(format!("hook {path} is {there:?}, and could be {possible:?}"));
            }
            match there {
                Some(_) => tally.hooks += 1,
                None => tally.gone += usize::from(!possible.is_empty()),
            }
        }
        for path in found.hooks.keys().filter(|path| !self.hooks.contains_key(*path)) {
            wrong.push(format!("hook {path} was never made"));
        }
    }

    fn compare_keys(&self, found: &Found, cut: usize, tally: &mut Tally, wrong: &mut Vec<String>) {
        for (id, key) in self.keys.iter().filter(|(_, key)| key.made <= cut) {
            tally.keys += 1;
            let has_to_be = key.to_be_deleted.is_none_or(|at| at > cut);
            let has_to_go = key.deleted.is_some_and(|at| at <= cut);
            match found.keys.contains(id) {
                true if has_to_go => wrong.push(format!("key {id} was deleted and is back")),
                false if has_to_be => wrong.push(format!("key {id} is lost")),
                _ => {}
            }
        }
    }

    fn compare_deliveries(&self, found: &Found, cut: usize, tally: &mut Tally, wrong: &mut Vec<String>) {
        for receipt in self.receipts.iter().filter(|receipt| receipt.position <= cut) {
            for hook in receipt.hooks.iter().filter(|hook| !self.may_be_gone(hook, cut)) {
                let key = (receipt.event.clone(), hook.clone());
                let arrived = self.arrivals.get(&key).is_some_and(|at| *at <= cut);
                let given_up = self.may_be_given_up(hook, cut);
                let fits = match found.deliveries.get(&key) {
                    Some(Delivery { status: DeliveryStatus::Pending, .. }) => {
                        tally.pending += 1;
                        true
                    }
                    Some(Delivery { status: DeliveryStatus::Delivered, .. }) => {
                        tally.delivered += 1;
                        arrived
                    }
                    Some(Delivery { status: DeliveryStatus::Dead, .. }) => {
                        tally.dead += 1;
                        given_up
                    }
                    None => {
                        // Dead letters expire, and not by age alone: an older event stays that had something to be
                        // delivered yet when retention passed.
                        tally.expired += 1;
                        arrived || given_up
                    }
                };
                if !fits {
                    let there = found.deliveries.get(&key);
                    wrong.push(format!("{} to {hook} is {there:?}; arrived: {arrived}", receipt.event));
                }
            }
        }
    }

    fn may_be_gone(&self, hook: &str, cut: usize) -> bool {
        self.was_wished(hook, cut, |state| *state == State::Gone)
    }

    fn may_be_given_up(&self, hook: &str, cut: usize) -> bool {
        self.was_wished(
            hook,
            cut,
            |state| matches!(state, State::Subscribed { status, .. } if status == "deactivated"),
        )
    }

    fn was_wished(&self, hook: &str, cut: usize, which: impl Fn(&State) -> bool) -> bool {
        let wishes = self.hooks.get(hook).into_iter().flatten();
        wishes.filter(|wish| wish.wished <= cut).any(|wish| which(&wish.state))
    }
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.images += other.images;
        self.hooks += other.hooks;
        self.gone += other.gone;
        self.keys += other.keys;
        self.pending += other.pending;
        self.delivered += other.delivered;
        self.dead += other.dead;
        self.expired += other.expired;
        self.attempts += other.attempts;
    }

    /// Sees that there was enough to lose.
    pub fn assert_that_all_kinds_were_met(&self) {
        let Self { images, hooks, gone, keys, pending, delivered, dead, expired, attempts } = *self;
        let met = [images, hooks, gone, keys, pending, delivered, dead, expired, attempts];
        assert!(met.iter().all(|count| *count > 0), "{self:?}");
    }
}
