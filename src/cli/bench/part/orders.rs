//! Orders to a part, and its reports: a line of JSON each.

use std::io::{self, Write};
use std::process;
use std::thread;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

/// What a part does.
pub trait Duty {
    type Order: DeserializeOwned;

    /// Carries out an order and says what came of it.
    ///
    /// # Errors
    /// When it cannot; the part goes on.
    async fn carry_out(&mut self, order: Self::Order) -> anyhow::Result<Value>;
}

/// How an order was carried out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    Done(Value),
    Failed(String),
}

/// Those that come on the standard input. The process ends with them, whatever it is busy with.
pub struct Orders(mpsc::UnboundedReceiver<String>);

impl Orders {
    /// Reads from now on.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn from_stdin() -> io::Result<Self> {
        let (sender, orders) = mpsc::unbounded_channel();
        let read = move || {
            for line in io::stdin().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
            process::exit(0)
        };
        thread::Builder::new().name("bench-orders".to_owned()).spawn(read)?;
        Ok(Self(orders))
    }

    /// Has each carried out, one after the other, and reports it.
    ///
    /// # Errors
    /// When nobody reads the reports.
    pub async fn follow(mut self, mut duty: impl Duty) -> anyhow::Result<()> {
        while let Some(line) = self.0.recv().await {
            let done = match serde_json::from_str(&line) {
                Ok(order) => duty.carry_out(order).await,
                Err(error) => Err(error.into()),
            };
            let report = done.map_or_else(|error| Report::Failed(format!("{error:#}")), Report::Done);
            let mut output = io::stdout().lock();
            writeln!(output, "{}", serde_json::to_string(&report)?).context("nobody reads the reports")?;
            output.flush()?;
        }
        Ok(())
    }
}
