//! Replaying: a hook gets again what it did not take, and whoever asked for it can watch.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::progress;
use super::super::shown::{Hook, Queued};
use super::super::word::{self, Moment};
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct Replay {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    /// Only events since then: a time, a date, or how long ago, such as 24h
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    since: Option<Moment>,

    /// Only events until then
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    until: Option<Moment>,

    /// What was given up, what it has not got and is not on its way, or every event that it wants and that is kept
    #[arg(long, default_value = "dead", value_parser = ["dead", "missing", "all"])]
    status: String,

    /// Only say how many that would be
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,

    /// Wait until all of it has been attempted, with a progress bar; fails if the hook is deactivated meanwhile
    #[arg(long)]
    wait: bool,
}

/// How often the hook is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

impl Replay {
    /// Has the deliveries queued, and waits for them if asked to.
    ///
    /// # Errors
    /// When it is refused, or the hook does not take them.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let mut wish = serde_json::Map::new();
        wish.insert("status".to_owned(), json!(self.status));
        for (name, moment) in [("since", &self.since), ("until", &self.until)] {
            wish.extend(moment.as_ref().map(|moment| (name.to_owned(), json!(moment.to_string()))));
        }
        if self.dry_run {
            wish.insert("dry_run".to_owned(), json!(true));
        }
        let queueing = progress::endless("queueing");
        let answer = client.post(&format!("{PATH}/{}/replay", self.hook), &Query::new(), &wish);
        queueing.finish_and_clear();
        let answer = answer?;
        let Queued { queued } = answer.decode()?;
        match output.is_json() {
            true => output.json(&answer.json)?,
            false if self.dry_run => output.line(format_args!("{queued} deliveries would be queued"))?,
            false => output.line(format_args!("queued {queued} deliveries"))?,
        }
        if !self.wait || queued == 0 {
            return Ok(());
        }
        let pending = self.watch(client, queued)?;
        match (output.is_json(), pending) {
            (true, _) => Ok(()),
            (false, 0) => output.line("all are delivered"),
            (false, _) => output
                .line(format_args!("what was replayed has been attempted; deliveries that wait: {pending}")),
        }
    }

    /// Waits until none is left; returns how many deliveries wait for the hook then.
    fn watch(&self, client: &Client, queued: u64) -> Result<u64, Failure> {
        let bar = progress::of_things(queued, "delivering");
        loop {
            let hook: Hook = client.get(&format!("{PATH}/{}", self.hook), &Query::new())?.decode()?;
            bar.set_position(queued.saturating_sub(hook.replaying));
            if hook.status == "deactivated" {
                bar.abandon();
                let reason = hook.reason.unwrap_or_default();
                return Err(Failure::other(format!("the hook was deactivated: {reason}")));
            }
            if hook.replaying == 0 {
                bar.finish_and_clear();
                return Ok(hook.pending);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}
