//! The data of one event: from the argument itself, a file, or the standard input. Its bytes are kept.

use std::fs;
use std::io;

use anyhow::Context;
use serde_json::value::RawValue;

use super::Failure;

/// Reads what the argument is or names.
///
/// # Errors
/// When the file cannot be read, or what is read is no JSON.
pub fn read(argument: &str) -> Result<Box<RawValue>, Failure> {
    match argument.strip_prefix('@') {
        Some(path) => of_file(path),
        None if argument == "-" => of_file(argument),
        None => json(argument, "the argument"),
    }
}

/// Reads a file, or the standard input where it is called `-`.
///
/// # Errors
/// When it cannot be read, or what is read is no JSON.
pub fn of_file(path: &str) -> Result<Box<RawValue>, Failure> {
    if path == "-" {
        let text = io::read_to_string(io::stdin()).context("cannot read the standard input")?;
        return json(&text, "the standard input");
    }
    let text = fs::read_to_string(path);
    json(&text.map_err(|error| Failure::Usage(format!("cannot read {path}: {error}")))?, path)
}

/// What is said when there is none.
pub fn missing(event: &str) -> Failure {
    Failure::Usage(format!(
        "no data: give JSON, @FILE, - for the standard input, or --example, as in hookyard emit {event} \
         '{{\"name\":\"Jane Doe\"}}'; data may be null"
    ))
}

fn json(text: &str, origin: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::from_str(text.trim()).map_err(|error| {
        let hint = match text.trim() {
            "" => "it is empty; null is the JSON for nothing".to_owned(),
            word if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                format!("text is written with quotes, '\"{word}\"', and a file with an @, @{word}")
            }
            _ => "right would be '{\"name\":\"Jane Doe\"}', quoted from the shell".to_owned(),
        };
        Failure::Usage(format!("{origin} is no JSON: {error}; {hint}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_keeps_its_bytes() {
        let data = read(r#" { "b" : 1.0e+2, "a":"\u00e9" } "#).unwrap();
        assert_eq!(data.get(), r#"{ "b" : 1.0e+2, "a":"\u00e9" }"#);
        assert_eq!(read("null").unwrap().get(), "null");
    }

    #[test]
    fn what_is_no_json_is_told_what_would_be() {
        let refusal = |argument: &str| read(argument).unwrap_err().to_string();
        assert!(refusal("hello").ends_with(r#"'"hello"', and a file with an @, @hello"#));
        assert!(refusal("{name:1}").contains("is no JSON: key must be a string"));
        assert!(refusal("").contains("null"));
        assert!(refusal("@/no/such/file").starts_with("cannot read /no/such/file: "));
    }
}
