//! Lanes: what waits for a subscription is served in two, so that much of one kind does not hold up the other.

use std::ops::{Index, IndexMut};

use crate::subscription::{Generation, Subscription};

/// A kind of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What comes of itself: events since the subscription's life began, and retries of a schedule.
    Fresh,
    /// What was asked for again, or came back with the subscription.
    Replay,
}

/// Something for each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes<T> {
    pub fresh: T,
    pub replay: T,
}

impl Lane {
    pub const ALL: [Self; 2] = [Self::Fresh, Self::Replay];

    /// The lane of a delivery that was never attempted and was matched in this generation; none of one that is not to be
    /// delivered.
    pub fn of(subscription: &Subscription, generation: Generation) -> Option<Self> {
        let lane = if generation == subscription.generation { Self::Fresh } else { Self::Replay };
        subscription.is_live(generation).then_some(lane)
    }

    /// The lane of a delivery that waits for an attempt, when so many retries of its schedule came before.
    pub fn after(retries: u16) -> Self {
        if retries == 0 { Self::Replay } else { Self::Fresh }
    }
}

impl<T> Lanes<T> {
    /// What `make` makes for each.
    pub fn each(mut make: impl FnMut(Lane) -> T) -> Self {
        Self { fresh: make(Lane::Fresh), replay: make(Lane::Replay) }
    }
}

impl<T> Index<Lane> for Lanes<T> {
    type Output = T;

    fn index(&self, lane: Lane) -> &T {
        match lane {
            Lane::Fresh => &self.fresh,
            Lane::Replay => &self.replay,
        }
    }
}

impl<T> IndexMut<Lane> for Lanes<T> {
    fn index_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Fresh => &mut self.fresh,
            Lane::Replay => &mut self.replay,
        }
    }
}
