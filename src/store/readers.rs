//! The readers: threads that put questions to the store, told apart by who waits for the answer.
//!
//! They are given the store once it is recovered, and let go of it when asked to; a question that comes in between is
//! dropped, and whoever asked learns that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;
use tracing::error;

use crate::store::{Error, Reader};

/// The threads that read; clones share them.
#[derive(Clone)]
pub struct Readers {
    /// For the actors.
    pub reads: Queue,
    /// For a caller who looks something up.
    pub lookups: Queue,
    /// For one who looks back over a long time.
    pub history: Queue,
}

/// The questions that wait for one thread.
#[derive(Clone)]
pub struct Queue(Sender<Job>);

/// A question, which sends its answer where it belongs.
pub type Read = Box<dyn FnOnce(&dyn Reader) + Send>;

/// What is to be done once a thread has let go of the store.
pub type Then = Box<dyn FnOnce() + Send>;

enum Job {
    Read(Read),
    Take(Arc<dyn Reader>),
    LetGo(Then),
}

impl Readers {
    /// Starts the threads, which know no store yet.
    pub fn start() -> std::io::Result<Self> {
        Ok(Self {
            reads: Queue::start("hookyard-reads")?,
            lookups: Queue::start("hookyard-looks")?,
            history: Queue::start("hookyard-history")?,
        })
    }

    /// Gives the threads a store to read.
    pub fn take(&self, reader: &Arc<dyn Reader>) {
        for queue in [&self.reads, &self.lookups, &self.history] {
            queue.push(Job::Take(reader.clone()));
        }
    }

    /// Lets one thread after the other answer what it was asked and let go of the store, then does what is next.
    pub fn let_go(&self, then: Then) {
        let Self { reads, lookups, history } = self.clone();
        history.let_go(Box::new(move || lookups.let_go(Box::new(move || reads.let_go(then)))));
    }
}

impl Queue {
    fn start(name: &str) -> std::io::Result<Self> {
        let (sender, jobs) = unbounded();
        thread::Builder::new().name(name.to_owned()).spawn(move || serve(jobs))?;
        Ok(Self(sender))
    }

    /// Puts a question and waits for the answer.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        asked(question, |read| self.send(read)).await
    }

    /// Queues a question. A thread that is gone drops it, and with it the way back: whoever asked learns that.
    pub fn send(&self, read: Read) {
        self.push(Job::Read(read));
    }

    fn let_go(&self, then: Then) {
        self.push(Job::LetGo(then));
    }

    fn push(&self, job: Job) {
        drop(self.0.send(job));
    }
}

/// Hands a question to `send` and waits for the answer.
pub async fn asked<T: Send + 'static>(
    question: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    send: impl FnOnce(Read),
) -> Result<T, Error> {
    let (reply, answer) = oneshot::channel();
    // Whoever asked may have gone.
    send(Box::new(move |reader| drop(reply.send(question(reader)))));
    answer.await.unwrap_or_else(|_| Err(gone()))
}

/// What a caller learns whose store is gone.
pub fn gone() -> Error {
    Error::Failed("it is closed".into())
}

fn serve(jobs: Receiver<Job>) {
    let mut store: Option<Arc<dyn Reader>> = None;
    for job in jobs {
        match (job, &store) {
            (Job::Read(read), Some(reader)) => {
                // sled panics over some kinds of damage; whoever asked gets an error.
                if catch_unwind(AssertUnwindSafe(|| read(&**reader))).is_err() {
                    error!("a question to the store panicked");
                }
            }
            (Job::Read(_), None) => {}
            (Job::Take(reader), _) => store = Some(reader),
            (Job::LetGo(then), _) => {
                store = None;
                then();
            }
        }
    }
}
