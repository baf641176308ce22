//! The time: the one place that asks for it.

mod steady;

use std::fmt;
use std::num::NonZeroU8;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::iso8601::{self, EncodedConfig, TimePrecision};
use time::format_description::well_known::{Iso8601, Rfc3339};

pub use self::steady::{Clock, Now};

/// A moment on the wall clock, or on a [`Clock`] that does not jump, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

/// Bytes of a date: `2026-01-15`.
const DATE_LENGTH: usize = 10;

impl Timestamp {
    /// The present moment of the wall clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis() as u64)
    }

    /// Whole seconds since the epoch, as `webhook-timestamp` has them.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The moment `duration` later, rounded up to a millisecond so that nothing comes early.
    pub fn after(self, duration: Duration) -> Self {
        let ms = duration.as_nanos().div_ceil(1_000_000);
        Self(self.0.saturating_add(u64::try_from(ms).unwrap_or(u64::MAX)))
    }

    /// How long it is until `later`; nothing if that is past.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-01-15T10:30:00.007Z`.
    pub fn with_milliseconds(self) -> String {
        const FORMAT: EncodedConfig = iso8601::Config::DEFAULT
            .set_time_precision(TimePrecision::Second { decimal_digits: NonZeroU8::new(3) })
            .encode();
        let nanos = i128::from(self.0) * 1_000_000;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
        // One that is beyond all calendars has no better text.
        moment.and_then(|moment| moment.format(&Iso8601::<FORMAT>).ok()).unwrap_or_default()
    }

    /// Reads an RFC 3339 date-time, to the millisecond; one before 1970 is read as the beginning of 1970.
    ///
    /// Between date and time stands `T`, `t` or a space. The library takes any character, and what has been read here
    /// is sent inside a JSON string.
    pub fn parse(text: &str) -> Option<Self> {
        text.get(DATE_LENGTH..).filter(|time| time.starts_with(['T', 't', ' ']))?;
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        Some(Self(u64::try_from(nanos / 1_000_000).unwrap_or(0)))
    }
}

/// RFC 3339 in UTC with whole seconds: `2026-01-15T10:30:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.unix_seconds() as i64)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_in_utc_with_whole_seconds() {
        assert_eq!(Timestamp(1_768_473_000_999).to_string(), "2026-01-15T10:30:00Z");
        assert_eq!(Timestamp(1_768_473_000_007).with_milliseconds(), "2026-01-15T10:30:00.007Z");
    }

    #[test]
    fn an_offset_is_read_as_the_moment_it_names() {
        assert_eq!(Timestamp::parse("2026-01-15T11:30:00.5+01:00"), Some(Timestamp(1_768_473_000_500)));
        assert_eq!(Timestamp::parse("1969-07-20T20:17:40Z"), Some(Timestamp(0)));
        assert_eq!(Timestamp::parse("2026-01-15 10:30"), None);
    }

    #[test]
    fn nothing_stands_between_date_and_time_that_would_end_a_string() {
        for good in ["2026-01-15T10:30:00Z", "2026-01-15t10:30:00z", "2026-01-15 10:30:00Z"] {
            assert_eq!(Timestamp::parse(good), Some(Timestamp(1_768_473_000_000)), "{good}");
        }
        for bad in ['"', '\\', '\n', '\0', '_', 'ä'] {
            assert_eq!(Timestamp::parse(&format!("2026-01-15{bad}10:30:00Z")), None, "{bad:?}");
        }
    }

    #[test]
    fn a_fraction_of_a_millisecond_never_makes_it_early() {
        assert_eq!(Timestamp(10).after(Duration::from_nanos(1)), Timestamp(11));
    }
}
