//! Custom headers on the command line: `--header 'name: value'`, when subscribing and for a hook that is there.

use hookyard::config::Hidden;
use serde_json::{Map, Value, json};

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::shown::Hook;
use super::super::word;
use super::{Failure, PATH};

#[derive(Debug, clap::Args)]
pub struct SetHeaders {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,

    /// A header, as 'name: value'; may be given again for another. None at all removes them
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Hidden>,
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

/// The headers as the API takes them. A wrong one is refused without being repeated: its value may be a credential.
///
/// # Errors
/// When one is none, or a name is given twice.
pub fn members(lines: &[Hidden]) -> Result<Map<String, Value>, Failure> {
    let mut members = Map::new();
    for line in lines {
        let (name, value) = line
            .reveal()
            .split_once(':')
            .ok_or_else(|| Failure::Usage("a header is written as 'name: value'".to_owned()))?;
        if members.insert(name.to_owned(), json!(value.trim_matches([' ', '\t']))).is_some() {
            return Err(Failure::Usage(format!("the header {name:?} is given twice")));
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Value, String> {
        let lines: Vec<Hidden> = lines.iter().copied().map(Hidden::from).collect();
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
