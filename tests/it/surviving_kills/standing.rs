//! Where hooks may stand: what follows from the answers about them, with those that kills cut off.
//!
//! A call that was answered leaves a hook where the answer says. One that was not was carried out or was not. Nothing
//! else moves a hook, but that one whose receiver fails may be given up. An answer that no such course allows fails the
//! test.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::answers::{Call, Said, Wish};
use super::far_side::Temper;

/// What is known of the hooks of one place.
#[derive(Default)]
pub struct Course {
    /// The stretches of time in which one certainly matched.
    pub stretches: Vec<Stretch>,
    /// When nothing may have been started for it.
    pub silences: Vec<Silence>,
    /// By id, when the call that made it began.
    pub births: HashMap<String, Instant>,
}

/// From one answer to the beginning of the last call that shows that it was still there.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub id: String,
    pub from: Instant,
    pub to: Instant,
}

/// From the answer that says so to the call that may have ended it.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    pub from: Instant,
    pub to: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Absent,
    Active,
    Paused,
    Deactivated,
}

/// The course of a place's hooks, as far as it was followed.
struct Follower {
    course: Course,
    temper: Temper,
    possible: BTreeSet<Standing>,
    id: Option<String>,
    live: Option<Stretch>,
    silent_since: Option<Instant>,
    /// When a hook of an id that was never answered may have been made.
    conceived: Option<Instant>,
}

impl Course {
    /// What follows from these calls, in their order.
    pub fn of<'a>(calls: impl Iterator<Item = &'a Call>, temper: Temper) -> Self {
        let mut follower = Follower {
            course: Self::default(),
            temper,
            possible: [Standing::Absent].into(),
            id: None,
            live: None,
            silent_since: None,
            conceived: None,
        };
        calls.for_each(|call| follower.follow(call));
        follower.end_stretch();
        follower.end_silence(Instant::now());
        follower.course
    }

    /// The hook that certainly matched during all of this time.
    pub fn matched(&self, from: Instant, to: Instant) -> Option<&str> {
        let over = |stretch: &&Stretch| stretch.from <= from && to <= stretch.to;
        self.stretches.iter().find(over).map(|stretch| stretch.id.as_str())
    }
}

impl Follower {
    fn follow(&mut self, call: &Call) {
        let attempted = self.possible.iter().any(|one| matches!(one, Standing::Active | Standing::Paused));
        if self.temper.may_be_given_up() && attempted {
            self.possible.insert(Standing::Deactivated);
        }
        if matches!(call.wish, Wish::Subscribe { .. }) && self.possible.contains(&Standing::Absent) {
            self.conceived.get_or_insert(call.began);
        }
        if matches!(call.wish, Wish::Subscribe { .. } | Wish::Resume) {
            self.end_silence(call.began);
        }
        if !call.is_answered() {
            self.possible = self.possible.iter().flat_map(|one| [*one, call.wish.leaves(*one)]).collect();
            if matches!(call.wish, Wish::Subscribe { .. }) {
                self.end_stretch();
            }
            return;
        }
        let before = self.before(call);
        let after: BTreeSet<Standing> = before.iter().map(|one| call.wish.leaves(*one)).collect();
        self.name(call);
        self.stretch(call, &before);
        self.possible = after;
        self.conceived = None;
        if self.possible.contains(&Standing::Absent) {
            self.id = None;
        }
        if !self.possible.contains(&Standing::Active) {
            self.silent_since.get_or_insert(call.ended);
        }
    }

    /// Where the hook stood when the call was carried out, by its answer.
    fn before(&self, call: &Call) -> BTreeSet<Standing> {
        let fits = |one: &Standing| {
            let status = call.hook().map(|hook| hook.status.as_str());
            let same_status = status.is_none_or(|status| status == call.wish.leaves(*one).as_str());
            let known = call.hook().is_some_and(|hook| self.id.as_ref() == Some(&hook.id));
            let same_id = match (&call.said, one) {
                (Said::Created(_), Standing::Absent) => !known,
                (Said::Created(_) | Said::Hook(_), _) => known || self.conceived.is_some(),
                _ => true,
            };
            same_status && same_id && call.wish.is_answered(*one, &call.said)
        };
        let before: BTreeSet<Standing> = self.possible.iter().copied().filter(fits).collect();
        assert!(!before.is_empty(), "{:?} with {:?} cannot be: {call:?}", self.possible, self.id);
        before
    }

    /// Learns the id that was answered.
    fn name(&mut self, call: &Call) {
        let Some(hook) = call.hook().filter(|hook| self.id.as_ref() != Some(&hook.id)) else {
            return;
        };
        self.id = Some(hook.id.clone());
        let born = self.conceived.unwrap_or(call.began);
        self.course.births.insert(hook.id.clone(), born);
    }

    /// Draws out the stretch in which the hook certainly matches, begins one or ends it.
    fn stretch(&mut self, call: &Call, before: &BTreeSet<Standing>) {
        let is_live = |one: &Standing| matches!(one, Standing::Active | Standing::Paused);
        let stayed = before.iter().all(is_live);
        if let Some(live) = self.live.as_mut().filter(|live| stayed && Some(&live.id) == self.id.as_ref()) {
            live.to = call.began;
            if matches!(call.wish, Wish::Unsubscribe) {
                self.end_stretch();
            }
            return;
        }
        self.end_stretch();
        let shown = call.hook().filter(|hook| hook.status != Standing::Deactivated.as_str());
        self.live = shown.map(|hook| Stretch { id: hook.id.clone(), from: call.ended, to: call.ended });
    }

    fn end_stretch(&mut self) {
        self.course.stretches.extend(self.live.take());
    }

    fn end_silence(&mut self, to: Instant) {
        let silence = self.silent_since.take().map(|from| Silence { from, to });
        self.course.silences.extend(silence);
    }
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deactivated => "deactivated",
        }
    }
}

impl Wish {
    /// Where a hook stands once it is carried out.
    fn leaves(&self, before: Standing) -> Standing {
        match (self, before) {
            (Self::Subscribe { .. }, _) => Standing::Active,
            (Self::Unsubscribe, _) => Standing::Absent,
            (Self::Pause, Standing::Active) => Standing::Paused,
            (Self::Resume, Standing::Paused) => Standing::Active,
            _ => before,
        }
    }

    /// Whether this is how it is answered for a hook that stands there.
    fn is_answered(&self, before: Standing, said: &Said) -> bool {
        match (self, before) {
            (Self::Subscribe { .. }, Standing::Active | Standing::Paused) => matches!(said, Said::Hook(_)),
            (Self::Subscribe { .. }, _) => matches!(said, Said::Created(_)),
            (Self::Unsubscribe, Standing::Absent) => matches!(said, Said::Deleted(0)),
            (Self::Unsubscribe, _) => matches!(said, Said::Deleted(1)),
            (_, Standing::Absent) => matches!(said, Said::Missing),
            (Self::Replay { .. } | Self::Retry { .. }, Standing::Deactivated) => {
                matches!(said, Said::GivenUp)
            }
            (Self::Replay { .. } | Self::Retry { .. }, _) => matches!(said, Said::Queued),
            _ => matches!(said, Said::Hook(_)),
        }
    }
}
