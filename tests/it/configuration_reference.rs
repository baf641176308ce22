//! `docs/configuration.md`, whose list of keys is made from the code's defaults and the comments of
//! `config/hookyard.toml`. `UPDATE_DOCS=1 cargo test configuration_reference` writes it anew.

use std::fs;

use hookyard::Config;
use serde_json::Value;

const FILE: &str = include_str!("../../config/hookyard.toml");
const DOCUMENT: &str = include_str!("../../docs/configuration.md");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
/// What stands above this line is written by hand.
const MARK: &str =
    "<!-- From here on made from the code: UPDATE_DOCS=1 cargo test configuration_reference -->\n";

/// Keys that the file explains together.
struct Paragraph {
    section: Option<String>,
    comment: String,
    keys: Vec<String>,
}

#[test]
fn the_configuration_reference_says_what_the_code_says() {
    let (by_hand, made) = DOCUMENT.split_once(MARK).expect("the document has the mark");
    let expected = reference();

    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PATH, format!("{by_hand}{MARK}{expected}")).expect("the document is writable");
        return;
    }
    assert!(made == expected, "{PATH} is out of date: UPDATE_DOCS=1 cargo test configuration_reference");
}

#[test]
fn every_variable_of_the_reference_is_one() {
    let reference = reference();
    for key in keys(&defaults(), "") {
        let loaded =
            Config::load(None, [(variable(&key), String::new())]).expect("an empty variable is none");
        assert!(loaded.warnings.is_empty(), "{key}: {:?}", loaded.warnings);
        assert!(reference.contains(&format!("- `{}`, ", variable(&key))), "{key} is missing");
    }
}

#[test]
fn event_types_come_from_the_environment_as_the_reference_says() {
    let (_, rest) = DOCUMENT.split_once("HOOKYARD_EVENT_TYPE='").expect("the document shows it");
    let (value, _) = rest.split_once('\'').expect("a quote ends");

    let loaded = Config::load(None, [("HOOKYARD_EVENT_TYPE".to_owned(), value.to_owned())]);

    let config = loaded.expect("it is accepted").config;
    let names: Vec<_> = config.event_types.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["order_paid"]);
}

/// The whole list, section by section, in the order of the file.
fn reference() -> String {
    let defaults = defaults();
    let (keys, catalogue) = FILE.split_once("\n[[event_type]]").expect("the file has the catalogue");
    assert!(catalogue.contains("[[event_type]]"));
    let mut text = "\n## Keys without a section\n".to_owned();
    let mut section = String::new();
    for paragraph in keys.split("\n\n").skip(1).map(|lines| Paragraph::read(lines, &mut section)) {
        if let Some(section) = &paragraph.section {
            text += &format!("\n## `[{section}]`\n");
        }
        if paragraph.keys.is_empty() {
            text += &format!("\n## `[[event_type]]`\n\n{}", paragraph.comment);
        } else {
            text += &paragraph.written(&defaults);
        }
    }
    text + &written_catalogue()
}

impl Paragraph {
    /// Reads a paragraph of the file; `section` is the one that it stands in.
    fn read(lines: &str, section: &mut String) -> Self {
        let mut paragraph = Self { section: None, comment: String::new(), keys: Vec::new() };
        for line in lines.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                paragraph.comment += &format!("{}\n", comment.trim().replace('<', "&lt;"));
            } else if let Some(name) = line.strip_prefix('[') {
                *section = name.trim_end_matches(']').to_owned();
                paragraph.section = Some(section.clone());
            } else if let Some((name, _)) = line.split_once(" = ") {
                let dot = if section.is_empty() { "" } else { "." };
                paragraph.keys.push(format!("{section}{dot}{name}"));
            }
        }
        paragraph
    }

    fn written(&self, defaults: &Value) -> String {
        let names: Vec<_> = self.keys.iter().map(|key| format!("`{key}`")).collect();
        let mut text = format!("\n### {}\n\n", names.join(", "));
        for key in &self.keys {
            let default = key.split('.').try_fold(defaults, |value, part| value.get(part));
            let default = default.unwrap_or_else(|| panic!("the code has no key {key}"));
            // What is written here in JSON is written the same in TOML.
            text += &format!("- `{}`, by default `{default}`\n", variable(key));
        }
        format!("{text}\n{}", self.comment)
    }
}

fn written_catalogue() -> String {
    let mut text = "\n| name | description | example |\n|---|---|---|\n".to_owned();
    for spec in Config::default().event_types.iter() {
        text += &format!("| `{}` | {} | `{}` |\n", spec.name, spec.description, spec.example);
    }
    text
}

fn defaults() -> Value {
    serde_json::to_value(Config::default()).expect("it serialises")
}

/// The keys of a table and those below it, with dots; of the catalogue, none.
fn keys(table: &Value, prefix: &str) -> Vec<String> {
    let entries = table.as_object().expect("a table").iter().filter(|(key, _)| *key != "event_type");
    let below = entries.flat_map(|(key, value)| match value {
        Value::Object(_) => keys(value, &format!("{prefix}{key}.")),
        _ => vec![format!("{prefix}{key}")],
    });
    below.collect()
}

/// The variable that sets a key.
fn variable(key: &str) -> String {
    format!("HOOKYARD_{}", key.replace('.', "__").to_uppercase())
}
