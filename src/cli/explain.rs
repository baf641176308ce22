//! `hookyard explain`: one timeline of an event, made of what the API tells of it.

mod absence;
mod prospect;
mod story;
#[cfg(test)]
mod tests;

use anstyle::Style;
use hookyard::clock::Timestamp;

use self::prospect::Mood;
use self::story::Line;
use super::client::{Client, Connection, Query};
use super::listing::Pages;
use super::output::cell::{BAD, BOLD, DIM, GOOD, WARNING};
use super::shown::{Event, Hook};
use super::{Failure, events, hooks, word};

/// Tell what became of an event, and why
///
/// When it was accepted and on disk, which hooks it matched and why not the others, each attempt, and what happens next.
/// It needs a key with the scope hooks. --json prints the event as the API shows it, with its deliveries and attempts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// The event's id, which receivers get as webhook-id
    #[arg(value_name = "EVENT_ID", value_parser = word::event_id)]
    id: String,

    #[command(flatten)]
    connection: Connection,
}

const EXAMPLES: &str = "\
Examples:
  hookyard explain evt_…
  hookyard explain $(hookyard emit new_lead --example)
  hookyard explain evt_… --account acme";

/// How many hooks are looked at for why the event did not go to them: those of its type, and all.
const HOOKS: u64 = 5_000;

impl Explain {
    /// Looks at the event and at the hooks, and tells what became of it.
    ///
    /// # Errors
    /// When there is no such event, or it cannot be looked at.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        let answer = client.get(&format!("{}/{}", events::PATH, self.id), &Query::new())?;
        let event: Event = answer.decode()?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        let (hooks, are_all) = hooks_beside(&client, &event)?;
        let lines = story::tell(&event, &hooks, are_all, Timestamp::now());
        output.write(&lines.iter().map(painted).collect::<String>())
    }
}

/// The hooks of the event's type and the others, and whether these are all there are.
fn hooks_beside(client: &Client, event: &Event) -> Result<(Vec<Hook>, bool), Failure> {
    let mut of_type = Pages::new(client, hooks::PATH, Query::new().with("event", &event.event), HOOKS);
    let mut found: Vec<Hook> = of_type.collect()?;
    let mut of_all = Pages::new(client, hooks::PATH, Query::new(), HOOKS);
    let others: Vec<Hook> = of_all.collect()?;
    found.extend(others.into_iter().filter(|hook| hook.event.as_ref() != Some(&event.event)));
    Ok((found, !of_type.has_more() && !of_all.has_more()))
}

fn painted(line: &Line) -> String {
    match line {
        Line::Title { id, rest } => format!("{BOLD}{id}{BOLD:#}  {rest}\n\n"),
        Line::Moment { at, after, mood, text } => {
            let style = style(*mood);
            format!("{DIM}{at:24} {after:>9}{DIM:#}  {style}{text}{style:#}\n")
        }
        Line::Heading(text) => format!("\n{BOLD}{text}{BOLD:#}\n"),
        Line::Entry { mood, subject, text } => {
            let style = style(*mood);
            format!("  {subject}\n      {style}{text}{style:#}\n")
        }
        Line::Hint(text) => format!("      {DIM}{text}{DIM:#}\n"),
    }
}

fn style(mood: Mood) -> Style {
    match mood {
        Mood::Plain => Style::new(),
        Mood::Good => GOOD,
        Mood::Waiting => WARNING,
        Mood::Bad => BAD,
    }
}
