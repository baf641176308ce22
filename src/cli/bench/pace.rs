//! A steady pace: emits events one after the other, each when it is due, whatever became of those before.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::mpsc;

/// Events emitted at a steady rate.
#[derive(Clone, Copy)]
pub struct Stretch {
    first: u32,
    count: u32,
    rate: u32,
    began: Instant,
}

impl Stretch {
    /// Emits `count` events from number `first` on, `rate` in a second; returns when all have their receipts.
    ///
    /// # Errors
    /// When one of them is refused.
    pub async fn emit<F>(first: u32, count: u32, rate: u32, emit: impl Fn(u32) -> F) -> anyhow::Result<Self>
    where
        F: Future<Output = anyhow::Result<()>> + 'static,
    {
        let stretch = Self { first, count, rate, began: Instant::now() + Duration::from_millis(50) };
        let mut due = stretch.clock()?;
        let mut emits = Vec::with_capacity(count as usize);
        while let Some(event) = due.recv().await {
            emits.push(actix_web::rt::spawn(emit(event)));
        }
        for emitted in emits {
            emitted.await??;
        }
        Ok(stretch)
    }

    /// Its events, with when each should have been emitted.
    pub fn events(&self) -> impl Iterator<Item = (u32, Instant)> + use<> {
        let Self { first, count, rate, began } = *self;
        (0..count).map(move |n| (first + n, began + Duration::from_secs_f64(f64::from(n) / f64::from(rate))))
    }

    /// Tells each event when it is due, from a thread of its own: a runtime's timer counts whole milliseconds.
    fn clock(&self) -> anyhow::Result<mpsc::UnboundedReceiver<u32>> {
        let (tell, told) = mpsc::unbounded_channel();
        let events = self.events();
        let clock = move || {
            for (event, due) in events {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if tell.send(event).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("bench-clock".to_owned())
            .spawn(clock)
            .context("cannot start a thread")?;
        Ok(told)
    }
}
