//! The window that a subscriber holds of its backlog: deliveries that were never attempted, oldest first.
//!
//! What is forwarded is a hint and the store is the truth: what does not fit is left to the store and read when there
//! is room again. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Recorded;
use crate::id::EventNo;
use crate::store;

/// A bounded stretch of the backlog.
#[derive(Debug)]
pub struct Window {
    waiting: VecDeque<Arc<Recorded>>,
    limit: usize,
    /// Nobody knows yet whether anything waits.
    unread: bool,
    /// Every delivery up to this event was taken in.
    position: EventNo,
    /// The newest event that is known to wait.
    newest: EventNo,
}

impl Window {
    /// A window onto a backlog that begins with the first event that is forwarded.
    pub fn beginning_with(first: EventNo, limit: usize) -> Self {
        let position = EventNo(first.0.saturating_sub(1));
        Self { waiting: VecDeque::new(), limit, unread: false, position, newest: position }
    }

    /// A window onto a backlog of which only the store knows.
    pub fn unread(limit: usize) -> Self {
        let position = EventNo(0);
        Self { waiting: VecDeque::new(), limit, unread: true, position, newest: position }
    }

    /// Takes in a delivery that was forwarded, or leaves it to the store if there is no room or others are older.
    pub fn offer(&mut self, event: Arc<Recorded>) {
        let was_behind = self.is_behind();
        self.newest = self.newest.max(event.no);
        if !was_behind && self.waiting.len() < self.limit && event.no > self.position {
            self.position = event.no;
            self.waiting.push_back(event);
        }
    }

    /// From which event on, and how much, to read from the store, if there is something to read and room for it.
    pub fn wants(&self) -> Option<(EventNo, usize)> {
        let room = self.waiting.len() <= self.limit / 2;
        (self.is_behind() && room).then(|| (self.position, self.limit - self.waiting.len()))
    }

    /// Takes in what the store answered to [`Self::wants`], but for what `is_held` otherwise.
    pub fn fill(&mut self, read: store::Backlog, is_held: impl Fn(EventNo) -> bool) {
        for (event, _) in read.waiting {
            if event.no > self.position && !is_held(event.no) {
                self.waiting.push_back(event);
            }
        }
        self.unread = false;
        self.position = self.position.max(read.through);
        if read.more {
            self.newest = self.newest.max(self.position.next());
        } else {
            // What was forwarded meanwhile and left alone is newer than what was read.
            self.newest = if self.newest > read.through { self.newest } else { self.position };
        }
    }

    /// The oldest delivery.
    pub fn oldest(&self) -> Option<EventNo> {
        self.waiting.front().map(|event| event.no)
    }

    /// Takes the oldest delivery out.
    pub fn take(&mut self) -> Option<Arc<Recorded>> {
        self.waiting.pop_front()
    }

    /// Whether every delivery up to this event was taken in.
    pub fn is_past(&self, event: EventNo) -> bool {
        event <= self.position
    }

    /// Whether an older delivery than this may be with the store alone.
    pub fn may_hide_older_than(&self, event: EventNo) -> bool {
        self.is_behind() && event > self.position
    }

    fn is_behind(&self) -> bool {
        self.unread || self.newest > self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::Generation;

    fn event(no: u64) -> Arc<Recorded> {
        Recorded::numbered(no, Arc::default())
    }

    fn read(numbers: impl IntoIterator<Item = u64>, through: u64, more: bool) -> store::Backlog {
        let waiting = numbers.into_iter().map(|no| (event(no), Generation(0))).collect();
        store::Backlog { waiting, through: EventNo(through), more }
    }

    fn drain(window: &mut Window) -> Vec<u64> {
        std::iter::from_fn(|| window.take()).map(|event| event.no.0).collect()
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_store_and_read_in_order() {
        let mut window = Window::beginning_with(EventNo(5), 2);
        (5..10).for_each(|no| window.offer(event(no)));
        assert_eq!(window.wants(), None);
        assert_eq!(drain(&mut window), [5, 6]);
        assert_eq!(window.wants(), Some((EventNo(6), 2)));
        window.fill(read([7, 8], 8, true), |_| false);
        window.offer(event(10));
        assert_eq!(drain(&mut window), [7, 8]);
        window.fill(read([9, 10], 10, false), |_| false);
        assert_eq!(drain(&mut window), [9, 10]);
        assert_eq!(window.wants(), None);
        window.offer(event(11));
        assert_eq!(drain(&mut window), [11]);
    }

    #[test]
    fn what_is_forwarded_while_the_store_is_read_is_not_lost() {
        let mut window = Window::unread(8);
        assert_eq!(window.wants(), Some((EventNo(0), 8)));
        window.offer(event(4));
        window.fill(read([2], 3, false), |_| false);
        assert_eq!(window.wants(), Some((EventNo(3), 7)));
        window.fill(read([4], 4, false), |_| false);
        assert_eq!(drain(&mut window), [2, 4]);
        assert_eq!(window.wants(), None);
    }

    #[test]
    fn a_store_without_events_is_read_once() {
        let mut window = Window::unread(8);
        window.fill(read([], 0, false), |_| false);
        assert_eq!(window.wants(), None);
        window.offer(event(1));
        assert_eq!(drain(&mut window), [1]);
    }

    #[test]
    fn what_is_in_flight_is_not_taken_in_again() {
        let mut window = Window::unread(8);
        window.fill(read([1, 2, 3], 3, false), |no| no == EventNo(2));
        assert_eq!(drain(&mut window), [1, 3]);
    }
}
