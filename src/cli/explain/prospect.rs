//! What happens next to a delivery, as its state and that of its hook tell.

use hookyard::clock::Timestamp;

use super::super::output::cell::rough;
use super::super::shown::{Delivery, Hook};

/// What a delivery has before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prospect {
    Delivered {
        attempts: u32,
    },
    /// Its next attempt has a time.
    Due {
        attempt: u32,
        at: Timestamp,
    },
    /// It waits for an older delivery, which probes whether the receiver answers again.
    BehindProbe {
        probe_at: Timestamp,
    },
    /// It was never attempted, and something else of its hook comes then: it is being sent, or waits behind a probe.
    Unattempted {
        other_at: Timestamp,
    },
    /// Its hook is paused.
    Paused,
    /// It is being sent, or is about to be.
    UnderWay,
    /// It is a dead letter.
    GivenUp {
        reason: Option<String>,
        is_deactivated: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Plain,
    Good,
    Waiting,
    Bad,
}

impl Prospect {
    /// The prospect of a delivery whose hook is `hook`, as far as that is known.
    pub fn of(delivery: &Delivery, hook: Option<&Hook>, now: Timestamp) -> Self {
        let is_deactivated = hook.is_some_and(|hook| hook.status == "deactivated");
        let Delivery { attempts, .. } = *delivery;
        match delivery.status.as_str() {
            "delivered" => return Self::Delivered { attempts },
            "pending" if !is_deactivated => {}
            _ => {
                let reason = hook.and_then(|hook| hook.reason.clone()).or(delivery.last_error.clone());
                return Self::GivenUp { reason, is_deactivated };
            }
        }
        if hook.is_some_and(|hook| hook.status == "paused") {
            return Self::Paused;
        }
        let moment = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
        let probe = hook.and_then(|hook| moment(&hook.next_attempt_at)).filter(|at| *at > now);
        match (moment(&delivery.next_attempt_at), probe) {
            (Some(at), Some(probe_at)) if at <= now => Self::BehindProbe { probe_at },
            (Some(at), _) => Self::Due { attempt: attempts + 1, at },
            (None, Some(other_at)) => Self::Unattempted { other_at },
            (None, None) => Self::UnderWay,
        }
    }

    /// Where it stands among the others: first what still waits, last what needs no looking at.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Due { .. } | Self::BehindProbe { .. } | Self::Unattempted { .. } | Self::UnderWay => 0,
            Self::Paused => 1,
            Self::GivenUp { .. } => 2,
            Self::Delivered { .. } => 3,
        }
    }

    pub fn mood(&self) -> Mood {
        match self {
            Self::Delivered { .. } => Mood::Good,
            Self::GivenUp { .. } => Mood::Bad,
            Self::Due { .. } | Self::BehindProbe { .. } | Self::Unattempted { .. } => Mood::Waiting,
            Self::Paused | Self::UnderWay => Mood::Waiting,
        }
    }

    /// The prospect as a sentence.
    pub fn told(&self, now: Timestamp) -> String {
        let until = |at: &Timestamp| format!("in {}, at {at}", rough(now.until(*at)));
        match self {
            Self::Delivered { attempts: 0 | 1 } => "nothing: delivered at the first attempt".to_owned(),
            Self::Delivered { attempts } => format!("nothing: delivered after {attempts} attempts"),
            Self::Due { attempt, at } if at > &now => format!("attempt {attempt} comes {}", until(at)),
            Self::Due { attempt, .. } => format!("attempt {attempt} is due now"),
            Self::BehindProbe { probe_at } => format!(
                "waits while the oldest delivery probes whether the receiver answers again, next {}",
                until(probe_at)
            ),
            Self::Unattempted { other_at } => format!(
                "is being sent, or waits while an older delivery probes the receiver, next {}",
                until(other_at)
            ),
            Self::Paused => "waits until the hook is resumed: it is paused".to_owned(),
            Self::UnderWay => "is being sent, or is about to be".to_owned(),
            Self::GivenUp { reason: Some(reason), is_deactivated: true } => {
                format!("given up, a dead letter: the hook is deactivated: {reason}")
            }
            Self::GivenUp { reason: Some(reason), .. } => format!("given up, a dead letter: {reason}"),
            Self::GivenUp { reason: None, .. } => "given up, a dead letter".to_owned(),
        }
    }

    /// What a person can do about it.
    pub fn hint(&self, delivery: &Delivery) -> Option<String> {
        let hook = delivery.hook_id.as_deref().unwrap_or("HOOK_ID");
        match self {
            Self::Paused => Some(format!("hookyard hooks resume {hook}")),
            Self::GivenUp { is_deactivated: true, .. } => {
                let url = delivery.url.as_deref().unwrap_or("URL");
                let event = delivery.event.as_deref().unwrap_or("EVENT");
                Some(format!("hookyard hooks subscribe {url} {event} --replay"))
            }
            Self::GivenUp { .. } => Some(format!("hookyard deliveries retry {}", delivery.id)),
            _ => None,
        }
    }
}
