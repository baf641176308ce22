//! The conformance suite: random verbs, with crashes between them, against a backend and the model at once.
//!
//! Whatever a backend keeps where, it must answer like the plain sets of the model. A crash forgets all that is in
//! memory alone; the conversation goes on from what recovery finds. Since the two agree on every delivery that is not
//! settled, nothing is lost, and nothing but what was in flight is attempted again.

mod expiring;

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::{DeliveryStatus, NEWEST, Order, Period, Topics};
use super::memory::{Memory, Pending};
use super::*;
use crate::account::{self, AccountId, KeyHash, Scope};
use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::event::{Body, Draft, Idempotency, IdempotencyKey, Labels};
use crate::event_type::{Declaration, EventType, HOOK_DEACTIVATED};
use crate::filter::{Channel, Filter};
use crate::health::Stage;
use crate::id::{KeyId, Seal};
use crate::store::ledger::checking::{Invariant, check_store};
use crate::store::ledger::hours;
use crate::store::ledger::{Durability, Ledger, Policy, SCHEMA_VERSION};
use crate::subscription::client_certificate::examples::one;
use crate::subscription::{self, CustomHeaders, DeliveryPolicy, Envelope, Match, Matches, Profile, Secret};

use self::expiring::Expiring;

const SEEDS: u64 = 2_000;
const STEPS: usize = 40;
/// So many pending deliveries make a backlog deep.
const DEEP: u64 = 2;

/// A conversation with a backend and the model, of which every answer is compared.
struct Conversation {
    random: StdRng,
    model: Memory,
    now: Timestamp,
    seal: Seal,
    subscriptions: u64,
    expiring: Expiring,
    /// How many commits the backend says there are.
    commits: u64,
    /// A replay that was read, and is asked for when another was.
    read: Option<Replay>,
}

