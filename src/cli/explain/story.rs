//! The story: what the API tells of an event and of the account's hooks, put in order. A pure function of that.

use std::time::Duration;

use hookyard::clock::Timestamp;

use super::super::output::cell::{rough, visible};
use super::super::shown::{Attempt, Delivery, Event, Hook};
use super::absence::Absence;
use super::prospect::{Mood, Prospect};

/// A line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Title {
        id: String,
        rest: String,
    },
    /// Something that happened, and how long after the event was accepted.
    Moment {
        at: String,
        after: String,
        mood: Mood,
        text: String,
    },
    Heading(String),
    /// What there is to say of a hook.
    Entry {
        mood: Mood,
        subject: String,
        text: String,
    },
    /// What can be done about the entry above.
    Hint(String),
}

/// How many hooks of a kind are named; the rest is counted.
const NAMED: usize = 100;

/// Tells what became of an event.
///
/// `hooks` are the hooks of the event's account as they are now; `are_all` says whether none is missing.
pub fn tell(event: &Event, hooks: &[Hook], are_all: bool, now: Timestamp) -> Vec<Line> {
    let event = &with_urls(event, hooks);
    let trace = event.trace_id.iter().map(|trace| format!(", in trace {trace}"));
    let rest = format!("{}, of {}{}", event.event, event.timestamp, trace.collect::<String>());
    let mut lines = vec![Line::Title { id: event.id.clone(), rest }];
    lines.extend(timeline(event));
    lines.extend(prospects(event, hooks, now));
    lines.extend(absences(event, hooks, are_all));
    lines
}

/// The event whose deliveries know where they go.
fn with_urls(event: &Event, hooks: &[Hook]) -> Event {
    let mut event = event.clone();
    for delivery in event.deliveries.iter_mut().filter(|delivery| delivery.url.is_none()) {
        let hook = hooks.iter().find(|hook| Some(&hook.id) == delivery.hook_id.as_ref());
        delivery.url = hook.map(|hook| hook.url.clone());
    }
    event
}

/// What happened, in the order of time.
fn timeline(event: &Event) -> Vec<Line> {
    let accepted = event.accepted_at.as_deref().and_then(Timestamp::parse);
    let line = |at: Option<&str>, mood: Mood, text: String| {
        let since = at.and_then(Timestamp::parse).zip(accepted).filter(|(moment, from)| moment > from);
        let after = since.map(|(moment, from)| format!("+{}", precise(from.until(moment))));
        let at = at.unwrap_or("time not recorded").to_owned();
        Line::Moment { at, after: after.unwrap_or_default(), mood, text }
    };
    let mut lines = vec![line(event.accepted_at.as_deref(), Mood::Plain, matched(event))];
    if let Some(synced) = event.synced_at.as_deref() {
        lines.push(line(Some(synced), Mood::Plain, "on disk; the receipt went out".to_owned()));
    }
    let mut attempts: Vec<(&Delivery, &Attempt)> = event.deliveries.iter().flat_map(attempts_of).collect();
    attempts.sort_by_key(|(_, attempt)| attempt.at.as_deref().and_then(Timestamp::parse));
    lines.extend(attempts.into_iter().map(|(delivery, attempt)| {
        let mood = if attempt.succeeded() { Mood::Good } else { Mood::Bad };
        let number = attempt.n.map(|n| format!(" {n}")).unwrap_or_default();
        let text = format!("attempt{number} to {}: {}", target(delivery), attempt.told());
        line(attempt.at.as_deref(), mood, text)
    }));
    lines
}

fn matched(event: &Event) -> String {
    match event.matched {
        0 => format!("accepted; no hook wanted {}", event.event),
        1 => "accepted; it matched 1 hook".to_owned(),
        some => format!("accepted; it matched {some} hooks"),
    }
}

/// What happens next, hook by hook; who still waits comes first.
fn prospects(event: &Event, hooks: &[Hook], now: Timestamp) -> Vec<Line> {
    let mut told: Vec<(Prospect, &Delivery)> = event
        .deliveries
        .iter()
        .map(|delivery| {
            let hook = hooks.iter().find(|hook| Some(&hook.id) == delivery.hook_id.as_ref());
            (Prospect::of(delivery, hook, now), delivery)
        })
        .collect();
    told.sort_by_key(|(prospect, _)| prospect.rank());
    let mut lines = Vec::new();
    if !told.is_empty() {
        lines.push(Line::Heading("What happens next".to_owned()));
    }
    for (prospect, delivery) in told.iter().take(NAMED) {
        lines.push(Line::Entry {
            mood: prospect.mood(),
            subject: subject(&target(delivery), delivery.hook_id.as_deref()),
            text: prospect.told(now),
        });
        lines.extend(prospect.hint(delivery).map(Line::Hint));
    }
    lines.extend(and_more(told.len()));
    lines
}

/// Why the event did not go to the others.
fn absences(event: &Event, hooks: &[Hook], are_all: bool) -> Vec<Line> {
    let absent: Vec<&Hook> = hooks.iter().filter(|hook| !has_delivery(event, hook)).collect();
    let gone = event.matched.saturating_sub(event.deliveries.len() as u64);
    let mut lines = Vec::new();
    if gone > 0 || !absent.is_empty() || !are_all {
        lines.push(Line::Heading("Why not the others".to_owned()));
    }
    if gone > 0 {
        let subject = if gone == 1 { "1 hook".to_owned() } else { format!("{gone} hooks") };
        let text = "matched, and unsubscribed since: what waited was dropped, the record went too".to_owned();
        lines.push(Line::Entry { mood: Mood::Plain, subject, text });
    }
    for hook in absent.iter().take(NAMED) {
        let text = Absence::of(event, hook).told();
        let subject = subject(&visible(&hook.url), Some(&hook.id));
        lines.push(Line::Entry { mood: Mood::Plain, subject, text });
    }
    lines.extend(and_more(absent.len()));
    if !are_all {
        lines.push(Line::Hint("there are more hooks than were looked at".to_owned()));
    }
    lines
}

fn and_more(count: usize) -> Option<Line> {
    count.checked_sub(NAMED).filter(|more| *more > 0).map(|more| Line::Hint(format!("and {more} more")))
}

fn has_delivery(event: &Event, hook: &Hook) -> bool {
    event.deliveries.iter().any(|delivery| delivery.hook_id.as_ref() == Some(&hook.id))
}

fn attempts_of(delivery: &Delivery) -> impl Iterator<Item = (&Delivery, &Attempt)> {
    delivery.attempt_log.iter().map(move |attempt| (delivery, attempt))
}

/// Where a delivery goes, as far as it is known.
fn target(delivery: &Delivery) -> String {
    let known = delivery.url.as_ref().or(delivery.hook_id.as_ref()).unwrap_or(&delivery.id);
    visible(known).into_owned()
}

fn subject(target: &str, hook: Option<&str>) -> String {
    match hook {
        Some(hook) if hook != target => format!("{target}  {hook}"),
        _ => target.to_owned(),
    }
}

/// A length of time to the millisecond below a second, to the tenth of a second below a minute.
fn precise(duration: Duration) -> String {
    match duration.as_millis() {
        ms @ ..1_000 => format!("{ms} ms"),
        ms @ ..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => rough(duration),
    }
}
