//! The router embedded in a program of one's own, which emits with many callers at once.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use anyhow::{Context, ensure};
use hookyard::hookyard::Subscribe;
use hookyard::{Config, Event, Hookyard};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::counted::Counted;
use super::super::monotonic::now_ns;
use super::super::template::Template;
use super::orders::Duty;
use super::pace::Pace;
use super::tally::Tally;

/// What an embedded router is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Open a store with the configuration of a file, and subscribe a hook.
    Open {
        config: PathBuf,
        url: String,
        event: String,
    },
    /// Emit events; the report says when, and how long each took.
    Emit {
        event: String,
        data: String,
        events: u32,
        callers: u16,
    },
    /// Wait until every delivery is made; the report is what was counted.
    Drain {
        patience_ms: u64,
    },
    Close,
}

/// The program.
#[derive(Default)]
pub struct Embedded(Option<Hookyard>);

/// How often it looks whether all are made.
const LOOK: Duration = Duration::from_millis(5);

impl Duty for Embedded {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        match order {
            Order::Open { config, url, event } => {
                let hookyard = Hookyard::open(Config::from_file(config)?).await?;
                hookyard.subscribe(Subscribe::new(url, event)).await?;
                self.0 = Some(hookyard);
                Ok(Value::Null)
            }
            Order::Emit { event, data, events, callers } => {
                let hookyard = self.0.as_ref().context("it is not open")?;
                let (pace, tally) = (Rc::new(Pace::free(0, events)), Rc::new(Tally::default()));
                let callers = (0..callers).map(|_| {
                    let call =
                        call(hookyard.clone(), event.clone(), data.clone(), pace.clone(), tally.clone());
                    rt::spawn(call)
                });
                Ok(serde_json::to_value(tally.clone().gather(callers.collect()).await?)?)
            }
            Order::Drain { patience_ms } => {
                let hookyard = self.0.as_ref().context("it is not open")?;
                Ok(serde_json::to_value(drained(hookyard, Duration::from_millis(patience_ms)).await?)?)
            }
            Order::Close => {
                self.0.take().context("it is not open")?.shutdown().await;
                Ok(Value::Null)
            }
        }
    }
}

/// Waits until every delivery is made.
async fn drained(hookyard: &Hookyard, patience: Duration) -> anyhow::Result<Counted> {
    let until = Instant::now() + patience;
    loop {
        let counted = Counted::read(&hookyard.metrics())?;
        if counted.is_drained() {
            return Ok(counted);
        }
        let Counted { matched, delivered, .. } = counted;
        ensure!(Instant::now() < until, "{delivered} of {matched} deliveries are made");
        rt::time::sleep(LOOK).await;
    }
}

async fn call(
    hookyard: Hookyard,
    event_type: String,
    data: String,
    pace: Rc<Pace>,
    tally: Rc<Tally>,
) -> anyhow::Result<()> {
    let mut data = Template::new(&data, 1);
    while let Some(event) = pace.next().await {
        let text = std::str::from_utf8(data.fill(event))?.to_owned();
        hookyard.emit(Event::raw(event_type.as_str(), text)?).await?;
        tally.note(event.due_ns, now_ns());
    }
    Ok(())
}