#[test]
fn the_ledger_answers_like_the_model_whatever_happens() {
    let only: Option<u64> = std::env::var("SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds: Vec<u64> = only.map_or((0..SEEDS).collect(), |seed| vec![seed]);
    std::thread::scope(|scope| {
        for share in seeds.chunks(seeds.len().div_ceil(2)) {
            scope.spawn(|| share.iter().for_each(|seed| converse(*seed)));
        }
    });
}

fn converse(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let policy = expiring::policy(seed);
    let open = || Ledger::open(directory.path(), Durability::FlushOnly, policy).unwrap();
    let mut ledger = open();
    let mut conversation = Conversation::begin(seed, policy, &mut ledger);
    for step in 0..STEPS {
        let here = format!("seed {seed}, step {step}");
        match conversation.random.random_range(0..20) {
            0 | 1 => conversation.crash(&mut ledger, &here),
            2 | 3 => conversation.idle(&mut ledger, &here),
            4 if seed.is_multiple_of(20) => {
                match conversation.random.random() {
                    true => ledger.abandon(),
                    false => drop(ledger),
                }
                ledger = open();
                conversation.expiring.restart();
                conversation.crash(&mut ledger, &here);
            }
            _ => conversation.exchange(&mut ledger, &here),
        }
        conversation.compare(&*ledger.reader(), &here);
    }
    if seed.is_multiple_of(20) {
        drop(ledger);
        let mut found = Vec::new();
        check_store(directory.path(), &mut |violation| found.push(violation)).unwrap();
        // Nobody made the accounts of this conversation.
        found.retain(|violation| violation.invariant != Invariant::AccountsExist);
        assert_eq!(found, [], "seed {seed}");
    }
}

impl Conversation {
    fn begin(seed: u64, policy: Policy, backend: &mut impl Backend) -> Self {
        let recovery = backend.recover(&mut |_| panic!("a new store has no subscriptions")).unwrap();
        Self {
            random: StdRng::seed_from_u64(seed),
            model: Memory::default(),
            now: Timestamp::now(),
            seal: Seal::new(&recovery.seal),
            subscriptions: 0,
            expiring: Expiring::by(policy),
            commits: 0,
            read: None,
        }
    }

    /// Everything that is in memory alone is gone.
    fn crash(&mut self, backend: &mut Ledger, here: &str) {
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        let mut recovery = backend.recover(&mut |one| found.push(one)).unwrap();
        let mut model = self.model.recover(&mut |one| expected.push(one)).unwrap();
        assert_eq!(found, expected, "{here}: subscriptions");
        recovery.waiting.sort();
        model.waiting.sort();
        assert_eq!(recovery.waiting, model.waiting, "{here}: waiting");
        assert_eq!(recovery.next_subscription, model.next_subscription, "{here}: next subscription");
        self.see_forgotten_attempts(backend, here);
        self.see_forgotten_replays(backend, here);
    }

    fn idle(&mut self, backend: &mut Ledger, here: &str) {
        self.now.0 += self.random.random_range(0..15_000);
        if self.random.random_range(0..16) == 0 {
            self.now.0 += 27 * 3_600_000;
        }
        let thorough = self.random.random_range(0..3) == 0;
        self.expiring.look(backend);
        for _ in 0..if thorough { usize::MAX } else { self.random.random_range(1..20) } {
            if backend.tidy(self.now.into()).unwrap() == Untidy::Nothing {
                break;
            }
        }
        if thorough {
            // A pass that was under way has ended; the next one sees all there is.
            while backend.tidy(self.now.into()).unwrap() != Untidy::Nothing {}
        }
        self.see_expired(backend, thorough, here);
    }

    fn exchange(&mut self, backend: &mut impl Backend, here: &str) {
        self.now.0 += self.random.random_range(0..5_000);
        self.commits = backend.reader().commits();
        let verbs: Vec<Verb> = (0..self.random.random_range(1..6)).map(|_| self.verb()).collect();
        let said = format!("{here}: {verbs:?}");
        let ours = backend.commit(verbs.clone(), self.now.into()).unwrap();
        let expected = self.model.commit(verbs, self.now.into()).unwrap();
        let comparable = |answers: &[Answer]| answers.iter().map(comparable).collect::<Vec<_>>();
        assert_eq!(comparable(&ours.answers), comparable(&expected.answers), "{said}");
        let numbers = |events: &[Arc<Recorded>]| events.iter().map(|event| event.no).collect::<Vec<_>>();
        assert_eq!(numbers(&ours.fresh), numbers(&expected.fresh), "{said}");
    }

    fn verb(&mut self) -> Verb {
        let at = self.some_address();
        match self.random.random_range(0..28) {
            0..8 => {
                let drafts = (0..self.random.random_range(1..4)).map(|_| self.draft()).collect();
                Verb::Append(drafts)
            }
            8..14 => self.settle(),
            14 | 15 => self.subscribe(),
            16 => Verb::Unsubscribe(at),
            17 => Verb::Change(at, Change::Deactivate { reason: "gone".into() }),
            18 => {
                Verb::Change(at, Change::Reactivate { replay: self.random.random(), headers: self.headers() })
            }
            19 if self.random.random() => Verb::Change(at, Change::Pause),
            20 if self.random.random() => {
                Verb::Change(at, Change::SetHeaders(self.headers().unwrap_or_default()))
            }
            19 => Verb::Change(at, Change::Resume),
            20 => Verb::Look(at),
            25 => Verb::Find(IdempotencyKey([self.random.random_range(0..5); 16])),
            21 => Verb::Change(at, Change::Replay),
            22 | 23 => self.replay(),
            24 if self.random.random() => self.edit(at),
            24 => self.rotate(),
            27 => self.expunge(),
            _ => self.about_accounts(),
        }
    }

    fn replay(&mut self) -> Verb {
        let at = self.some_address();
        let events = (0..self.random.random_range(1..4)).map(|_| {
            // One that is recorded in the same batch cannot be named yet.
            let event = EventNo(self.random.random_range(0..30));
            let is_recorded = self.model.event(event).unwrap().is_some();
            let event = if is_recorded { event } else { EventNo(u64::MAX) };
            let known = self.model.delivery(at, event).unwrap().map_or(0, |delivery| delivery.attempts);
            let attempts = self.model.attempts(event).unwrap();
            (event, attempts.get(&at.subscription).map_or(known, |attempts| known.max(*attempts)))
        });
        let replay = Replay { at, events: events.collect(), read_at: self.commits };
        Verb::Replay(self.read.replace(replay.clone()).unwrap_or(replay))
    }

    fn expunge(&mut self) -> Verb {
        let event = EventNo(self.random.random_range(0..30));
        // One that is recorded in the same batch cannot be named yet.
        let is_recorded = self.model.event(event).unwrap().is_some();
        let event = if is_recorded { event } else { EventNo(u64::MAX) };
        let replayed = self.model.replays(event).unwrap();
        let unless_awaited = self.random.random();
        Verb::Expunge(Expunge { event, replayed, read_at: self.commits, unless_awaited })
    }

    fn rotate(&mut self) -> Verb {
        let (at, sibling) = (self.some_address(), self.some_address().subscription);
        let (siblings, overlap_until) = (vec![sibling], self.now.after(Duration::from_secs(60)));
        let (secret, kept) = (Secret::generate(), self.random.random_range(1..4));
        Verb::Rotate(Box::new(Rotation { at, siblings, secret, overlap_until, kept }))
    }

    fn about_accounts(&mut self) -> Verb {
        let hash = KeyHash([self.random.random_range(0..3); 32]);
        let id: AccountId = format!("account-{}", self.random.random_range(0..3)).parse().unwrap();
        match self.random.random_range(0..8) {
            6 => Verb::DeleteEventType(self.event_type()),
            7 => Verb::PutEventType(Box::new(Declaration {
                name: self.event_type(),
                description: format!("made at {}", self.now.0),
                schemas: self.random.random::<bool>().then(|| r#"{"1":{"type":"object"}}"#.into()),
                feature_flag: self.random.random::<bool>().then(|| "beta".to_owned()),
                archived: self.random.random(),
                deprecated: self.random.random(),
                created_at: self.now,
                updated_at: self.now,
            })),
            0 | 1 => Verb::CreateAccount(Box::new(NewAccount { profile: account::Profile::of(&id), id })),
            2 => Verb::DeleteAccount(id),
            3 => {
                let mut known = self.model.accounts().unwrap();
                let Some(mut account) = known.pop() else { return Verb::DeleteAccount(id) };
                account.profile.name = format!("name {}", self.now.0);
                let seconds = self.random.random_range(0..60);
                account.profile.retention =
                    Duration::from_secs(seconds).try_into().ok().filter(|_| seconds < 40);
                account.updated_at = self.now;
                Verb::PutAccount(Box::new(account))
            }
            4 => Verb::DeleteKey(hash),
            _ => Verb::PutKey(Box::new(ApiKey {
                id: KeyId::from_bytes([self.random.random(); 20]),
                hash,
                account: AccountNo(1),
                scopes: vec![Scope::Hooks, Scope::Events],
                name: "name".into(),
                created_at: self.now,
                last_used_at: self.random.random::<bool>().then_some(self.now),
            })),
        }
    }

    fn edit(&mut self, at: Address) -> Verb {
        let description = format!("edited at {}", self.now.0);
        let uid = self.random.random::<bool>().then(|| format!("uid-{}", at.subscription.0).parse().unwrap());
        let condition = self.random.random::<bool>().then(|| "@ == 1".parse().unwrap());
        let ordering = match self.random.random() {
            true => subscription::Ordering::Fifo,
            false => subscription::Ordering::None,
        };
        Verb::Change(
            at,
            Change::Edit(Box::new(Edit {
                // Of no other: two that want the same may not be.
                url: format!("https://example.com/{}/edited", at.subscription.0).parse().unwrap(),
                filter: Filter::new(None, vec!["a".parse().unwrap()]),
                condition,
                profile: Profile { uid, description, ..Profile::default() },
                delivery: DeliveryPolicy { ordering, ..DeliveryPolicy::default() },
                client_certificate: self.random.random::<bool>().then(one),
                moved: true,
            })),
        )
    }

    fn event_type(&mut self) -> EventType {
        format!("type {}", self.random.random_range(0..3)).parse().unwrap()
    }

    fn some_address(&mut self) -> Address {
        let no = self.random.random_range(0..self.subscriptions + 2);
        self.address(no)
    }

    /// Headers for a subscription, or none.
    fn headers(&mut self) -> Option<CustomHeaders> {
        let value = self.random.random_range(0..3_u32);
        let given = [("authorization".to_owned(), format!("Bearer {value}"))];
        (value > 0).then(|| CustomHeaders::new(given, "").unwrap())
    }

    /// Labels for an event, or none.
    fn labels(&mut self) -> Option<Box<Labels>> {
        let channels =
            ["a", "b"].into_iter().filter(|_| self.random.random()).map(|name| name.parse().unwrap());
        let channels: Vec<Channel> = channels.collect();
        let uid = self.random.random::<bool>().then(|| "order-7".parse().unwrap());
        (!channels.is_empty()).then(|| Box::new(Labels { uid, channels, request: None, trace: None }))
    }

    fn address(&self, no: u64) -> Address {
        Address { account: AccountNo(1 + (no % 2) as u32), subscription: SubscriptionNo(no) }
    }

    fn subscribe(&mut self) -> Verb {
        self.subscriptions += 1;
        let no = self.subscriptions;
        let Address { account, subscription } = self.address(no);
        let sibling = self.random.random::<bool>().then(|| self.random.random_range(0..no + 1));
        Verb::Subscribe(Box::new(NewSubscription {
            subscription: Subscription {
                no: subscription,
                id: self.seal.close(no, self.random.random()),
                account,
                url: format!("https://example.com/{no}").parse().unwrap(),
                filter: Filter::one("new_lead".parse().unwrap()),
                condition: None,
                secret: Secret::generate(),
                envelope: Envelope::Documented,
                previous_secrets: Vec::new(),
                headers: CustomHeaders::default(),
                client_certificate: None,
                status: crate::subscription::Status::Active,
                generation: Generation(0),
                floor: Generation(0),
                profile: Profile::default(),
                delivery: DeliveryPolicy::default(),
                created_at: self.now,
                updated_at: self.now,
            },
            sibling: sibling.map(SubscriptionNo),
        }))
    }

    fn draft(&mut self) -> (Draft, Matches) {
        let account = AccountNo(self.random.random_range(1..3));
        let matches = (1..=self.subscriptions).filter_map(|no| {
            let subscription = self.model.subscription(self.address(no)).unwrap()?;
            let matched = subscription.account == account && subscription.is_live(subscription.generation);
            let wanted = matched && self.random.random_range(0..3) > 0;
            wanted.then_some(Match { subscription: subscription.no, generation: subscription.generation })
        });
        let matches: Matches = Arc::new(matches.collect());
        let own = self.random.random_range(0..8) == 0;
        let event_type = if own { HOOK_DEACTIVATED } else { "new_lead" }.parse().unwrap();
        let size = *[1, 10, 300, 3_000, 9_000, 40_000].iter().choose(&mut self.random).unwrap();
        let key = self.random.random_range(0..30u8);
        let (keyed, given) = (key < 6, self.random.random());
        let data = if keyed { format!("{}", key / 2) } else { format!("\"{}\"", "a".repeat(size)) };
        let draft = Draft {
            account,
            body: Body::build(&event_type, "2025-01-15T10:30:00Z", data.as_bytes()),
            event_type,
            accepted_at: self.now,
            idempotency: keyed
                .then_some(Idempotency { key: IdempotencyKey([key % 4; 16]), timestamp_given: given }),
            labels: self.labels(),
            only: None,
        };
        (draft, matches)
    }

    fn settle(&mut self) -> Verb {
        let pending = self.model.pending();
        let some = pending.into_iter().choose(&mut self.random);
        let ((subscription, event), was) = some.unwrap_or_else(|| {
            let nothing = Pending::First { generation: Generation(0) };
            ((SubscriptionNo(1), EventNo(u64::MAX)), nothing)
        });
        let (n, generation) = match was {
            Pending::First { generation } => (1, generation),
            Pending::Retry(retry) => (retry.attempts + 1, retry.generation),
        };
        let done = self.random.random_range(0..3) > 0;
        let due = self.now.after(Duration::from_millis(self.random.random_range(0..60_000)));
        let failed = Outcome::Failed(ErrorKind::Timeout);
        Verb::Settle(Settlement {
            at: self.address(subscription.0),
            event,
            generation,
            attempt: Attempt {
                n,
                at: self.now,
                asked: self.random.random(),
                outcome: if done { Outcome::Answered { status: 200, retry_after: None } } else { failed },
                duration_ms: 3,
                response: vec![b'x'; self.random.random_range(0..200)].into(),
            },
            follows: match (done, self.random.random_range(0..4)) {
                (true, _) => Follows::Done,
                (false, 0) => Follows::GivenUp,
                (false, _) => Follows::Retry { due, retries: n },
            },
            health: self.random.random::<bool>().then(|| self.health()),
        })
    }

    fn health(&mut self) -> Health {
        let failures = self.random.random_range(0..3);
        let stages = [Stage::Healthy { failures }, Stage::Probing, Stage::Opening { allowance: 1, failures }];
        let stage = *stages.iter().choose(&mut self.random).unwrap();
        let mut moment = || self.random.random::<bool>().then_some(self.now);
        Health { stage, hold_until: moment(), failing_since: moment() }
    }

    fn compare(&mut self, reader: &dyn Reader, here: &str) {
        for account in [AccountNo(1), AccountNo(2)] {
            let order = if self.random.random() { Order::Ascending } else { Order::Descending };
            let other = SubscriptionNo(self.random.random_range(0..self.subscriptions + 2));
            let behind = self.random.random::<bool>().then_some(other);
            let list = |reader: &dyn Reader| {
                let mut found = Vec::new();
                reader.subscriptions(account, order, behind, &mut |one| {
                    found.push(one);
                    found.len() < 5
                })?;
                Ok::<_, Error>(found)
            };
            assert_eq!(list(reader).unwrap(), list(&self.model).unwrap(), "{here}: list");
        }
        for no in 1..=self.subscriptions {
            let expected = self.model.subscription(self.address(no)).unwrap();
            assert_eq!(reader.subscription(self.address(no)).unwrap(), expected, "{here}: hook {no}");
            if let Some(subscription) = expected {
                self.compare_deliveries(reader, &subscription, here);
            }
        }
        let all = self.model.all_subscriptions();
        assert_eq!(reader.tallies(&all).unwrap(), self.model.tallies(&all).unwrap(), "{here}: tallies");
        let census = |reader: &dyn Reader| {
            let census = reader.census(self.now, DEEP, &|| true).unwrap();
            census.map(|mut census| {
                census.deep.sort();
                census
            })
        };
        assert_eq!(census(reader), census(&self.model), "{here}: census");
        assert_eq!(reader.accounts().unwrap(), self.model.accounts().unwrap(), "{here}: accounts");
        let types = |reader: &dyn Reader| reader.event_types().unwrap();
        assert_eq!(types(reader), types(&self.model), "{here}: event types");
        assert_eq!(reader.keys().unwrap(), self.model.keys().unwrap(), "{here}: keys");
        self.compare_lists(reader, here);
        let no = EventNo(self.random.random_range(0..40));
        let event = |reader: &dyn Reader| reader.event(no).unwrap().map(|event| summary(&event));
        assert_eq!(event(reader), event(&self.model), "{here}: event {}", no.0);
        self.compare_replays(reader, no, here);
    }

    /// Whoever an event waits for that it did not match is among those that it was replayed to.
    fn compare_replays(&self, reader: &dyn Reader, no: EventNo, here: &str) {
        let Some(event) = self.model.event(no).unwrap() else { return };
        let told = reader.replays(no).unwrap();
        for (of, _) in self.model.pending().into_keys().filter(|(_, waiting)| *waiting == no) {
            let matched = event.matches.iter().any(|matched| matched.subscription == of);
            assert!(matched || told.contains(&of), "{here}: event {} was replayed to {}", no.0, of.0);
        }
    }

    fn compare_lists(&mut self, reader: &dyn Reader, here: &str) {
        let account = AccountNo(self.random.random_range(1..3));
        let below = EventNo(self.random.random_range(0..40));
        let since = Timestamp(self.now.0 - self.random.random_range(0..100_000));
        let until = Timestamp(since.0 + self.random.random_range(0..100_000));
        let accepted = if self.random.random() { Period { since, until } } else { Period::ALWAYS };
        let limit = self.random.random_range(1..9);
        let topics = Topics {
            event_types: self
                .random
                .random::<bool>()
                .then(|| "new_lead".parse().unwrap())
                .into_iter()
                .collect(),
            channel: (self.random.random_range(0..4) == 0).then(|| "a".parse().unwrap()),
        };
        let above = EventNo(self.random.random_range(0..20) * self.random.random_range(0..2));
        let hide_own = self.random.random();
        let query = EventQuery { account, topics: topics.clone(), hide_own, accepted, above, below, limit };
        let events = |reader: &dyn Reader| {
            let Listed { items, more } = reader.events(&query).unwrap();
            (items.iter().map(|event| summary(event)).collect::<Vec<_>>(), more)
        };
        assert_eq!(events(reader), events(&self.model), "{here}: {query:?}");

        let subscription = self.some_address().subscription;
        let event = EventNo(self.random.random_range(1..30));
        let query = DeliveryQuery {
            account,
            subscription: self.random.random::<bool>().then_some(subscription),
            event: (self.random.random_range(0..4) == 0).then_some(event),
            topics,
            hide_own,
            status: DeliveryStatus::ALL.into_iter().chain([DeliveryStatus::Pending]).choose(&mut self.random),
            accepted,
            above,
            below: if self.random.random() { NEWEST } else { (below, subscription) },
            limit,
        };
        let query = DeliveryQuery { status: query.status.filter(|_| self.random.random()), ..query };
        let deliveries = |reader: &dyn Reader| {
            let Listed { items, more } = reader.deliveries(&query).unwrap();
            (items.into_iter().map(without_id).collect::<Vec<_>>(), more)
        };
        assert_eq!(deliveries(reader), deliveries(&self.model), "{here}: {query:?}");
        let at = self.some_address();
        let delivery = |reader: &dyn Reader| reader.delivery(at, event).unwrap().map(without_id);
        assert_eq!(delivery(reader), delivery(&self.model), "{here}: {at:?} {event:?}");
        let of_those_there = |reader: &dyn Reader| {
            let mut attempts = reader.attempts(event).unwrap();
            attempts.retain(|no, _| self.model.subscription(self.address(no.0)).unwrap().is_some());
            attempts
        };
        assert_eq!(of_those_there(reader), of_those_there(&self.model), "{here}: attempts of {event:?}");
    }

    fn compare_deliveries(&mut self, reader: &dyn Reader, subscription: &Subscription, here: &str) {
        let here = format!("{here}: hook {}", subscription.no.0);
        let (after, limit) = (EventNo(self.random.random_range(0..20)), self.random.random_range(1..9));
        let lane = if self.random.random() { Lane::Fresh } else { Lane::Replay };
        let backlog = |reader: &dyn Reader| {
            let backlog = reader.backlog(subscription, lane, after, limit).unwrap();
            let waiting: Vec<_> =
                backlog.waiting.iter().map(|(event, generation)| (summary(event), *generation)).collect();
            (waiting, backlog.through, backlog.more)
        };
        assert_eq!(backlog(reader), backlog(&self.model), "{here}: {lane:?} behind {} of {limit}", after.0);
        let retries = |reader: &dyn Reader| reader.retries(subscription, limit).unwrap();
        assert_eq!(retries(reader), retries(&self.model), "{here}: retries");
        let query = EventQuery {
            account: subscription.account,
            topics: Topics::default(),
            hide_own: false,
            accepted: Period::ALWAYS,
            above: EventNo(0),
            below: EventNo(u64::MAX),
            limit,
        };
        for missing in [false, true] {
            let replayable = |reader: &dyn Reader| reader.replayable(subscription, &query, missing).unwrap();
            assert_eq!(replayable(reader), replayable(&self.model), "{here}: replayable, missing {missing}");
        }
        // The model keeps them all by the hour.
        let AttemptCounts { hours: mut older, .. } = self.model.attempt_counts(subscription.no).unwrap();
        let newest = older.split_off(older.len().saturating_sub(hours::KEPT));
        let mut days: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for hour in older {
            let (attempts, successes) = days.entry(hour.hour / 24 * 24).or_default();
            (*attempts, *successes) = (*attempts + hour.attempts, *successes + hour.successes);
        }
        let days = days.into_iter().map(|(hour, (attempts, successes))| Hour { hour, attempts, successes });
        let days: Vec<Hour> = days.collect();
        let counts = reader.attempt_counts(subscription.no).unwrap();
        assert_eq!(counts.hours, newest, "{here}: hours");
        assert_eq!(counts.days, days[days.len().saturating_sub(hours::DAYS_KEPT)..], "{here}: days");
        let health = |reader: &dyn Reader| reader.health(subscription.no).unwrap();
        assert_eq!(health(reader), health(&self.model), "{here}: health");
    }
}

/// An event without what its store chose at random.
fn summary(event: &Recorded) -> Summary {
    (event.no, event.body.bytes.clone(), event.labels.clone(), event.matches.clone())
}

type Summary = (EventNo, bytes::Bytes, Option<Box<Labels>>, Matches);

/// A delivery without what its store chose at random.
fn without_id(mut delivery: Delivery) -> Delivery {
    delivery.event.id = Seal::new(&[0; 32]).close(delivery.event.no.0, [0; 12]);
    delivery
}

#[derive(Debug, PartialEq)]
enum Comparable {
    Appended(Vec<(Summary, Duplicate)>),
    Conflict,
    Subscription(Option<Box<Subscription>>),
    Account(Account, bool),
    Replayed(usize),
    Event(Option<Summary>),
    Expunged(Vec<SubscriptionNo>),
    Done,
}

fn comparable(answer: &Answer) -> Comparable {
    match answer.clone() {
        Answer::Appended(events) => Comparable::Appended(
            events.iter().map(|(event, duplicate)| (summary(event), *duplicate)).collect(),
        ),
        Answer::Conflict => Comparable::Conflict,
        Answer::Subscription(subscription) => Comparable::Subscription(subscription),
        Answer::Account(account, new) => Comparable::Account(account, new),
        Answer::Replayed(count) => Comparable::Replayed(count),
        Answer::Event(event) => Comparable::Event(event.map(|event| summary(&event))),
        Answer::Expunged(waited) => Comparable::Expunged(waited),
        Answer::Done => Comparable::Done,
    }
}

#[test]
fn a_census_that_is_called_away_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let policy = Policy::default();
    let mut ledger = Ledger::open(directory.path(), Durability::default(), policy).unwrap();
    let _ = Conversation::begin(1, policy, &mut ledger);
    let census = |goes_on: bool| ledger.reader().census(Timestamp::now(), DEEP, &|| goes_on).unwrap();
    assert_eq!(census(true), Some(Census::default()));
    assert_eq!(census(false), None);
}

#[test]
fn a_second_open_says_that_the_store_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Ledger::open(directory.path(), Durability::default(), Policy::default()).unwrap();
    let second = Ledger::open(directory.path(), Durability::default(), Policy::default()).err().unwrap();
    assert!(matches!(second, ledger::OpenError::InUse(_)), "{second}");
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(Ledger::open(directory.path(), Durability::default(), Policy::default()).unwrap());
    let db = sled::open(directory.path()).unwrap();
    db.insert(b"0schema", vec![1, 99]).unwrap();
    drop(db);
    let refused = Ledger::open(directory.path(), Durability::default(), Policy::default()).err().unwrap();
    assert!(refused.to_string().contains("newer version: its schema is 99"), "{refused}");
}

#[test]
fn a_store_of_an_earlier_version_is_one_of_this_version_once_it_was_opened() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Ledger::open(directory.path(), Durability::default(), Policy::default()).unwrap();
    drop(open());
    let db = sled::open(directory.path()).unwrap();
    let this_version = db.insert(b"0schema", vec![1, SCHEMA_VERSION as u8 - 1]).unwrap().unwrap();
    drop(db);
    drop(open());
    assert_eq!(sled::open(directory.path()).unwrap().get(b"0schema").unwrap(), Some(this_version));
}
