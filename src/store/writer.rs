//! The writer: one thread that makes everyone's changes durable together (group commit).
//!
//! It takes whatever is queued, commits it as one batch, and answers all of it; while it syncs, the next batch gathers.
//! Settled attempts wait a little for company, since nobody waits for them. Reads run on threads of their own, some of
//! them only after all that was queued before them is committed.
//!
//! A store that failed takes nothing until it is recovered: that opens it again, once what it lies on takes writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::clock::{Clock, Now};
use crate::credit::Credit;
use crate::event::Recorded;
use crate::metrics::Metrics;
use crate::store::census::{self, Call, Watch};
use crate::store::condition::{Condition, State};
use crate::store::readers::{Read, Readers, Then, asked, gone};
use crate::store::{Answer, Backend, Committed, Error, Reader, Untidy, Verb};

/// The most verbs in a commit.
const COMMIT_VERBS: usize = 4_096;
/// The most bytes of events in a commit, but for a single larger one.
const COMMIT_BYTES: usize = 1 << 20;
/// How long settled attempts wait for company.
const LINGER: Duration = Duration::from_millis(5);
/// As many as this have to wait for a commit at once, for the next to be put off.
const COMPANY: usize = 4;
/// The longest that a commit is put off.
const LONGEST_PAUSE: Duration = Duration::from_millis(1);
/// How often idle moments are used to tidy.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// The way to the store: queues changes for the writer and questions for the reader. Clones share it.
///
/// When the last one is dropped, what is queued is committed and the threads end.
#[derive(Clone)]
pub struct Store {
    queue: Sender<Request>,
    readers: Readers,
    condition: Arc<Condition>,
    clock: Clock,
}

/// Verbs of one caller: committed together, answered together.
pub type Verbs = SmallVec<[Verb; 1]>;

/// Where the answers to one caller's verbs go.
pub type Reply = oneshot::Sender<Result<Vec<Answer>, Error>>;

/// Told of each commit's new events that matched something, with the credits that they hold.
pub type Listener = Box<dyn FnMut(Vec<Arc<Recorded>>, Vec<Credit>) + Send>;

/// Opens a store again after it failed, and was let go of.
pub type Reopen<B> = Box<dyn FnMut() -> Result<B, Error> + Send>;

type Recover = Box<dyn FnOnce(Result<&mut dyn Backend, Error>) -> Result<Listener, Error> + Send>;
type Between = Box<dyn FnOnce(&mut dyn Backend) + Send>;

enum Request {
    Write(Write),
    Read(Read),
    Recover(Recover),
    Between(Between),
    Close(oneshot::Sender<()>),
}

struct Write {
    verbs: Verbs,
    credit: Option<Credit>,
    reply: Option<Reply>,
}

struct Writer<B> {
    /// None while it failed and could not be opened again.
    backend: Option<B>,
    reopen: Reopen<B>,
    queue: Receiver<Request>,
    readers: Readers,
    census: Sender<Call>,
    listener: Option<Listener>,
    condition: Arc<Condition>,
    clock: Clock,
    metrics: Metrics,
    failure: Option<Error>,
    tidied: Instant,
    untidy: Untidy,
    pace: Pace,
}

/// When the next commit begins, by what the last one was.
///
/// Where several wait at once, a commit costs them more than a moment's wait does: with twice as many in each, half as
/// many are made. Who is alone never waits.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// How many waited for it.
    awaited: usize,
    took: Duration,
}

/// What a batch is not gathered across.
enum Interruption {
    Recover(Recover),
    Between(Between),
    Close(oneshot::Sender<()>),
}

/// A batch that gathers.
#[derive(Default)]
struct Gathered {
    writes: Vec<Write>,
    reads: Vec<Read>,
    verbs: usize,
    bytes: usize,
    /// How many wait for it.
    awaited: usize,
}

