//! `hookyard event-types`: the catalogue, looked at and changed.

use super::{acme, field};

#[test]
fn an_event_type_goes_its_way_by_commands_alone() {
    let (server, cli) = acme();
    let schema = r#"{"type":"object","required":["user"]}"#;

    let create = ["event-types", "create", "user.signup", "A user signed up", "--schema", "-"];
    let made = cli.run_with_input(&create, schema).succeeded(&create);
    assert_eq!(field(&made, "schemas"), format!(r#"{{"1":{schema}}}"#));
    let changed = cli.prints(&["event-types", "update", "user.signup", "--deprecated", "--unset", "schemas"]);
    assert_eq!(
        (field(&changed, "status"), field(&changed, "schemas"), field(&changed, "description")),
        ("deprecated", "", "A user signed up")
    );
    let back = cli.prints(&["event-types", "update", "user.signup", "--deprecated=false"]);
    assert_eq!(field(&back, "status"), "active");

    cli.prints(&["event-types", "archive", "user.signup"]);
    let names = |arguments: &[&str]| {
        let printed = cli.prints(arguments);
        printed.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let is_listed = |arguments: &[&str]| names(arguments).iter().any(|name| name == "user.signup");
    assert!(!is_listed(&["event-types"]) && is_listed(&["event-types", "--archived"]));
    assert_eq!(names(&["event-types", "--limit", "2"]), ["agent_created", "agent_deleted"]);
    cli.prints(&["event-types", "delete", "user.signup"]);
    cli.fails(1, &["event-types", "get", "user.signup"]);
    let json = cli.prints(&["event-types", "get", "new_lead", "--json"]);
    assert_eq!(json.trim_end(), server.api().get("/api/v1/event-type/new_lead").text());
}
