//! What loading a configuration promises.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::UnknownEvents;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hookyard.toml");
    fs::write(&path, text).unwrap();
    (dir, path)
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Loaded, Error> {
    let (_dir, path) = file(text);
    Config::load(Some(&path), env.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())))
}

fn from_env(env: &[(&str, &str)]) -> Result<Config, Error> {
    load("", env).map(|loaded| loaded.config)
}

fn refusal(text: &str, env: &[(&str, &str)]) -> String {
    load(text, env).expect_err("this is not allowed").to_string()
}

fn documented() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/hookyard.toml")
}

#[test]
fn the_documented_file_holds_the_defaults() {
    assert_eq!(Config::from_file(documented()).unwrap(), Config::default());
}

#[test]
fn the_documented_file_holds_every_key() {
    let written = Value::from(read(&documented()).unwrap().keys);
    assert_eq!(keys(&written), keys(&shape()));
}

#[test]
fn nothing_given_means_the_defaults() {
    let loaded = Config::load(None, []).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, []);
}

#[test]
fn a_wrong_value_is_named_with_its_key_and_what_is_allowed() {
    for (text, key, value, allowed) in [
        ("listen = \"8080\"", "listen", "\"8080\"", "127.0.0.1:8080"),
        ("data_dir = \"\"", "data_dir", "\"\"", "directory"),
        ("key_prefix = \"a b\"", "key_prefix", "\"a b\"", "A-Z a-z 0-9"),
        ("workers = -1", "workers", "-1", "0 or more"),
        ("workers = 513", "workers", "513", "0 to 512"),
        ("retry.schedule = [\"1s\", \"5\"]", "retry.schedule[1]", "\"5\"", "\"10s\""),
        ("retry.schedule = [\"31days\"]", "retry.schedule[0]", "\"31d\"", "1ms to 30d"),
        ("retry.schedule = \"1s\"", "retry.schedule", "\"1s\"", "a list"),
        ("retry.jitter_percent = 101", "retry.jitter_percent", "101", "0 to 100"),
        ("delivery.timeout = 10", "delivery.timeout", "10", "\"10s\""),
        ("delivery.timeout = \"0s\"", "delivery.timeout", "\"0s\"", "1ms to 5m"),
        ("delivery.timeout = \"301s\"", "delivery.timeout", "\"301s\"", "1ms to 5m"),
        ("delivery.signature_header = \"Host\"", "delivery.signature_header", "\"Host\"", "header name"),
        ("delivery.max_in_flight = 0", "delivery.max_in_flight", "0", "1 to 1024"),
        ("health.probe_after = 1.5", "health.probe_after", "1.5", "whole number"),
        ("egress.https_only = \"no\"", "egress.https_only", "\"no\"", "true or false"),
        ("egress.allow_networks = [\"10/8\"]", "egress.allow_networks[0]", "\"10/8\"", "10.0.0.0/8"),
        ("egress.deny_networks = [8]", "egress.deny_networks[0]", "8", "10.0.0.0/8"),
        ("operator.jwt_secret = \"short\"", "operator.jwt_secret", "***", "16 to 1024 bytes"),
        (
            "[[event_type]]\nname = \"a\"\nexample = { n = 1 }\nschema = { type = \"string\" }",
            "event_type[0].example",
            "of \"a\"",
            "matches its schema",
        ),
        (
            "[[event_type]]\nname = \"a\"\nschema = { type = \"nothing\" }",
            "event_type[0].schema",
            "of \"a\"",
            "a JSON Schema",
        ),
        ("events.unknown = \"drop\"", "events.unknown", "\"drop\"", "\"reject\" or \"accept\""),
        ("limits.request_bytes = 1000", "limits.request_bytes", "1000", "1048576 to"),
        ("limits.name_chars = 129", "limits.name_chars", "129", "16 to 128"),
        ("retention.age = \"999ms\"", "retention.age", "\"999ms\"", "1s to 3650d, or 0s"),
        ("retention.size_bytes = 1024", "retention.size_bytes", "1024", "65536 to 1125899906842624, or 0"),
        ("traces.endpoint = \"collector:4318\"", "traces.endpoint", "\"collector:4318\"", "http://127.0.0.1"),
        ("traces.service_name = \"\"", "traces.service_name", "\"\"", "1 to 128"),
        ("traces.sample_ratio = 1.5", "traces.sample_ratio", "1.5", "0 to 1"),
        ("traces.sample_ratio = nan", "traces.sample_ratio", "NaN", "0 to 1"),
        ("traces.sample_ratio = \"half\"", "traces.sample_ratio", "\"half\"", "a number"),
        ("retry = 3", "retry", "3", "a table"),
        ("event_type = []", "event_type", "[]", "at least one"),
        ("[[event_type]]\ndescription = \"x\"", "event_type[0].name", "missing", "a value"),
        (
            "[[event_type]]\nname = \"hookyard.x\"",
            "event_type[0].name",
            "\"hookyard.x\"",
            "begin with hookyard.",
        ),
    ] {
        let refusal = refusal(text, &[]);
        let named = refusal.starts_with(&format!("{key} = ")) && refusal.contains("hookyard.toml");
        let said = refusal.contains(value) && refusal.split("allowed: ").last().unwrap().contains(allowed);
        assert!(named && said && !refusal.contains('\n'), "{text}: {refusal}");
    }
}