impl Store {
    /// Starts the threads of a store. Nothing may be read or written before [`Self::recover`].
    pub fn start<B: Backend>(
        backend: B,
        reopen: Reopen<B>,
        watch: Watch,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let (queue, requests) = unbounded();
        let condition = Arc::<Condition>::default();
        let clock = Clock::start();
        let readers = Readers::start()?;
        let census = census::start(metrics.clone(), clock.clone(), watch)?;
        let writer = Writer {
            backend: Some(backend),
            reopen,
            queue: requests,
            readers: readers.clone(),
            census,
            listener: None,
            condition: condition.clone(),
            clock: clock.clone(),
            metrics,
            failure: None,
            tidied: Instant::now(),
            untidy: Untidy::Nothing,
            pace: Pace::default(),
        };
        thread::Builder::new().name("hookyard-writer".into()).spawn(move || writer.run())?;
        Ok(Self { queue, readers, condition, clock })
    }

    /// Runs `recover` on the backend, in the writer's thread, behind everything that is queued; the listener that it
    /// returns is told of commits from then on.
    ///
    /// A store that failed is opened again first; `recover` is told if that is not possible.
    pub fn recover(
        &self,
        recover: impl FnOnce(Result<&mut dyn Backend, Error>) -> Result<Listener, Error> + Send + 'static,
    ) {
        self.send(Request::Recover(Box::new(recover)));
    }

    /// The clocks by which it says what is due.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Where they stand.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Runs `work` in the writer's thread between two commits, behind everything that is queued, and waits for it.
    ///
    /// Nothing is committed meanwhile: it must be brief.
    ///
    /// # Errors
    /// When the store is closed.
    pub async fn between_commits<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Backend) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, done) = oneshot::channel();
        // Whoever asked may have gone.
        self.send(Request::Between(Box::new(move |backend| drop(reply.send(work(backend))))));
        done.await.map_err(|_| gone())
    }

    /// Queues verbs to be committed together. The answers go to `reply` once all of them are durable.
    ///
    /// `credit` goes to the listener with the events, or is given back if nothing came of them.
    pub fn write(&self, verbs: Verbs, credit: Option<Credit>, reply: Reply) {
        self.send(Request::Write(Write { verbs, credit, reply: Some(reply) }));
    }

    /// Queues a verb and waits until it is durable.
    pub async fn commit(&self, verb: Verb) -> Result<Answer, Error> {
        let (reply, answered) = oneshot::channel();
        self.write(Verbs::from_buf([verb]), None, reply);
        let mut answers = answered.await.unwrap_or_else(|_| Err(gone()))?;
        answers.pop().ok_or_else(gone)
    }

    /// Queues verbs that nobody waits for.
    pub fn settle(&self, verbs: Verbs) {
        self.send(Request::Write(Write { verbs, credit: None, reply: None }));
    }

    /// Looks something up that may take a while; what the actors read does not wait for it.
    pub async fn look_up<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.lookups.ask(question).await
    }

    /// Looks over what was, which may take long; nothing but other such questions waits for it.
    pub async fn look_back<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.history.ask(question).await
    }

    /// Asks the store what is committed now.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.reads.ask(question).await
    }

    /// Asks the store once everything that is queued by now is committed.
    pub async fn read_after_writes<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        asked(question, |read| self.send(Request::Read(read))).await
    }

    /// Commits what is queued and closes the store; returns once its files are free for another to open.
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        self.send(Request::Close(reply));
        // An error says that it was closed before.
        let _ = closed.await;
    }

    /// How many calls wait for the writer.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How the store is.
    pub fn state(&self) -> State {
        self.condition.state()
    }

    /// Whether it takes nothing until it is recovered.
    pub fn has_failed(&self) -> bool {
        self.state() == State::Failed
    }

    /// Returns once the store has failed; one caller at a time may wait.
    pub async fn failure(&self) {
        self.condition.failure().await;
    }

    fn send(&self, request: Request) {
        // A store that is gone drops the request, and with it the reply: its caller learns that.
        drop(self.queue.send(request));
    }
}

impl<B> Drop for Writer<B> {
    fn drop(&mut self) {
        if thread::panicking() {
            error!("the writer panicked; the store accepts nothing more");
            self.condition.set(State::Failed);
        }
    }
}

