//! A flood: a caller who emits as fast as the front door lets him, over many connections, until he is stopped.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{anyhow, bail};

/// What is sent, again and again.
#[derive(Clone)]
pub struct Water {
    pub url: String,
    pub key: String,
    pub connections: u16,
    pub body: String,
}

/// A flood that goes on, on a thread of its own.
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Flooded>>,
}

/// What came of the requests of a flood.
#[derive(Clone, Copy, Default)]
pub struct Flooded {
    pub accepted: u64,
    /// There was no room for them.
    pub refused: u64,
}

impl Flood {
    /// Begins.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn begin(water: Water) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let pour = move || actix_web::rt::System::new().block_on(pour(water, stopped));
        let thread = thread::Builder::new().name("bench-flood".to_owned()).spawn(pour)?;
        Ok(Self { stop, thread })
    }

    /// Ends once the requests under way are answered.
    ///
    /// # Errors
    /// When one was answered otherwise than with yes or with no room.
    pub fn end(self) -> anyhow::Result<Flooded> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the flood panicked"))?
    }
}

async fn pour(water: Water, stop: Arc<AtomicBool>) -> anyhow::Result<Flooded> {
    let connector = awc::Connector::new().limit(usize::from(water.connections));
    let client = awc::Client::builder().connector(connector).timeout(Duration::from_secs(30)).finish();
    let (water, flooded) = (Rc::new(water), Rc::new(Cell::new(Flooded::default())));
    let callers: Vec<_> = (0..water.connections)
        .map(|_| actix_web::rt::spawn(call(water.clone(), client.clone(), stop.clone(), flooded.clone())))
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(flooded.get())
}

async fn call(
    water: Rc<Water>,
    client: awc::Client,
    stop: Arc<AtomicBool>,
    flooded: Rc<Cell<Flooded>>,
) -> anyhow::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let request = client.post(&water.url).content_type("application/json").bearer_auth(&water.key);
        let answer = request.send_body(water.body.clone()).await;
        let mut answer = answer.map_err(|error| anyhow!("the flood: {error}"))?;
        let Flooded { accepted, refused } = flooded.get();
        flooded.set(match answer.status().as_u16() {
            202 => Flooded { accepted: accepted + 1, refused },
            429 | 503 => Flooded { accepted, refused: refused + 1 },
            status => bail!("the flood was answered with {status}"),
        });
        // The connection is free for the next request only then.
        answer.body().limit(1 << 20).await?;
    }
    Ok(())
}
