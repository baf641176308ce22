//! The value of a subscription's attempts by the hour, and by the day where they are older.

use serde::{Deserialize, Serialize};

use super::{V1, V2, Value, decode_as, encode_as, version};
use crate::store::{AttemptCounts, Error, Hour};

/// The attempts for a subscription, counted up to a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Tallied {
    pub counted: u64,
    pub counts: AttemptCounts,
}

/// Before days were kept.
#[derive(Serialize, Deserialize)]
struct TalliedV1 {
    counted: u64,
    hours: Vec<HourV1>,
}

#[derive(Serialize, Deserialize)]
pub struct TalliedV2 {
    counted: u64,
    days: Vec<HourV1>,
    hours: Vec<HourV1>,
}

/// Hours since the one before, attempts, and those that succeeded.
type HourV1 = (u32, u32, u32);

impl From<TalliedV1> for TalliedV2 {
    fn from(TalliedV1 { counted, hours }: TalliedV1) -> Self {
        Self { counted, days: Vec::new(), hours }
    }
}

impl Value for Tallied {
    type Stored = TalliedV2;
    type Key = ();

    fn store(&self) -> TalliedV2 {
        let AttemptCounts { days, hours } = &self.counts;
        TalliedV2 { counted: self.counted, days: distances(days), hours: distances(hours) }
    }

    fn load(TalliedV2 { counted, days, hours }: TalliedV2, (): ()) -> Option<Self> {
        Some(Self { counted, counts: AttemptCounts { days: in_order(days), hours: in_order(hours) } })
    }

    fn encode(&self) -> Vec<u8> {
        encode_as(V2, &self.store())
    }

    fn decode(bytes: &[u8], (): ()) -> Result<Self, Error> {
        let stored = match version(bytes)? {
            V1 => decode_as::<TalliedV1>(V1, bytes)?.into(),
            _ => decode_as(V2, bytes)?,
        };
        Self::load(stored, ()).ok_or_else(|| Error::damaged("the attempts by the hour"))
    }
}

/// Hours in order, each by its distance from the one before.
fn distances(hours: &[Hour]) -> Vec<HourV1> {
    let mut before = 0;
    let distances = hours.iter().map(|one| {
        let distance = one.hour - before;
        before = one.hour;
        (distance, one.attempts, one.successes)
    });
    distances.collect()
}

/// The hours that distances stand for.
fn in_order(distances: Vec<HourV1>) -> Vec<Hour> {
    let mut before = 0_u32;
    let hours = distances.into_iter().map(|(distance, attempts, successes)| {
        before = before.saturating_add(distance);
        Hour { hour: before, attempts, successes }
    });
    hours.collect()
}
