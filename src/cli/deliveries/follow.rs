//! Following: looks again and again, and shows each delivery that is new or has changed, once.
//!
//! A server that goes away, as in a restart, is waited for.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use serde_json::value::RawValue;

use super::super::client::{self, Client, Query};
use super::super::listing::{LARGEST_PAGE, Pages, Row};
use super::super::output::{Output, note};
use super::super::shown::Delivery;
use super::Failure;

/// What is looked at, and how often.
pub struct Follow<'a> {
    pub client: &'a Client,
    pub path: &'a str,
    pub query: Query,
    pub interval: Duration,
}

/// The deliveries as they were last shown.
#[derive(Default)]
struct Known(HashMap<String, State>);

/// What changes while a delivery goes its way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    status: String,
    attempts: u32,
    next_attempt_at: Option<String>,
}

/// How wide the columns usually are; the ids have a fixed length.
const WIDTHS: [usize; 8] = [31, 9, 18, 2, 8, 10, 10, 32];

impl Follow<'_> {
    /// Shows the newest `count`, and then what happens, for ever.
    ///
    /// # Errors
    /// When the list is refused, or the output is closed.
    pub fn run(&self, count: u64, output: &mut Output) -> Result<(), Failure> {
        let mut known = Known::default();
        let mut newest = self.look()?;
        let shown = newest.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        known.take(&newest);
        newest.truncate(shown);
        newest.reverse();
        self.show(&newest, output)?;
        let mut reachable = true;
        loop {
            thread::sleep(self.interval);
            match self.look() {
                Ok(page) => {
                    reachable = true;
                    self.show(&known.changed(page), output)?;
                }
                Err(failure @ (Failure::Unreachable(_) | Failure::Busy { .. })) => {
                    if reachable {
                        note(format_args!("{failure}; waiting for it"));
                    }
                    reachable = false;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The newest deliveries, the newest first.
    fn look(&self) -> Result<Vec<(Delivery, Box<RawValue>)>, Failure> {
        let mut pages = Pages::new(self.client, self.path, self.query.clone(), LARGEST_PAGE);
        let page = pages.next_page()?.unwrap_or_default();
        page.into_iter().map(|entry| Ok((client::decode(&entry)?, entry))).collect()
    }

    fn show(&self, deliveries: &[(Delivery, Box<RawValue>)], output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return deliveries.iter().try_for_each(|(_, json)| output.json(json));
        }
        let rows: Vec<_> = deliveries.iter().map(|(delivery, _)| delivery.cells()).collect();
        output.stream(&WIDTHS, &rows)
    }
}

impl Known {
    /// Those of a page, the newest first, that are new or have changed, the oldest first. What has left the page is
    /// forgotten: it is older than all that will be looked at.
    fn changed<T>(&mut self, page: Vec<(Delivery, T)>) -> Vec<(Delivery, T)> {
        let before = std::mem::take(&mut self.0);
        self.take(&page);
        let news = |(delivery, _): &(Delivery, T)| before.get(&delivery.id) != self.0.get(&delivery.id);
        page.into_iter().filter(news).rev().collect()
    }

    fn take<T>(&mut self, page: &[(Delivery, T)]) {
        self.0 = page.iter().map(|(delivery, _)| (delivery.id.clone(), State::of(delivery))).collect();
    }
}

impl State {
    fn of(delivery: &Delivery) -> Self {
        Self {
            status: delivery.status.clone(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str, status: &str, attempts: u32) -> (Delivery, ()) {
        let json = format!(r#"{{"id":"{id}","status":"{status}","attempts":{attempts}}}"#);
        (serde_json::from_str(&json).unwrap(), ())
    }

    fn ids(deliveries: Vec<(Delivery, ())>) -> Vec<String> {
        deliveries.into_iter().map(|(delivery, ())| delivery.id).collect()
    }

    #[test]
    fn what_is_new_or_has_changed_is_shown_once_the_oldest_first() {
        let mut known = Known::default();
        known.take(&[delivery("b", "pending", 0), delivery("a", "pending", 1)]);
        let page =
            || vec![delivery("c", "pending", 0), delivery("b", "delivered", 1), delivery("a", "pending", 1)];
        assert_eq!(ids(known.changed(page())), ["b", "c"]);
        assert_eq!(ids(known.changed(page())), [""; 0]);
        assert_eq!(ids(known.changed(vec![delivery("a", "pending", 2)])), ["a"]);
    }
}
