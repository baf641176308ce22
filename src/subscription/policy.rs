//! Delivery policies: what a subscription's owner says of how it is served. What is left out is as the configuration says.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::duration::{self, written};

/// How a subscription is served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryPolicy {
    /// The most attempts that begin in a second, retries included, evenly spread: after a quiet time a tenth of them, and
    /// at least one, may begin at once. Any number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// The most attempts in flight at a time, within what the configuration allows; as many when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    pub ordering: Ordering,
    /// Whether requests carry `webhook-sequence`: a number that grows from event to event and is the same on every attempt.
    pub sequence: bool,
    /// The waits before each retry, counted from the failure before; the configuration's when absent.
    #[serde(with = "duration::option_list", skip_serializing_if = "Option::is_none")]
    pub retries: Option<Vec<Duration>>,
    /// How long an attempt may take in all; the configuration's when absent.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    pub deactivate: Deactivate,
    pub poison: Poison,
}

/// In which order events are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// As they come, several at a time; what fails is tried again while others go on.
    #[default]
    None,
    /// One at a time, in the order in which they were accepted: while one is tried again, those behind it wait.
    Fifo,
}

/// When an endpoint at which a delivery has used up its retries is given up, and its subscription deactivated. Where it is
/// not, that delivery alone becomes a dead letter. An endpoint that answers 410 Gone is given up in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deactivate {
    /// At once.
    #[default]
    Exhausted,
    /// If nothing has succeeded for so long.
    Failing(Duration),
    /// Never.
    Never,
}

/// What becomes of an event that fails to the last while others succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poison {
    /// It counts like any other.
    #[default]
    Deactivate,
    /// It becomes a dead letter alone.
    DeadLetter,
}

/// A delivery policy says what it may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("delivery.{key} must be {allowed}")]
pub struct NotADeliveryPolicy {
    key: &'static str,
    allowed: String,
}

/// When an endpoint may be given up, in words.
const DEACTIVATE_ALLOWED: &str = r#""exhausted", "never", or a duration such as "24h""#;
/// Attempts in a second.
const RATES: RangeInclusive<u32> = 1..=65_535;
/// Attempts of one subscription in flight at a time.
pub const CONCURRENCY: RangeInclusive<u32> = 1..=1_024;
/// The most retries of a schedule.
pub const RETRIES_LIMIT: usize = 100;
/// The wait before a retry.
pub const WAITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30 * 24 * 60 * 60);
/// The time that an attempt has.
pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(5 * 60);

impl DeliveryPolicy {
    /// Whether one event after the other is delivered.
    pub fn is_ordered(&self) -> bool {
        self.ordering == Ordering::Fifo
    }

    /// How many attempts may be in flight, where the configuration says `configured`.
    pub fn in_flight_limit(&self, configured: u32) -> u32 {
        if self.is_ordered() { 1 } else { self.concurrency.unwrap_or(configured).min(configured) }
    }

    /// Whether it matters for how long an endpoint has failed.
    pub fn is_patient(&self) -> bool {
        matches!(self.deactivate, Deactivate::Failing(_)) || self.poison == Poison::DeadLetter
    }

    /// Whether an endpoint is given up at which a delivery has used up the waits of `schedule`, when nothing has succeeded
    /// for `failing`.
    ///
    /// If something has succeeded since that delivery failed first, others succeed while it fails.
    pub fn gives_up(&self, schedule: &[Duration], failing: Duration) -> bool {
        let poison: Duration = match self.poison {
            Poison::Deactivate => Duration::ZERO,
            Poison::DeadLetter => schedule.iter().sum(),
        };
        match self.deactivate {
            Deactivate::Exhausted => failing >= poison,
            Deactivate::Failing(long) => failing >= poison.max(long),
            Deactivate::Never => false,
        }
    }

    /// Whether it says only what it may.
    ///
    /// # Errors
    /// The first value that is not allowed.
    pub fn vet(&self) -> Result<(), NotADeliveryPolicy> {
        within("rate", self.rate.as_ref(), &RATES, u32::to_string)?;
        within("concurrency", self.concurrency.as_ref(), &CONCURRENCY, u32::to_string)?;
        within("timeout", self.timeout.as_ref(), &TIMEOUTS, |time| written(*time))?;
        let retries = self.retries.as_deref().unwrap_or_default();
        if retries.len() > RETRIES_LIMIT {
            let allowed = format!("at most {RETRIES_LIMIT} waits");
            return Err(NotADeliveryPolicy { key: "retries", allowed });
        }
        for wait in retries {
            within("retries", Some(wait), &WAITS, |wait| written(*wait))?;
        }
        match &self.deactivate {
            Deactivate::Failing(long) => within("deactivate", Some(long), &WAITS, |wait| written(*wait)),
            Deactivate::Exhausted | Deactivate::Never => Ok(()),
        }
    }
}

