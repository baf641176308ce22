//! What a server tells about itself: liveness, readiness, metrics, its API's description, and a page for a browser.

use serde_json::Value;

use crate::support::api::text;
use crate::support::command::{hookyard, run};
use crate::support::server::Server;

#[test]
fn a_server_that_runs_is_live_and_ready_for_anybody() {
    let server = Server::start();

    assert_eq!(server.anonymous().get("/health/live").status, 200);
    assert_eq!(server.anonymous().get("/health/ready").status, 200);
}

#[test]
fn a_browser_gets_a_page() {
    let server = Server::start();

    let reply = server.anonymous().send("GET", "/", &[("accept", "text/html")], None);

    assert_eq!(reply.status, 200, "{}", reply.describe());
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(reply.text().contains("hookyard"));
}

#[test]
fn any_key_may_read_the_catalogue() {
    let server = Server::start();

    let catalogue: Vec<Value> = server.api().account("acme").get("/api/v1/event-types").expect(200);

    let mut names: Vec<&str> = catalogue.iter().map(|kind| text(kind, "name")).collect();
    names.sort_unstable();
    let mut expected = [
        "new_lead",
        "new_message",
        "new_conversation",
        "feedback_received",
        "training_completed",
        "agent_created",
        "agent_deleted",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    for kind in &catalogue {
        assert!(!text(kind, "description").is_empty() && kind["example"].is_object(), "{kind}");
    }
}

#[test]
fn the_command_says_whether_a_server_is_ready_where_its_configuration_puts_it() {
    let server = Server::start();
    let address = server.address().to_string();

    let by_url = run(&mut hookyard(&["health", "--url", &format!("http://{address}/")]), b"");
    let by_key = run(hookyard(&["health"]).env("HOOKYARD_LISTEN", &address), b"");
    drop(server);
    let gone = run(hookyard(&["health"]).env("HOOKYARD_LISTEN", &address), b"");

    for ended in [by_url, by_key] {
        assert_eq!((ended.status.code(), ended.printed.as_str()), (Some(0), "ready\n"), "{ended:?}");
    }
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(gone.complaints.contains(&address), "{gone:?}");
}