impl<B: Backend> Writer<B> {
    fn run(mut self) {
        loop {
            let patience = if self.untidy == Untidy::Nothing { TIDY_EVERY } else { Duration::ZERO };
            match self.queue.recv_timeout(patience) {
                Ok(first) => match self.gather_and_commit(first) {
                    Some(Interruption::Recover(recover)) => self.recover(recover),
                    Some(Interruption::Between(work)) => self.between(work),
                    Some(Interruption::Close(reply)) => return self.close(reply),
                    None => {}
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.untidy != Untidy::Nothing || self.tidied.elapsed() >= TIDY_EVERY {
                self.tidy();
            }
        }
    }

    /// Recovers the store, which is opened again if it failed, and gives it to those who read.
    fn recover(&mut self, recover: Recover) {
        let reopened = if self.failure.is_some() { self.reopen() } else { Ok(()) };
        let backend = match (reopened, &mut self.backend) {
            (Ok(()), Some(backend)) => backend,
            (Ok(()), None) => return drop(recover(Err(gone()))),
            (Err(error), _) => return drop(recover(Err(error))),
        };
        match recover(Ok(backend)) {
            Ok(listener) => {
                self.listener = Some(listener);
                let reader = backend.reader();
                self.readers.take(&reader);
                // It may have ended with the store.
                drop(self.census.send(Call::Begin(reader)));
            }
            Err(error) => drop(self.fail(error)),
        }
    }

    /// Does what is to be done between two commits. Without a store it is dropped, and whoever asked learns that.
    fn between(&mut self, work: Between) {
        if let Some(backend) = &mut self.backend {
            work(backend);
        }
    }

    /// Lets go of the store that failed and opens it anew, if what it lies on takes writes again.
    fn reopen(&mut self) -> Result<(), Error> {
        self.listener = None;
        if let Some(backend) = &self.backend {
            backend.probe()?;
            let (held, released) = crossbeam_channel::bounded::<()>(0);
            self.let_go(Box::new(move || drop(held)));
            // It ends without a word, once nobody reads any more.
            let _ = released.recv();
        }
        self.backend = Some((self.reopen)()?);
        self.failure = None;
        self.condition.set(State::Sound);
        info!("the store is open again");
        Ok(())
    }

    fn close(mut self, reply: oneshot::Sender<()>) {
        let farewell = self.backend.as_ref().map(B::farewell);
        self.let_go(Box::new(move || {
            farewell.into_iter().for_each(|last| last());
            // Nobody may be waiting any more.
            let _ = reply.send(());
        }));
    }

    /// Lets go of the store, then lets one reader after the other do so, and then does what is next.
    fn let_go(&mut self, then: Then) {
        self.backend = None;
        let census = self.census.clone();
        self.readers.let_go(Box::new(move || drop(census.send(Call::LetGo(then)))));
    }

    /// Commits `first` and what is queued behind it, up to what interrupts a batch, which is returned.
    fn gather_and_commit(&mut self, first: Request) -> Option<Interruption> {
        // Whoever is queued meanwhile wakes nobody.
        thread::sleep(self.pace.pause(self.queue.len() + 1));
        let mut gathered = Gathered::default();
        let mut interruption = gathered.add(first);
        let linger_until = Instant::now() + LINGER;
        while interruption.is_none() && !gathered.is_full() {
            let next = match gathered.awaited > 0 {
                true => self.queue.try_recv().ok(),
                false => self.queue.recv_deadline(linger_until).ok(),
            };
            match next {
                Some(request) => interruption = gathered.add(request),
                None => break,
            }
        }
        let (awaited, began) = (gathered.awaited, Instant::now());
        self.commit(gathered);
        if awaited > 0 {
            self.pace = Pace { awaited, took: began.elapsed() };
        }
        interruption
    }

    fn commit(&mut self, gathered: Gathered) {
        let Gathered { writes, reads, .. } = gathered;
        let mut verbs = Vec::with_capacity(gathered.verbs);
        let mut callers = Vec::with_capacity(writes.len());
        let mut credits = Vec::new();
        for write in writes {
            callers.push((write.verbs.len(), write.reply));
            verbs.extend(write.verbs);
            credits.extend(write.credit);
        }
        match self.commit_verbs(verbs) {
            Ok((answers, fresh)) => {
                let mut answers = answers.into_iter();
                for (count, reply) in callers {
                    let own: Vec<Answer> = answers.by_ref().take(count).collect();
                    // Whoever hung up does not want it.
                    reply.map(|reply| reply.send(Ok(own)));
                }
                if let Some(listener) = self.listener.as_mut().filter(|_| !fresh.is_empty()) {
                    listener(fresh, credits);
                }
            }
            Err(error) => {
                for (_, reply) in callers {
                    reply.map(|reply| reply.send(Err(error.clone())));
                }
            }
        }
        for read in reads {
            self.readers.reads.send(read);
        }
    }

    fn commit_verbs(&mut self, verbs: Vec<Verb>) -> Result<(Vec<Answer>, Vec<Arc<Recorded>>), Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if verbs.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let Some(backend) = &mut self.backend else {
            return Err(gone());
        };
        let (count, began, now) = (verbs.len(), Instant::now(), self.clock.now());
        match unless_it_panics(|| backend.commit(verbs, now)) {
            Ok(Committed { answers, fresh, sync }) => {
                self.metrics.store.commit(count, began.elapsed(), sync);
                answers.iter().for_each(|answer| self.count(answer));
                Ok((answers, fresh))
            }
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Counts the events of an answer.
    fn count(&self, answer: &Answer) {
        let Answer::Appended(events) = answer else {
            return;
        };
        let counts = &self.metrics.events;
        for (event, is_duplicate) in events {
            if *is_duplicate {
                counts.duplicates.inc();
            } else {
                counts.accepted.inc();
                counts.matched.inc_by(event.matches.len() as u64);
            }
        }
    }

    fn tidy(&mut self) {
        self.tidied = Instant::now();
        self.untidy = Untidy::Nothing;
        let Some(backend) =
            self.backend.as_mut().filter(|_| self.failure.is_none() && self.listener.is_some())
        else {
            return;
        };
        let tidied = loop {
            let now = self.clock.now();
            match unless_it_panics(|| backend.tidy(now)) {
                Ok(Untidy::TooMuch) => {}
                tidied => break tidied,
            }
        };
        let has_room = backend.has_room();
        match tidied {
            Ok(left) => {
                self.untidy = left;
                self.note_room(has_room);
            }
            Err(failure) => drop(self.fail(failure)),
        }
    }

    fn note_room(&self, has_room: bool) {
        let state = if has_room { State::Sound } else { State::Full };
        match (self.condition.set(state), state) {
            (true, State::Full) => {
                warn!("the disk is nearly full: no events are accepted until there is room")
            }
            (true, _) => info!("there is room on the disk again"),
            (false, _) => {}
        }
    }

    fn fail(&mut self, failure: Error) -> Error {
        error!(%failure, "the store accepts nothing until it is open again");
        self.untidy = Untidy::Nothing;
        self.failure = Some(failure.clone());
        self.condition.set(State::Failed);
        failure
    }
}

/// Takes a panic for a failure: sled panics over some kinds of damage, and what is in memory counts for nothing then.
fn unless_it_panics<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::Failed("it panicked".into())))
}