fn within<T: PartialOrd>(
    key: &'static str,
    value: Option<&T>,
    allowed: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<(), NotADeliveryPolicy> {
    if value.is_none_or(|value| allowed.contains(value)) {
        return Ok(());
    }
    let (least, most) = (show(allowed.start()), show(allowed.end()));
    Err(NotADeliveryPolicy { key, allowed: format!("{least} to {most}") })
}

impl fmt::Display for Deactivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted => f.write_str("exhausted"),
            Self::Failing(long) => f.write_str(&written(*long)),
            Self::Never => f.write_str("never"),
        }
    }
}

impl FromStr for Deactivate {
    type Err = NotADeliveryPolicy;

    fn from_str(text: &str) -> Result<Self, NotADeliveryPolicy> {
        match text {
            "exhausted" => Ok(Self::Exhausted),
            "never" => Ok(Self::Never),
            text => duration::read(text).map(Self::Failing).map_err(|_| NotADeliveryPolicy {
                key: "deactivate",
                allowed: DEACTIVATE_ALLOWED.to_owned(),
            }),
        }
    }
}

impl Serialize for Deactivate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Deactivate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let refused = |_| serde::de::Error::custom(format_args!("it must be {DEACTIVATE_ALLOWED}"));
        text.parse().map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<DeliveryPolicy, String> {
        let policy: DeliveryPolicy = serde_json::from_str(json).map_err(|error| error.to_string())?;
        policy.vet().map_err(|error| error.to_string())?;
        Ok(policy)
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn what_is_left_out_is_as_configured() {
        assert_eq!(read("{}"), Ok(DeliveryPolicy::default()));
        let shown = serde_json::to_string(&DeliveryPolicy::default()).unwrap();
        assert_eq!(
            shown,
            r#"{"ordering":"none","sequence":false,"deactivate":"exhausted","poison":"deactivate"}"#
        );
    }

    #[test]
    fn what_is_said_is_read_and_shown_as_it_was() {
        let said = r#"{"rate":50,"concurrency":4,"ordering":"fifo","sequence":true,"retries":["1m","90m"],"timeout":"5s","deactivate":"5d","poison":"dead_letter"}"#;
        let policy = read(said).unwrap();
        assert_eq!(policy.retries, Some(vec![HOUR / 60, HOUR * 3 / 2]));
        assert_eq!(policy.deactivate, Deactivate::Failing(HOUR * 24 * 5));
        assert_eq!(serde_json::to_string(&policy).unwrap(), said);
    }

    #[test]
    fn what_may_not_be_is_refused_by_its_name() {
        for (json, why) in [
            (r#"{"rate":0}"#, "delivery.rate must be 1 to 65535"),
            (r#"{"concurrency":1025}"#, "delivery.concurrency must be 1 to 1024"),
            (r#"{"timeout":"6m"}"#, "delivery.timeout must be 1ms to 5m"),
            (r#"{"retries":["31d"]}"#, "delivery.retries must be 1ms to 30d"),
            (r#"{"deactivate":"0s"}"#, "delivery.deactivate must be 1ms to 30d"),
        ] {
            assert_eq!(read(json).unwrap_err(), why);
        }
        for (json, part) in [
            (r#"{"deactivate":"soon"}"#, "such as \"24h\""),
            (r#"{"ordering":"lifo"}"#, "lifo"),
            (r#"{"speed":1}"#, "speed"),
        ] {
            let why = read(json).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn an_endpoint_is_given_up_as_its_owner_says() {
        let gives_up = |json: &str, failing| read(json).unwrap().gives_up(&[HOUR, HOUR], failing);
        assert!(gives_up("{}", Duration::ZERO));
        assert!(!gives_up(r#"{"deactivate":"never"}"#, HOUR * 9_999));
        assert!(!gives_up(r#"{"deactivate":"3h"}"#, HOUR * 2));
        assert!(gives_up(r#"{"deactivate":"3h"}"#, HOUR * 3));
        assert!(!gives_up(r#"{"poison":"dead_letter"}"#, HOUR));
        assert!(gives_up(r#"{"poison":"dead_letter"}"#, HOUR * 2));
        assert!(!gives_up(r#"{"poison":"dead_letter","deactivate":"1d"}"#, HOUR * 3));
    }

    #[test]
    fn in_order_means_one_at_a_time() {
        assert_eq!(DeliveryPolicy::default().in_flight_limit(32), 32);
        assert_eq!(read(r#"{"concurrency":4}"#).unwrap().in_flight_limit(32), 4);
        assert_eq!(read(r#"{"concurrency":64}"#).unwrap().in_flight_limit(32), 32);
        assert_eq!(read(r#"{"concurrency":4,"ordering":"fifo"}"#).unwrap().in_flight_limit(32), 1);
    }
}
