//! Cells: one value, as a program reads it and as a person does.
//!
//! Values come from strangers, receivers among them: control characters in them are shown as escapes.

use std::borrow::Cow;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use hookyard::clock::Timestamp;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const WARNING: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();

/// A value to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    value: String,
    /// What a person sees in its place, where that differs.
    shown: Option<String>,
    style: Style,
    flexible: bool,
}

/// What a person sees where there is no value.
const NOTHING: &str = "-";

/// Units of time by their length in seconds, the longest first.
const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];

impl Cell {
    pub fn new(value: impl ToString) -> Self {
        let value = visible(&value.to_string()).into_owned();
        let shown = value.is_empty().then(|| NOTHING.to_owned());
        Self { value, shown, style: Style::new(), flexible: false }
    }

    /// A value that may be absent.
    pub fn of(value: Option<impl ToString>) -> Self {
        Self::new(value.map(|value| value.to_string()).unwrap_or_default())
    }

    /// A moment as the API has it; a person sees how long ago it was, or how long it is until then.
    pub fn moment(text: Option<&str>, now: Timestamp) -> Self {
        let moment = text.and_then(Timestamp::parse);
        Self { shown: moment.map(|moment| relative(moment, now)), ..Self::of(text) }.or_nothing()
    }

    /// The status of a hook, an endpoint, a delivery or an attempt.
    pub fn status(status: &str) -> Self {
        let style = match status {
            "active" | "delivered" | "enabled" | "success" => GOOD,
            "paused" | "pending" | "sending" => WARNING,
            _ => BAD,
        };
        Self::new(status).styled(style)
    }

    /// The answer that an attempt got: its status code, or else the error.
    pub fn answer(status: Option<u16>, error: Option<&str>) -> Self {
        match (status, error) {
            (Some(status @ 200..=299), _) => Self::new(status).styled(GOOD),
            (Some(status), _) => Self::new(status).styled(BAD),
            (None, Some(error)) => Self::new(error).styled(BAD),
            (None, None) => Self::new(""),
        }
    }

    pub fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// May be cut short where the terminal is too narrow.
    pub fn flexible(self) -> Self {
        Self { flexible: true, ..self }
    }

    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// For a program: the value, on one line.
    pub fn plain(&self) -> String {
        self.value.clone()
    }

    /// For a person, in colour.
    pub fn painted(&self) -> String {
        let (style, text) = (self.style, self.shown.as_deref().unwrap_or(&self.value));
        format!("{style}{text}{style:#}")
    }

    /// For a person, in colour, in a column of this width.
    pub fn padded(&self, width: usize) -> String {
        let length = self.shown.as_deref().unwrap_or(&self.value).chars().count();
        self.painted() + &" ".repeat(width.saturating_sub(length))
    }

    fn or_nothing(mut self) -> Self {
        if self.value.is_empty() {
            self.shown = Some(NOTHING.to_owned());
        }
        self
    }
}

/// The text without anything that a terminal would obey.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |character: char| match character.is_control() {
        true => character.escape_default().collect(),
        false => character.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// A length of time in its two largest units: `3d 4h`, `12s`.
pub fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let Some(at) = UNITS.iter().position(|(length, _)| seconds >= *length) else { return "0s".to_owned() };
    let (length, unit) = UNITS[at];
    let first = format!("{}{unit}", seconds / length);
    match UNITS.get(at + 1).map(|(smaller, unit)| (seconds % length / smaller, unit)) {
        Some((count @ 1.., unit)) => format!("{first} {count}{unit}"),
        _ => first,
    }
}

fn relative(moment: Timestamp, now: Timestamp) -> String {
    match moment > now {
        true => format!("in {}", rough(now.until(moment))),
        false => format!("{} ago", rough(moment.until(now))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_how_long_ago_and_a_program_when() {
        let now = Timestamp::parse("2026-01-15T10:30:00Z").unwrap();
        let shown = |text: &str| Cell::moment(Some(text), now).painted();
        assert_eq!(shown("2026-01-15T10:29:18.500Z"), "41s ago");
        assert_eq!(shown("2026-01-12T06:10:00Z"), "3d 4h ago");
        assert_eq!(shown("2026-01-15T10:31:00Z"), "in 1m");
        assert_eq!(Cell::moment(Some("2026-01-15T10:31:00Z"), now).plain(), "2026-01-15T10:31:00Z");
        assert_eq!(Cell::moment(None, now).painted(), "-");
        assert_eq!(Cell::moment(None, now).plain(), "");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(Cell::new("a\x1b[31m\tb\nc\u{9b}d").plain(), "a\\u{1b}[31m\\tb\\nc\\u{9b}d");
        assert_eq!(Cell::new("häh → ✓").plain(), "häh → ✓");
    }
}
