//! The router embedded in a program of one's own, which emits with many callers at once.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use anyhow::{Context, ensure};
use hookyard::account::AccountId;
use hookyard::hookyard::Subscribe;
use hookyard::id::HookId;
use hookyard::{Config, Event, Hookyard};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Wait until the hook has nothing left; the report says when.
    Drain {
        patience_ms: u64,
    },
    Close,
}

/// The program.
#[derive(Default)]
pub struct Embedded(Option<Opened>);

struct Opened {
    hookyard: Hookyard,
    hook: HookId,
}

/// How often it looks whether the hook has nothing left.
const LOOK: Duration = Duration::from_millis(5);

impl Duty for Embedded {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        match order {
            Order::Open { config, url, event } => {
                let hookyard = Hookyard::open(Config::from_file(config)?).await?;
                let subscribed = hookyard.subscribe(Subscribe::new(url, event)).await?;
                let hook = subscribed.hook.subscription.id;
                self.0 = Some(Opened { hookyard, hook });
                Ok(Value::Null)
            }
            Order::Emit { event, data, events, callers } => {
                let hookyard = &self.0.as_ref().context("it is not open")?.hookyard;
                let (pace, tally) = (Rc::new(Pace::free(0, events)), Rc::new(Tally::default()));
                let callers = (0..callers).map(|_| {
                    let call =
                        call(hookyard.clone(), event.clone(), data.clone(), pace.clone(), tally.clone());
                    rt::spawn(call)
                });
                Ok(serde_json::to_value(tally.clone().gather(callers.collect()).await?)?)
            }
            Order::Drain { patience_ms } => {
                let opened = self.0.as_ref().context("it is not open")?;
                opened.drained(Duration::from_millis(patience_ms)).await?;
                Ok(now_ns().into())
            }
            Order::Close => {
                self.0.take().context("it is not open")?.hookyard.shutdown().await;
                Ok(Value::Null)
            }
        }
    }
}

impl Opened {
    async fn drained(&self, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        loop {
            let pending = self.hookyard.hook(&AccountId::default_account(), self.hook).await?.pending;
            if pending == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{pending} deliveries are still pending");
            rt::time::sleep(LOOK).await;
        }
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
