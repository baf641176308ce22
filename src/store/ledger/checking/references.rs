//! References: whether what rows name is there.

use super::Findings;
use super::Invariant::{
    AccountsExist, ChaptersNameAll, CursorIsInPlace, NumbersAreFresh, PagesAreOrdered, ProgressHasItsPage,
    ValuesCanBeRead, WaitingEventsExist, WaitingHooksExist,
};
use super::survey::Survey;
use crate::account::ApiKey;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::Retry;
use crate::store::ledger::chapters::{attempts, events};
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::pages::Page;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::Value;

/// Looks at what the survey's rows refer to.
pub fn check(table: &Table, survey: &Survey, findings: &mut Findings<'_>) {
    counters(survey, findings);
    cursor(survey, findings);
    accounts(table, survey, findings);
    health(table, survey, findings);
    retries(table, survey, findings);
    pages(table, survey, findings);
    progress(table, findings);
    chapters(table, findings);
}

fn counters(survey: &Survey, findings: &mut Findings<'_>) {
    let (hook, account) = (survey.hooks.keys().max(), survey.accounts.keys().max());
    let next = survey.counters.map_or((1, 1), |next| (next.next_subscription, next.next_account));
    if let Some(hook) = hook.filter(|hook| hook.0 >= next.0) {
        findings.say(NumbersAreFresh, format_args!("the next hook is {}, and there is {}", next.0, hook.0));
    }
    if let Some(account) = account.filter(|account| account.0 >= next.1) {
        let what = format_args!("the next account is {}, and there is {}", next.1, account.0);
        findings.say(NumbersAreFresh, what);
    }
}

fn cursor(survey: &Survey, findings: &mut Findings<'_>) {
    let (event, commit) = survey.cursor.map_or((1, 1), |cursor| (cursor.event.0, cursor.commit));
    let behind = survey.blocks.partition_point(|block| block.end() <= event);
    if let Some(last) = survey.blocks[..behind].last()
        && last.commit > commit
    {
        findings.say(
            CursorIsInPlace,
            format_args!("it is at event {event} of commit {commit}, behind those of {}", last.commit),
        );
    }
    let mut next = event;
    for block in &survey.blocks[behind..] {
        if block.first > next {
            let last = block.first - 1;
            findings.say(CursorIsInPlace, format_args!("the events from {next} to {last} are missing"));
        }
        if block.commit < commit {
            let first = block.first;
            findings.say(CursorIsInPlace, format_args!("the events from {first} are of an earlier commit"));
        }
        next = block.end();
    }
}

fn accounts(table: &Table, survey: &Survey, findings: &mut Findings<'_>) {
    for (hook, account) in &survey.hooks {
        if !survey.accounts.contains_key(account) {
            findings.say(AccountsExist, format_args!("hook {} belongs to account {}", hook.0, account.0));
        }
    }
    for (key, value) in table.scan_prefix(keys::ALL_API_KEYS).flatten() {
        let Ok(key) = ApiKey::decode(&value, keys::rest(&key).to_vec()) else {
            continue;
        };
        if !survey.accounts.contains_key(&key.account) {
            findings.say(AccountsExist, format_args!("{} belongs to account {}", key.id, key.account.0));
        }
    }
}

fn health(table: &Table, survey: &Survey, findings: &mut Findings<'_>) {
    for key in table.scan_prefix(keys::ALL_HEALTH).keys().flatten() {
        if let Some(hook) = keys::read_numbered(&key).filter(|hook| !survey.hooks.contains_key(hook)) {
            findings.say(WaitingHooksExist, format_args!("there is health of hook {}", hook.0));
        }
    }
}

fn retries(table: &Table, survey: &Survey, findings: &mut Findings<'_>) {
    for (key, value) in table.range(Pair::Retry.all()).flatten() {
        let Some((hook, event)) = Pair::read(&key) else { continue };
        if let Err(error) = Retry::decode(&value, event) {
            let what = format_args!("the retry of event {} for hook {}: {error}", event.0, hook.0);
            findings.say(ValuesCanBeRead, what);
        }
        waits(survey, "a retry", hook, event, findings);
        owned(survey, "a retry", hook, findings);
    }
}

fn pages(table: &Table, survey: &Survey, findings: &mut Findings<'_>) {
    let mut before: Option<(SubscriptionNo, EventNo)> = None;
    for (key, value) in table.range(Pair::Page.all()).flatten() {
        let Some((hook, first)) = Pair::read(&key) else { continue };
        owned(survey, "a page", hook, findings);
        let page = match Page::read(table, hook, first, &value) {
            Ok(page) => page,
            Err(error) => {
                let what = format_args!("the page from event {} of hook {}: {error}", first.0, hook.0);
                findings.say(ValuesCanBeRead, what);
                continue;
            }
        };
        let events: Vec<EventNo> = page.events().collect();
        let begins_behind = before.is_none_or(|(other, last)| other != hook || last < first);
        let ascends = events.first() == Some(&first) && events.is_sorted_by(|a, b| a < b);
        if !begins_behind || !ascends {
            let what = format_args!("the page from event {} of hook {}", first.0, hook.0);
            findings.say(PagesAreOrdered, what);
        }
        if page.progress() > events.len().div_ceil(8) {
            let what = format_args!("the page from event {} of hook {} has more", first.0, hook.0);
            findings.say(ProgressHasItsPage, what);
        }
        page.waiting().for_each(|(event, _)| waits(survey, "a page", hook, event, findings));
        before = events.last().map(|last| (hook, *last));
    }
}

fn progress(table: &Table, findings: &mut Findings<'_>) {
    for key in table.range(Pair::Progress.all()).keys().flatten() {
        let Some((hook, first)) = Pair::read(&key) else { continue };
        let page = table.contains_key(Pair::Page.key(hook, first));
        if !page.unwrap_or_default() {
            let what = format_args!("hook {} has no page from event {}", hook.0, first.0);
            findings.say(ProgressHasItsPage, what);
        }
    }
}

fn chapters(table: &Table, findings: &mut Findings<'_>) {
    let all_read = events::left_out(table, |no| {
        findings.say(ChaptersNameAll, format_args!("event {} is not in its chapter", no.0));
    });
    let all_read = all_read.and_then(|()| {
        attempts::left_out(table, |number| {
            let what = format_args!("the chapter of block {number} does not say all that it tells of");
            findings.say(ChaptersNameAll, what);
        })
    });
    if let Err(error) = all_read {
        findings.say(ValuesCanBeRead, format_args!("the chapters: {error}"));
    }
}

fn waits(survey: &Survey, what: &str, hook: SubscriptionNo, event: EventNo, findings: &mut Findings<'_>) {
    // What a hook that is gone left is never read: its events may go before it is swept.
    if !survey.has_event(event) && !survey.gone.contains(&hook) {
        findings.say(WaitingEventsExist, format_args!("{what} of hook {} names event {}", hook.0, event.0));
    }
}

fn owned(survey: &Survey, what: &str, hook: SubscriptionNo, findings: &mut Findings<'_>) {
    if !survey.hooks.contains_key(&hook) && !survey.gone.contains(&hook) {
        findings.say(WaitingHooksExist, format_args!("there is {what} of hook {}", hook.0));
    }
}
