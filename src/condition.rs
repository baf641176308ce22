//! Conditions: what must hold of an event's data for a subscription to get it.
//!
//! A condition is a logical expression of JSONPath (RFC 9535, 2.3.5), in which `@` stands for the data:
//! `@.amount > 100 && @.country == "DE"`. What is not there compares as nothing, so a condition holds or does not, but
//! cannot fail; only data that is nested too deeply to be read is another matter, and nothing holds of that.
//!
//! Whoever may subscribe writes one, and it is held against every event: it must not cost more than going through the data
//! once. So what visits a part of the data twice is refused (`..`, several selectors in one bracket, filters within, `$`),
//! and regular expressions are.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;
use serde_json_path::JsonPath;

/// The longest condition, in characters.
pub const CONDITION_LIMIT: usize = 1024;
/// The most brackets that open in one: each may nest.
const BRACKETS_LIMIT: usize = 16;
/// The most functions in one: where they nest, the parser tries each twice.
const FUNCTIONS_LIMIT: usize = 4;
/// What would cost too much.
const REFUSED: [&str; 6] = ["..", ",", "?", "$", "match(", "search("];
/// The functions that there are.
const FUNCTIONS: [&str; 3] = ["length(", "count(", "value("];

/// What must hold of an event's data. Conditions of the same text are the same.
#[derive(Clone)]
pub struct Condition {
    text: Arc<str>,
    query: Arc<JsonPath>,
}

/// The data of an event, as conditions look at it.
#[derive(Debug)]
pub struct Data(Value);

/// The text is no condition; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACondition {
    #[error("filter has more than {CONDITION_LIMIT} characters")]
    TooLong,
    #[error("filter opens more than {BRACKETS_LIMIT} brackets, or has more than {FUNCTIONS_LIMIT} functions")]
    TooDeep,
    #[error("filter must not have {0} in it: it could cost more than an event may")]
    TooCostly(&'static str),
    #[error(
        "filter is no logical expression of JSONPath, such as @.amount > 100 && @.country == \"DE\": {0}"
    )]
    Unreadable(String),
}

impl Condition {
    /// The condition as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, shared: two of the same text are one condition.
    pub(crate) fn text(&self) -> Arc<str> {
        self.text.clone()
    }

    /// Whether it holds of this data.
    pub fn holds_of(&self, data: &Data) -> bool {
        !self.query.query(&data.0).is_empty()
    }

    /// Whether it holds of data that is the bytes of one JSON value.
    pub fn holds_of_bytes(&self, bytes: &[u8]) -> bool {
        Data::read(bytes).is_some_and(|data| self.holds_of(&data))
    }
}

impl Data {
    /// The data of these bytes; none where they cannot be read: JSON may be nested deeper than 128 levels.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        // A filter selects children: the data is the only one.
        Some(Self(Value::Array(vec![value])))
    }
}

impl FromStr for Condition {
    type Err = NotACondition;

    fn from_str(text: &str) -> Result<Self, NotACondition> {
        if text.chars().take(CONDITION_LIMIT + 1).count() > CONDITION_LIMIT {
            return Err(NotACondition::TooLong);
        }
        let code = without_strings(text);
        if let Some(refused) = REFUSED.into_iter().find(|refused| code.contains(refused)) {
            return Err(NotACondition::TooCostly(refused));
        }
        if !is_balanced(&code) {
            return Err(NotACondition::Unreadable("its parentheses do not match".to_owned()));
        }
        let functions: usize = FUNCTIONS.iter().map(|name| code.matches(name).count()).sum();
        if functions > FUNCTIONS_LIMIT || code.matches(['(', '[']).count() > BRACKETS_LIMIT {
            return Err(NotACondition::TooDeep);
        }
        // In parentheses, so that it is one expression and nothing behind it.
        let query = JsonPath::parse(&format!("$[?({text})]"));
        let query = query.map_err(|error| NotACondition::Unreadable(error.to_string()))?;
        Ok(Self { text: text.into(), query: Arc::new(query) })
    }
}

