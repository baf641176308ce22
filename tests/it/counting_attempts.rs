//! Attempts by the hour: of a hook and of all hooks, over HTTP and on the command line, through kills.

use serde_json::{Value, json};

use crate::support::api::{Api, text};
use crate::support::cli::Cli;
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

const FIELDS: [&str; 3] = ["attempts", "successes", "failures"];

/// The sums, which the hours add up to.
fn stats(api: &Api, path: &str) -> [u64; 3] {
    let stats: Value = api.get(path).expect(200);
    let hours = stats["hours"].as_array().expect("hours");
    assert!(hours.windows(2).all(|pair| text(&pair[0], "at") > text(&pair[1], "at")), "{stats}");
    FIELDS.map(|field| {
        let number = |value: &Value| value[field].as_u64().expect("a number");
        assert_eq!(number(&stats), hours.iter().map(number).sum::<u64>(), "{stats}");
        number(&stats)
    })
}

fn emit(api: &Api, event: &str, count: usize) {
    api.emit_all(&vec![json!({"event": event, "data": 1}); count]);
}

#[test]
fn what_was_attempted_is_counted_once_through_kills() {
    let mut server = Server::start_with(Settings::quick().steady_schedule("50ms").probe_after(1_000));
    let receiver = Receiver::answering_with(|request| if request.index < 3 { 500 } else { 200 });
    let lead = server.api().subscribe(&receiver.url("/lead"), "new_lead");
    let path = format!("/api/v1/hooks/{}/stats", lead.id);
    assert_eq!(stats(&server.api(), &path), [0, 0, 0]);

    for round in 1..=3 {
        emit(&server.api(), "new_lead", 20);
        until("they are counted", || stats(&server.api(), &path) == [20 * round + 3, 20 * round, 3]);
        server.kill();
        server.restart();
        assert_eq!(stats(&server.api(), &path), [20 * round + 3, 20 * round, 3]);
    }

    let message = server.api().subscribe(&receiver.url("/message"), "new_message");
    emit(&server.api(), "new_message", 5);
    until("they are counted", || stats(&server.api(), "/api/v1/hooks/stats") == [68, 65, 3]);
    server.api().delete(&format!("/api/v1/hooks/{}", lead.id)).expect::<Value>(200);
    assert_eq!(server.api().get(&path).refused(404).code, "not_found");
    server.kill();
    server.restart();
    assert_eq!(stats(&server.api(), "/api/v1/hooks/stats"), [5, 5, 0], "only those of hooks that are there");
    assert_eq!(stats(&server.api(), &format!("/api/v1/hooks/{}/stats", message.id)), [5, 5, 0]);
}

#[test]
fn the_command_prints_the_hours() {
    let server = Server::start();
    let (cli, receiver) = (Cli::of(&server), Receiver::answering([200]));
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    assert_eq!(cli.prints(&["hooks", "stats"]), "");
    emit(&server.api(), "new_lead", 1);
    receiver.wait_for(1);
    until("it is counted", || cli.prints(&["hooks", "stats", &hook.id]).ends_with("\t1\t1\t0\n"));
    assert!(cli.prints(&["hooks", "stats"]).ends_with("\t1\t1\t0\n"));
    assert_eq!(cli.prints_json::<Value>(&["hooks", "stats", "--json"])["failures"], 0);
}
