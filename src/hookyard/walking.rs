//! Walking: lists that the store reads newest first, in either direction.

use std::collections::VecDeque;

use crate::id::EventNo;

use super::{Listed, Unavailable};

/// The most bytes that are kept of one page; the rest is on the next.
const KEPT_BYTES: usize = 8 << 20;
/// By how much the stretch grows that is searched, while too little is found in it.
const GROWTH: u64 = 8;

/// Where a stretch of events ends on either side; neither end is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Between {
    pub(super) above: EventNo,
    pub(super) below: EventNo,
}

/// The `limit` entries that come next behind `anchor` when they are walked oldest first.
///
/// They are looked for between the anchor and an event not far from it, then farther and farther from it, up to the
/// `newest` event; so what is looked at is little more than what is found, wherever the anchor is.
pub(super) async fn oldest_first<T, F: Future<Output = Result<Listed<T>, Unavailable>>>(
    anchor: EventNo,
    newest: EventNo,
    limit: usize,
    place: impl Fn(&T) -> EventNo,
    weight: impl Fn(&T) -> usize,
    read: impl Fn(Between) -> F,
) -> Result<Listed<T>, Unavailable> {
    let mut width = limit as u64 + 2;
    loop {
        let end = EventNo(anchor.0.saturating_add(width));
        let mut oldest: VecDeque<T> = VecDeque::new();
        let (mut bytes, mut is_cut) = (0, false);
        let mut between = Between { above: anchor, below: end };
        loop {
            let Listed { items, more } = read(between).await?;
            between.below = items.last().map_or(between.above, &place);
            for item in items {
                bytes += weight(&item);
                oldest.push_back(item);
                // The newest are the farthest from the anchor.
                while oldest.len() > limit + 1 || (bytes > KEPT_BYTES && oldest.len() > 1) {
                    is_cut |= oldest.len() <= limit + 1;
                    bytes -= oldest.pop_front().map_or(0, |farthest| weight(&farthest));
                }
            }
            if !more {
                break;
            }
        }
        if oldest.len() > limit || is_cut || end > newest {
            let Listed { items, more } = Listed::of(oldest.into_iter().rev().collect(), limit);
            return Ok(Listed { items, more: more || is_cut });
        }
        width = width.saturating_mul(GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads numbers of a list, three at a time, newest first.
    async fn read(all: &[u64], between: Between) -> Result<Listed<u64>, Unavailable> {
        let within = |no: &&u64| between.above.0 < **no && **no < between.below.0;
        Ok(Listed::of(all.iter().rev().filter(within).copied().collect(), 3))
    }

    fn walked(all: &[u64], anchor: u64, limit: usize) -> (Vec<u64>, bool) {
        let newest = EventNo(*all.last().unwrap());
        let listed = oldest_first(
            EventNo(anchor),
            newest,
            limit,
            |no| EventNo(*no),
            |_| 1 << 20,
            |between| read(all, between),
        );
        let Listed { items, more } = pollster::block_on(listed).unwrap();
        (items, more)
    }

    #[test]
    fn the_nearest_come_first_however_far_they_are() {
        let near: Vec<u64> = (1..100).collect();
        assert_eq!(walked(&near, 10, 4), (vec![11, 12, 13, 14], true));
        assert_eq!(walked(&near, 95, 4), (vec![96, 97, 98, 99], false));
        assert_eq!(walked(&near, 99, 4), (vec![], false));
        assert_eq!(walked(&[5, 1_000, 100_000, 100_001], 5, 2), (vec![1_000, 100_000], true));
        assert_eq!(walked(&[5, 1_000, 100_000], 5, 2), (vec![1_000, 100_000], false));
    }

    #[test]
    fn a_page_has_no_more_than_its_bytes() {
        let near: Vec<u64> = (1..100).collect();
        let (items, more) = walked(&near, 10, 50);
        assert_eq!((items, more), ((11..19).collect(), true), "of a mebibyte each");
    }
}
