//! JSON as text: laid out anew without reading its values, so that keys keep their order and numbers their spelling.
//!
//! What is no JSON comes out as garbage but does not fail; whoever minds asks [`is_json`] first.

use std::borrow::Cow;
use std::iter;

use anstyle::{AnsiColor, Style};
use serde::de::IgnoredAny;

const KEY: Style = AnsiColor::Blue.on_default();
const TEXT: Style = AnsiColor::Green.on_default();
/// Deeper than this nothing moves further to the right.
const DEEPEST_INDENT: usize = 32;

/// Whether this is one JSON value.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// The same without the white space between its tokens.
pub fn compact(text: &str) -> String {
    tokens(text).collect()
}

/// The same value without characters that a terminal would obey. JSON lets those above 0x7e stand in its texts.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |letter: char| letter.is_control() && !letter.is_ascii_whitespace();
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|letter| match obeyed(letter) {
        true => format!("\\u{:04x}", u32::from(letter)),
        false => letter.to_string(),
    });
    Cow::Owned(escaped.collect())
}

/// The same with a line for each member, in colour, the lines after the first behind `margin`.
pub fn pretty(text: &str, margin: &str) -> String {
    let mut page = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut tokens = tokens(text).peekable();
    while let Some(token) = tokens.next() {
        let next = tokens.peek().copied().unwrap_or_default();
        let closes = next == "}" || next == "]";
        match token {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        match token {
            "," => page.push(','),
            ":" => page.push_str(": "),
            _ => page.push_str(&coloured(token, next)),
        }
        let opens = token == "{" || token == "[";
        if token == "," || opens && !closes || !opens && closes {
            let indent = if closes { depth.saturating_sub(1) } else { depth };
            page.push('\n');
            page.push_str(margin);
            page.extend(iter::repeat_n("  ", indent.min(DEEPEST_INDENT)));
        }
    }
    page
}

fn coloured(token: &str, next: &str) -> String {
    match (token.starts_with('"'), next == ":") {
        (true, true) => format!("{KEY}{token}{KEY:#}"),
        (true, false) => format!("{TEXT}{token}{TEXT:#}"),
        (false, _) => token.to_owned(),
    }
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    iter::from_fn(move || {
        rest = rest.trim_start_matches(is_space);
        let (token, behind) = rest.split_at(length(rest)?);
        rest = behind;
        Some(token)
    })
}

/// How long the token is with which a text begins, if it begins with one.
fn length(text: &str) -> Option<usize> {
    match text.chars().next()? {
        '"' => {
            let mut escaped = false;
            let end = text.char_indices().skip(1).find(|(_, letter)| {
                let ends = *letter == '"' && !escaped;
                escaped = *letter == '\\' && !escaped;
                ends
            });
            Some(end.map_or(text.len(), |(at, _)| at + 1))
        }
        letter if is_punctuation(letter) => Some(1),
        _ => {
            let end = text.find(|letter| letter == '"' || is_punctuation(letter) || is_space(letter));
            Some(end.unwrap_or(text.len()))
        }
    }
}

fn is_punctuation(letter: char) -> bool {
    "{}[],:".contains(letter)
}

fn is_space(letter: char) -> bool {
    " \t\r\n".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"{ "b" : 1.0e+2, "a":[ ], "c":{"\"":"\\", "d": [true,null ]}} "#;

    #[test]
    fn harmless_json_is_the_same_value() {
        let text = "{\"a\":\n\"\u{9b}31m\u{7f}é\"}";
        let harmless = harmless(text);
        assert_eq!(harmless, "{\"a\":\n\"\\u009b31m\\u007fé\"}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&harmless), value(text));
    }

    #[test]
    fn compact_json_keeps_the_order_of_keys_and_the_spelling_of_numbers() {
        assert_eq!(compact(SENT), r#"{"b":1.0e+2,"a":[],"c":{"\"":"\\","d":[true,null]}}"#);
        assert_eq!(compact(r#""a b"#), r#""a b"#);
    }

    #[test]
    fn pretty_json_has_a_line_for_each_member() {
        let plain = anstream::adapter::strip_str(&pretty(SENT, "> ")).to_string();
        let lines = [
            "{",
            ">   \"b\": 1.0e+2,",
            ">   \"a\": [],",
            ">   \"c\": {",
            ">     \"\\\"\": \"\\\\\",",
            ">     \"d\": [",
            ">       true,",
            ">       null",
            ">     ]",
            ">   }",
            "> }",
        ];
        assert_eq!(plain, lines.join("\n"));
        assert_eq!(compact(&plain.replace("\n>", "\n")), compact(SENT));
    }
}
