//! A tally of what a generator sent: how its requests were answered, and whether they still are.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;
use anyhow::bail;

use super::super::delays::Delays;
use super::super::monotonic::now_ns;
use super::generator::Sent;

/// How long nothing may be answered before a generator gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is answered, from a moment on.
pub struct Tally {
    began_ns: u64,
    answered: Cell<u64>,
    answers: RefCell<Delays>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { began_ns: now_ns(), answered: Cell::new(0), answers: RefCell::new(Delays::new()) }
    }
}

impl Tally {
    /// Notes an answer to what was due at a moment.
    pub fn note(&self, due_ns: u64, answered_ns: u64) {
        self.answered.set(self.answered.get() + 1);
        self.answers.borrow_mut().note(due_ns, answered_ns);
    }

    /// Waits for all who send.
    ///
    /// # Errors
    /// When one of them fails, or nothing is answered any more.
    pub async fn gather(
        self: Rc<Self>,
        senders: Vec<JoinHandle<anyhow::Result<()>>>,
    ) -> anyhow::Result<Sent> {
        let all = async {
            for sender in senders {
                sender.await??;
            }
            anyhow::Ok(())
        };
        self.watched(all).await?;
        let answers = self.answers.borrow().percentiles();
        Ok(Sent { began_ns: self.began_ns, ended_ns: now_ns(), answers })
    }

    async fn watched(&self, all: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let stalled = async {
            let mut seen = None;
            while seen != Some(self.answered.get()) {
                seen = Some(self.answered.get());
                sleep(PATIENCE).await;
            }
        };
        tokio::select! {
            done = all => done,
            () = stalled => bail!("{} requests were answered, then none for {PATIENCE:?}", self.answered.get()),
        }
    }
}
