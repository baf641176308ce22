//! The dashboard and the alert rules that come with it: they ask only for figures that a server has.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::exposition::Exposition;
use crate::support::server::Server;

/// What the names of figures begin with.
const PREFIX: &str = "hookyard_";
/// Labels that Prometheus adds to what it scrapes.
const ADDED_LABELS: [&str; 1] = ["instance"];

/// What an expression asks for: a name, and labels with one of the values that it wants.
#[derive(Debug, PartialEq)]
struct Question {
    name: String,
    labels: Vec<(String, String)>,
}

/// A scrape of a server that had requests, good ones and bad ones.
fn scrape() -> Exposition {
    let server = Server::start();
    let api: Api = server.api();
    api.emit("new_lead", &json!(1));
    api.get("/nowhere").refused(404);
    Exposition::read(&api.get("/metrics"))
}

fn dashboard() -> Value {
    let text = include_str!("../../contrib/grafana/hookyard.json");
    serde_json::from_str(text).expect("the dashboard is JSON")
}

fn rules() -> Vec<Value> {
    let text = include_str!("../../contrib/prometheus/alerts.yml");
    let file: Value = serde_yaml_ng::from_str(text).expect("the rules are YAML");
    let groups = file["groups"].as_array().expect("there are groups");
    groups.iter().flat_map(|group| group["rules"].as_array().expect("there are rules")).cloned().collect()
}

/// The values of this field, wherever they stand.
fn values<'a>(value: &'a Value, field: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| values(value, field, found)),
        Value::Object(fields) => {
            found.extend(fields.get(field).and_then(Value::as_str));
            fields.values().for_each(|value| values(value, field, found));
        }
        _ => {}
    }
}

/// What a PromQL expression asks for, one question for each value that a label may have.
fn questions(expression: &str) -> Vec<Question> {
    let mut found = Vec::new();
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    for (start, _) in expression.match_indices(PREFIX) {
        let rest = &expression[start..];
        let (name, behind) = rest.split_at(rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()));
        let name = name.to_owned();
        let selectors = behind.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let matchers = selectors.map_or("", |(inside, _)| inside).split(',').filter(|text| !text.is_empty());
        found.push(Question { name: name.clone(), labels: Vec::new() });
        for matcher in matchers {
            let (label, value) = matcher.split_once(['=', '!']).expect("a label and a value");
            let value = value.trim_matches(['=', '~', '"']);
            found.extend(value.split('|').filter(|_| !ADDED_LABELS.contains(&label)).map(|value| Question {
                name: name.clone(),
                labels: vec![(label.to_owned(), value.to_owned())],
            }));
        }
    }
    found
}

/// Checks that a server answers each question of the expression, and that there is one.
#[track_caller]
fn check(expression: &str, figures: &Exposition) {
    let questions = questions(expression);
    assert!(!questions.is_empty(), "{expression} asks for nothing of ours");
    for Question { name, labels } in questions {
        assert!(figures.has(&name, None), "there is no {name}, for which {expression} asks");
        for (label, value) in labels {
            // A series of requests begins with the first of its kind.
            let is_there = figures.has(&name, Some((&label, &value))) || name.starts_with("hookyard_http_");
            assert!(is_there, "there is no {name} with {label}={value:?}, for which {expression} asks");
        }
    }
}

#[test]
fn every_panel_asks_for_figures_that_exist() {
    let (dashboard, figures) = (dashboard(), scrape());
    let (mut expressions, mut variables) = (Vec::new(), Vec::new());
    values(&dashboard["panels"], "expr", &mut expressions);
    values(&dashboard["templating"], "definition", &mut variables);

    assert!(expressions.len() > 40 && variables.len() == 1);
    expressions.iter().chain(&variables).for_each(|expression| check(expression, &figures));
}

#[test]
fn every_panel_has_a_title_and_a_place_of_its_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let mut taken: Vec<[u64; 4]> = Vec::new();
    for panel in panels {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        let place = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a place"));
        let [x, y, w, h] = place;
        let free = |[left, top, width, height]: &[u64; 4]| {
            x >= left + width || *left >= x + w || y >= top + height || *top >= y + h
        };
        assert!(x + w <= 24 && taken.iter().all(free), "{}", panel["title"]);
        taken.push(place);
    }
}

#[test]
fn every_alert_asks_for_figures_that_exist_and_says_what_to_do() {
    let (rules, figures) = (rules(), scrape());
    let mut names: Vec<&str> = rules.iter().filter_map(|rule| rule["alert"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rules.len(), "each alert has a name of its own");
    for rule in &rules {
        check(rule["expr"].as_str().expect("an expression"), &figures);
        let severity = rule["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("warning" | "critical")), "{rule}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 10), "{rule}");
        }
    }
}

#[test]
fn the_figures_that_matter_most_have_an_alert() {
    let rules = rules();
    let asked = |name: &str| {
        rules
            .iter()
            .any(|rule| questions(rule["expr"].as_str().unwrap_or_default()).iter().any(|q| q.name == name))
    };
    for name in [
        "hookyard_store_writable",
        "hookyard_due_lag_seconds",
        "hookyard_deliveries_pending",
        "hookyard_hooks_deactivated_total",
        "hookyard_credits_left_events",
        "hookyard_sync_duration_seconds_bucket",
        "hookyard_store_free_bytes",
    ] {
        assert!(asked(name), "nobody is told of {name}");
    }
}

#[test]
fn an_expression_is_read_for_its_names_and_labels() {
    let question = |name: &str, labels: &[(&str, &str)]| Question {
        name: name.to_owned(),
        labels: labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
    };
    let read =
        questions(r#"sum(rate(hookyard_a_total{instance=~"$instance",reason=~"x|y"}[5m])) / hookyard_b > 1"#);
    let expected = [
        question("hookyard_a_total", &[]),
        question("hookyard_a_total", &[("reason", "x")]),
        question("hookyard_a_total", &[("reason", "y")]),
        question("hookyard_b", &[]),
    ];
    assert_eq!(read, expected);
    assert_eq!(questions(r#"hookyard_a{outcome!="2xx"}"#)[1], question("hookyard_a", &[("outcome", "2xx")]));
}