impl Pace {
    /// How long the next commit is put off when so many are queued for it.
    fn pause(self, queued: usize) -> Duration {
        match self.awaited >= COMPANY && queued < self.awaited {
            true => (self.took / 2).min(LONGEST_PAUSE),
            false => Duration::ZERO,
        }
    }
}

impl Gathered {
    fn add(&mut self, request: Request) -> Option<Interruption> {
        match request {
            Request::Write(write) => {
                self.awaited += usize::from(write.reply.is_some());
                self.verbs += write.verbs.len();
                self.bytes += write.verbs.iter().map(weight).sum::<usize>();
                self.writes.push(write);
                None
            }
            Request::Read(read) => {
                self.awaited += 1;
                self.reads.push(read);
                None
            }
            Request::Recover(recover) => Some(Interruption::Recover(recover)),
            Request::Between(work) => Some(Interruption::Between(work)),
            Request::Close(reply) => Some(Interruption::Close(reply)),
        }
    }

    fn is_full(&self) -> bool {
        self.verbs >= COMMIT_VERBS || self.bytes >= COMMIT_BYTES
    }
}

fn weight(verb: &Verb) -> usize {
    match verb {
        Verb::Append(drafts) => {
            drafts.iter().map(|(draft, matches)| draft.body.bytes.len() + 2 * matches.len()).sum()
        }
        _ => 0,
    }
}
