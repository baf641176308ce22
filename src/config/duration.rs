//! Lengths of time in the configuration, written as `250ms`, `10s`, `1h 30m`; in code they are `Duration`.
//!
//! To be named in `#[serde(with = …)]`; a list of them by [`list`], and one or a list that may be left out by [`option`]
//! and [`option_list`].

use std::fmt;
use std::time::Duration;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

struct Written;

/// One of a list.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Entry(#[serde(with = "self")] Duration);

/// Units by their length in milliseconds, the longest first.
const UNITS: [(u128, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];

/// The duration in the longest unit that it is a whole number of: `90m` rather than `1h 30m`.
pub(crate) fn written(duration: Duration) -> String {
    let (nanos, ms) = (duration.subsec_nanos() % 1_000_000, duration.as_millis());
    match UNITS.iter().find(|(length, _)| ms.is_multiple_of(*length)) {
        _ if ms == 0 && nanos == 0 => "0s".to_owned(),
        Some((length, unit)) if nanos == 0 => format!("{}{unit}", ms / length),
        _ => humantime::format_duration(duration).to_string(),
    }
}

pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*duration))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Written)
}

impl Visitor<'_> for Written {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a duration with its unit, such as "250ms", "10s" or "1h""#)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
        read(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The duration that a text says.
///
/// # Errors
/// When it says none.
pub(crate) fn read(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// A list of durations.
pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(list: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().copied().map(Entry))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
        let entries = Vec::<Entry>::deserialize(from)?;
        Ok(entries.into_iter().map(|entry| entry.0).collect())
    }
}

/// A duration that may be left out.
pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        given: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        given.map(Entry).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Entry>::deserialize(from)?.map(|entry| entry.0))
    }
}

/// A list of durations that may be left out.
pub(crate) mod option_list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        given: &Option<Vec<Duration>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let entries: Option<Vec<Entry>> =
            given.as_ref().map(|list| list.iter().copied().map(Entry).collect());
        entries.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Duration>>, D::Error> {
        let entries = Option::<Vec<Entry>>::deserialize(from)?;
        Ok(entries.map(|entries| entries.into_iter().map(|entry| entry.0).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_text(text: &str) -> Result<Duration, String> {
        use serde::de::IntoDeserializer;
        let deserializer: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            text.into_deserializer();
        deserialize(deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_written_with_their_unit() {
        assert_eq!(from_text("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(from_text("1h 30m"), Ok(Duration::from_secs(5400)));
        for text in ["0s", "250ms", "301s", "90m", "1h", "31d"] {
            assert_eq!(from_text(text).map(written).as_deref(), Ok(text));
        }
        assert_eq!(written(Duration::from_micros(1500)), "1ms 500us");
    }

    #[test]
    fn a_duration_without_a_unit_is_refused_with_an_example() {
        let refusal = from_text("10").unwrap_err();
        assert!(refusal.contains("\"10\"") && refusal.contains("\"10s\""), "{refusal}");
    }
}
