//! Custom headers on the command line: `--header 'name: value'`, when subscribing and for a hook that is there.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::shown::Hook;
use super::super::word;
use super::{Failure, PATH};

/// A header as it is written; its value may be a credential, so a wrong one is refused without being repeated.
#[derive(Clone)]
pub struct HeaderLine(String);

#[derive(Debug, clap::Args)]
pub struct SetHeaders {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    /// A header, as 'name: value'; may be given again for another. None at all removes them
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<HeaderLine>,
}

impl SetHeaders {
    /// Replaces them, and shows the hook.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let wish = json!({"headers": members(&self.headers)?});
        let answer = client.put(&format!("{PATH}/{}/headers", self.hook), &Query::new(), &wish)?;
        if output.is_json() {
            return output.json(&answer.json);
        }
        output.fields(&super::fields(&answer.decode::<Hook>()?))
    }
}

/// The headers as the API takes them.
///
/// # Errors
/// When one is none, or a name is given twice.
pub fn members(lines: &[HeaderLine]) -> Result<Map<String, Value>, Failure> {
    let mut members = Map::new();
    for HeaderLine(line) in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| Failure::Usage("a header is written as 'name: value'".to_owned()))?;
        if members.insert(name.to_owned(), json!(value.trim_matches([' ', '\t']))).is_some() {
            return Err(Failure::Usage(format!("the header {name:?} is given twice")));
        }
    }
    Ok(members)
}

impl FromStr for HeaderLine {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for HeaderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderLine(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Value, String> {
        let lines: Vec<HeaderLine> = lines.iter().map(|line| line.parse().unwrap()).collect();
        members(&lines).map(Value::from).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_header_is_a_name_a_colon_and_a_value() {
        let read_both = read(&["Authorization:  Bearer a:b ", "x-tenant:acme"]);
        assert_eq!(read_both, Ok(json!({"Authorization": "Bearer a:b", "x-tenant": "acme"})));
        assert_eq!(read(&[]), Ok(json!({})));
        assert!(!read(&["marker"]).unwrap_err().contains("marker"));
        assert!(read(&["a: marker", "a: b"]).unwrap_err().contains("twice"));
    }
}