/// Whether each parenthesis that opens is closed behind it: what is not leaves those that are put around it.
fn is_balanced(code: &str) -> bool {
    let depth = code.chars().try_fold(0_usize, |depth, char| match char {
        '(' => Some(depth + 1),
        ')' => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

/// The text without what is within its string literals, and without white space.
fn without_strings(text: &str) -> String {
    let (mut code, mut quote) = (String::with_capacity(text.len()), None);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match quote {
            // What is behind a backslash ends nothing.
            Some(_) if char == '\\' => drop(chars.next()),
            Some(end) if char == end => quote = None,
            Some(_) => {}
            None if matches!(char, '"' | '\'') => quote = Some(char),
            None if char.is_whitespace() => {}
            None => code.push(char),
        }
    }
    code
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, data: &str) -> bool {
        condition.parse::<Condition>().unwrap().holds_of_bytes(data.as_bytes())
    }

    #[test]
    fn a_condition_holds_or_does_not() {
        let lead = r#"{"amount":120.5,"country":"DE","tags":["a","b"],"owner":{"id":7},"note":null}"#;
        for held in [
            "@.amount > 100",
            r#"@.amount > 100 && @.country == "DE""#,
            r#"@.country == "FR" || @.owner.id == 7"#,
            "@.owner",
            "!@.missing",
            "@.note == null",
            r#"@.tags[1] == "b""#,
            r#"@["country"] == 'DE'"#,
            "length(@.tags) == 2",
            "count(@.tags[*]) == 2",
            r#"@.country != "a, b ? $ .. search(""#,
            "(@.amount >= 120.5)",
        ] {
            assert!(holds(held, lead), "{held}");
        }
        for not in [
            "@.amount < 100",
            "@.missing > 1",
            "@.missing",
            r#"@.amount == "120.5""#,
            "@.country > 100",
            "@.tags[7] == 1",
        ] {
            assert!(!holds(not, lead), "{not}");
        }
        assert!(holds("@ == 5", "5") && holds("@ == \"a\"", "\"a\"") && !holds("@ == 5", "null"));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for bad in [
            "",
            " ",
            "amount > 100",
            "@.amount >",
            "@.a] [@.b",
            "@.a) || (@.b",
            ")@.a(",
            "1 == 1)",
            r#"@.a == "b"#,
        ] {
            assert!(
                matches!(bad.parse::<Condition>(), Err(NotACondition::Unreadable(_))),
                "{bad}: {:?}",
                bad.parse::<Condition>()
            );
        }
        assert_eq!("@.a".repeat(400).parse::<Condition>(), Err(NotACondition::TooLong));
        let deep = format!("{}@.a{}", "(".repeat(200), ")".repeat(200));
        assert_eq!(deep.parse::<Condition>(), Err(NotACondition::TooDeep));
        let nested = format!("{}@.a{} == 1", "length(value(".repeat(3), "))".repeat(3));
        assert_eq!(nested.parse::<Condition>(), Err(NotACondition::TooDeep));
        for costly in [
            "@..a",
            "@. . a",
            "@[0,0]",
            "@.a[?@.b]",
            "$.a == 1",
            r#"search(@.a, "b")"#,
            "match (@.a, @.b)",
            r#"@.a == "\"" && @..b"#,
        ] {
            let refused = costly.parse::<Condition>();
            assert!(matches!(refused, Err(NotACondition::TooCostly(_))), "{costly}: {refused:?}");
        }
    }

    #[test]
    fn nothing_holds_of_data_that_cannot_be_read() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(!holds("!@.missing", &deep));
        assert!(!holds("!@.missing", ""));
    }

    #[test]
    fn the_deepest_condition_and_the_deepest_data_do_no_harm() {
        let nested = format!("{}@.a{}", "(".repeat(BRACKETS_LIMIT), ")".repeat(BRACKETS_LIMIT));
        assert!(holds(&nested, r#"{"a":1}"#));
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(holds(&format!("@{}", "[*]".repeat(BRACKETS_LIMIT)), &deep));
        let functions = "length(length(length(length(@.a)))) == 1";
        assert!(!holds(functions, r#"{"a":1}"#));
    }
}
