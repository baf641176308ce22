//! Words on the command line that have a form: ids, moments, scopes. A wrong one is refused before anything is called.

use std::time::Duration;

use hookyard::account::Scope;
use hookyard::clock::Timestamp;

/// A moment in RFC 3339, as the API takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment(String);

/// How many characters an id has behind its prefix.
const ID_LENGTH: usize = 27;

/// A hook's id; that of an endpoint names a hook too.
pub fn hook_id(text: &str) -> Result<String, String> {
    let ours = text.strip_prefix("ep_").map(|tail| format!("hook_{tail}"));
    id(ours.as_deref().unwrap_or(text), "hook_", "a hook's id", "hookyard hooks list")
}

/// An event's id; that of a message names an event too.
pub fn event_id(text: &str) -> Result<String, String> {
    let ours = text.strip_prefix("msg_").map(|tail| format!("evt_{tail}"));
    id(ours.as_deref().unwrap_or(text), "evt_", "an event's id", "hookyard events list")
}

/// A delivery's id.
pub fn delivery_id(text: &str) -> Result<String, String> {
    id(text, "dlv_", "a delivery's id", "hookyard deliveries list")
}

/// An API key's id.
pub fn key_id(text: &str) -> Result<String, String> {
    id(text, "key_", "a key's id", "hookyard keys list")
}

/// An id, a uid or an event type, as it stands in a path.
pub fn name(text: &str) -> Result<String, String> {
    let is_obeyed = |letter: char| letter.is_control() || "/\\%".contains(letter);
    match text {
        "" | "." | ".." => Err("that is no name".to_owned()),
        _ if text.contains(is_obeyed) => Err("a name has no slash and no per cent sign".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A name and a value.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "it is written as name=value".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A scope's name.
pub fn scope(text: &str) -> Result<&'static str, String> {
    let known = Scope::ALL.map(Scope::as_str);
    let found = known.into_iter().find(|name| *name == text);
    found.ok_or_else(|| format!("a scope is one of {}", known.join(", ")))
}

/// A length of time with its unit.
pub fn duration(text: &str) -> Result<String, String> {
    length(text).map(|_| text.to_owned())
}

/// The same where the API takes it in seconds.
pub fn seconds(text: &str) -> Result<u64, String> {
    let length = length(text)?;
    if length.subsec_nanos() == 0 { Ok(length.as_secs()) } else { Err("it must be whole seconds".to_owned()) }
}

/// A moment, or how long it is past.
pub fn moment(text: &str) -> Result<Moment, String> {
    read_moment(text, Timestamp::now()).ok_or_else(|| {
        "a moment is written as 2026-01-15T10:30:00Z, as 2026-01-15, or as how long ago: 90s, 15m, 24h, 7d"
            .to_owned()
    })
}

/// A moment as an event carries it.
pub fn timestamp(text: &str) -> Result<String, String> {
    match Timestamp::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a timestamp is written as 2026-01-15T10:30:00Z (RFC 3339)".to_owned()),
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn id(text: &str, prefix: &str, what: &str, found_by: &str) -> Result<String, String> {
    let tail = text.strip_prefix(prefix).unwrap_or_default();
    if tail.len() >= ID_LENGTH && tail.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{what} is {prefix} and at least {ID_LENGTH} letters and digits; `{found_by}` shows what there is"
    ))
}

fn length(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "a length of time is written as 90s, 15m, 24h or 7d".to_owned())
}

fn read_moment(text: &str, now: Timestamp) -> Option<Moment> {
    if let Ok(past) = humantime::parse_duration(text) {
        let ms = u64::try_from(past.as_millis()).ok()?;
        return Some(Moment(Timestamp(now.0.saturating_sub(ms)).to_string()));
    }
    let midnight = format!("{text}T00:00:00Z");
    [text, midnight.as_str()]
        .into_iter()
        .find(|text| Timestamp::parse(text).is_some())
        .map(|text| Moment(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_or_how_long_ago() {
        let now = Timestamp::parse("2026-01-15T10:30:00Z").unwrap();
        let read = |text: &str| read_moment(text, now).map(|moment| moment.to_string());
        assert_eq!(read("1h").as_deref(), Some("2026-01-15T09:30:00Z"));
        assert_eq!(read("1d 30m").as_deref(), Some("2026-01-14T10:00:00Z"));
        assert_eq!(read("2026-01-15").as_deref(), Some("2026-01-15T00:00:00Z"));
        assert_eq!(read("2026-01-15T11:30:00.5+01:00").as_deref(), Some("2026-01-15T11:30:00.5+01:00"));
        for bad in ["", "yesterday", "10", "2026-13-01", "-1h"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_id_has_its_prefix_and_nothing_that_a_path_would_obey() {
        let digits = "0".repeat(27);
        assert!(hook_id(&format!("hook_{digits}")).is_ok());
        for bad in
            ["", "hook_", "hook_../keys", &digits, &format!("evt_{digits}"), &format!("hook_{digits}/")]
        {
            assert!(hook_id(bad).is_err(), "{bad}");
        }
        let of_endpoint = hook_id(&format!("ep_{digits}"));
        assert_eq!(of_endpoint, Ok(format!("hook_{digits}")));
        for bad in ["", ".", "..", "a/b", "a\\b", "%2e", "a\n"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(delivery_id("x").unwrap_err().contains("hookyard deliveries list"));
    }

    #[test]
    fn a_wrong_scope_is_told_the_right_ones() {
        assert_eq!(scope("events"), Ok("events"));
        assert_eq!(scope("root").unwrap_err(), "a scope is one of hooks, events, admin");
    }
}