#[test]
fn an_unknown_key_in_the_file_is_refused_with_the_known_ones() {
    let refused = refusal("[retry]\njitter_precent = 5", &[]);
    assert!(refused.starts_with("unknown key retry.jitter_precent (") && refused.contains("jitter_percent"));
    let misplaced = refusal("timeout = \"5s\"", &[]);
    assert!(misplaced.contains("did you mean delivery.timeout?"), "{misplaced}");
    let nested = refusal("[[event_type]]\nname = \"a\"\nsample = 1", &[]);
    assert!(
        nested.starts_with("unknown key event_type[0].sample (") && nested.contains("example"),
        "{nested}"
    );
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line_and_without_its_text() {
    let refused = refusal("listen = \"127.0.0.1:1\"\nadmin_key = unquoted-secret-text\n", &[]);
    assert!(refused.contains("line 2"), "{refused}");
    assert!(!refused.contains("secret") && !refused.contains('\n'), "{refused}");
}

#[test]
fn a_missing_file_is_refused_by_name() {
    let refused = Config::from_file("no/such/file.toml").unwrap_err().to_string();
    assert!(refused.starts_with("cannot read no/such/file.toml: "), "{refused}");
}

#[test]
fn the_environment_overrides_the_file() {
    let file = "listen = \"127.0.0.1:1\"\nlog = \"warn\"\n[retry]\nschedule = [\"9s\"]\njitter_percent = 5\n";
    let env = [("HOOKYARD_LISTEN", "0.0.0.0:2"), ("HOOKYARD_RETRY__SCHEDULE", "1s, 2s,3s"), ("PATH", "/bin")];
    let Loaded { config, warnings } = load(file, &env).unwrap();
    assert_eq!(config.listen, "0.0.0.0:2");
    assert_eq!(config.log, "warn");
    assert_eq!(config.retry.schedule, [1, 2, 3].map(Duration::from_secs));
    assert_eq!(config.retry.jitter_percent, 5);
    assert_eq!(warnings, []);
}

#[test]
fn a_variable_has_the_type_of_its_key() {
    let config = from_env(&[
        ("HOOKYARD_ADMIN_KEY", "12345678901234567890"),
        ("HOOKYARD_LOG", "1"),
        ("HOOKYARD_KEY_PREFIX", "true"),
        ("HOOKYARD_DATA_DIR", "[data]"),
        ("HOOKYARD_WORKERS", "4"),
        ("HOOKYARD_EGRESS__HTTPS_ONLY", "false"),
        ("HOOKYARD_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8,10.1.2.3"),
        ("HOOKYARD_RETRY__SCHEDULE", "[\"1s\", \"250ms\"]"),
        ("HOOKYARD_EVENTS__UNKNOWN", "accept"),
        ("HOOKYARD_TRACES__SAMPLE_RATIO", "0.25"),
        ("HOOKYARD_EVENT_TYPE", "[{ name = \"order_paid\", example = { at = 2026-01-15T10:30:00Z } }]"),
    ])
    .unwrap();
    assert_eq!(config.admin_key.reveal(), "12345678901234567890");
    assert_eq!((config.log.as_str(), config.key_prefix.as_str()), ("1", "true"));
    assert_eq!(config.data_dir, PathBuf::from("[data]"));
    assert_eq!((config.workers, config.egress.https_only), (4, false));
    assert_eq!(
        config.egress.allow_networks,
        ["127.0.0.0/8", "10.1.2.3/32"].map(|text| text.parse().unwrap())
    );
    assert_eq!(config.retry.schedule, [1000, 250].map(Duration::from_millis));
    assert_eq!((config.events.unknown, config.traces.sample_ratio), (UnknownEvents::Accept, 0.25));
    assert_eq!(config.event_types[0].example, serde_json::json!({"at": "2026-01-15T10:30:00Z"}));
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, text, allowed) in [
        ("HOOKYARD_WORKERS", "many", "whole number"),
        ("HOOKYARD_WORKERS", "99999", "0 to 512"),
        ("HOOKYARD_EGRESS__HTTPS_ONLY", "yes", "true or false"),
        ("HOOKYARD_RETRY__SCHEDULE", "1s,,2s", "\"10s\""),
        ("HOOKYARD_RETRY__SCHEDULE", "[1s", "a list"),
    ] {
        let refused = refusal("", &[(name, text)]);
        assert!(refused.contains(name) && refused.contains(allowed), "{refused}");
    }
}

