//! The readers: threads that put questions to the store, told apart by who waits for the answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;
use tracing::error;

use crate::store::{Backend, Error, Reader};

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

type Then = Box<dyn FnOnce() + Send>;

enum Job {
    Read(Read),
    Close(Then),
}

impl Readers {
    /// Starts the threads.
    pub fn start(backend: &impl Backend) -> std::io::Result<Self> {
        Ok(Self {
            reads: Queue::start(backend, "hookyard-reads")?,
            lookups: Queue::start(backend, "hookyard-looks")?,
            history: Queue::start(backend, "hookyard-history")?,
        })
    }

    /// Lets one thread after the other answer what it was asked and let go of the store, then does what is next.
    pub fn close(self, then: Then) {
        let Self { reads, lookups, history } = self;
        history.close(Box::new(move || lookups.close(Box::new(move || reads.close(then)))));
    }
}

impl Queue {
    fn start(backend: &impl Backend, name: &str) -> std::io::Result<Self> {
        let (sender, jobs) = unbounded();
        let reader = backend.reader();
        thread::Builder::new().name(name.to_owned()).spawn(move || serve(reader, jobs))?;
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
        drop(self.0.send(Job::Read(read)));
    }

    fn close(self, then: Then) {
        drop(self.0.send(Job::Close(then)));
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

fn serve(reader: Arc<dyn Reader>, jobs: Receiver<Job>) {
    for job in jobs {
        match job {
            Job::Read(read) => {
                // sled panics over some kinds of damage; whoever asked gets an error.
                if catch_unwind(AssertUnwindSafe(|| read(&*reader))).is_err() {
                    error!("a question to the store panicked");
                }
            }
            Job::Close(then) => {
                drop(reader);
                return then();
            }
        }
    }
}
