//! What was seen before: how often each `webhook-id` came.
//!
//! Only so many are remembered; whoever processes what arrives should remember more, and on disk.

use std::collections::{HashMap, VecDeque};

use hookyard::signature;

use super::super::receiver::Request;

/// Counts requests by their `webhook-id`.
#[derive(Default)]
pub struct Seen {
    times: HashMap<String, u64>,
    /// The ids in the order in which they came first.
    order: VecDeque<String>,
}

const REMEMBERED: usize = 10_000;

impl Seen {
    /// Counts a request; says how often its id has come now, if it has one.
    pub fn note(&mut self, request: &Request) -> Option<u64> {
        request.fields.get(signature::ID).map(|id| self.note_id(id))
    }

    fn note_id(&mut self, id: &str) -> u64 {
        if let Some(times) = self.times.get_mut(id) {
            *times += 1;
            return *times;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.times.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.times.insert(id.to_owned(), 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_counted_until_too_many_others_came() {
        let mut seen = Seen::default();
        assert_eq!([seen.note_id("a"), seen.note_id("b"), seen.note_id("a")], [1, 1, 2]);
        for n in 1..REMEMBERED {
            assert_eq!(seen.note_id(&n.to_string()), 1);
        }
        assert_eq!(seen.times.len(), REMEMBERED);
        assert_eq!([seen.note_id("b"), seen.note_id("a")], [2, 1]);
    }
}