#[test]
fn an_empty_list_can_be_given_and_an_empty_variable_counts_as_not_set() {
    let config = from_env(&[("HOOKYARD_RETRY__SCHEDULE", "[]"), ("HOOKYARD_LISTEN", "")]).unwrap();
    assert!(config.retry.schedule.is_empty());
    assert_eq!(config.listen, Config::default().listen);
}

#[test]
fn retention_can_be_switched_off() {
    let config =
        from_env(&[("HOOKYARD_RETENTION__AGE", "0s"), ("HOOKYARD_RETENTION__SIZE_BYTES", "0")]).unwrap();
    assert_eq!((config.retention.age, config.retention.size_bytes), (Duration::ZERO, 0));
}

#[test]
fn an_unknown_variable_only_warns_and_the_clients_are_known() {
    let env = [
        ("HOOKYARD_URL", "http://127.0.0.1:8080"),
        ("HOOKYARD_KEY", "fp_x"),
        ("HOOKYARD_SERVICE_HOST", "10.0.0.1"),
        ("HOOKYARD_RETRY_SCHEDULE", "1s"),
    ];
    let warnings = load("", &env).unwrap().warnings;
    let said: Vec<_> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("HOOKYARD_SERVICE_HOST") && !said[0].contains("mean"));
    assert!(said[1].ends_with("did you mean HOOKYARD_RETRY__SCHEDULE?"), "{}", said[1]);
}

#[test]
fn the_admin_key_can_stand_in_a_file_of_its_own() {
    let (_dir, path) = file(" a-key-of-some-length\n");
    let path = path.to_str().unwrap();
    let written = format!("admin_key_file = {path:?}");
    for loaded in [
        load(&written, &[]),
        load("", &[("HOOKYARD_ADMIN_KEY_FILE", path)]),
        load("admin_key = \"the-key-of-the-file\"", &[("HOOKYARD_ADMIN_KEY_FILE", path)]),
    ] {
        let config = loaded.unwrap().config;
        assert_eq!(config.admin_key.reveal(), "a-key-of-some-length");
        assert_eq!(config.admin_key_file, PathBuf::new());
    }
    let env = [("HOOKYARD_ADMIN_KEY", "the-key-of-the-environment")];
    assert_eq!(load(&written, &env).unwrap().config.admin_key.reveal(), env[0].1);
}

#[test]
fn two_admin_keys_or_an_unreadable_one_are_refused() {
    let (_dir, path) = file("\n");
    let path = path.to_str().unwrap();
    let both = [("HOOKYARD_ADMIN_KEY", "a-key-of-some-length"), ("HOOKYARD_ADMIN_KEY_FILE", path)];
    assert!(refusal("", &both).contains("not both"));
    assert!(refusal("", &both[1..]).contains("a file that holds a key"));
    assert!(refusal("admin_key_file = \"no/such/file\"", &[]).contains("can be read"));
}

#[test]
fn a_refused_admin_key_is_not_shown() {
    for text in
        ["admin_key = \"short-secret\"", "admin_key = \"secret with a space\"", "admin_key = 8472918347"]
    {
        let refused = refusal(text, &[]);
        assert!(refused.starts_with("admin_key = ***"), "{refused}");
        assert!(!refused.contains("secret") && !refused.contains("8472918347"), "{refused}");
    }
}
