//! `hookyard deliveries` and `events`, and what `hooks` does about deliveries: looking, following, delivering again.

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::cli::Cli;
use crate::support::patience::{until, until_some};
use crate::support::receiver::{Receiver, deserted_url};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// The first field of the first line.
fn first_id(printed: &str) -> String {
    printed.split(['\t', '\n']).next().expect("a split has a first part").to_owned()
}

/// Waits until a list is not empty, and returns the id of its first line.
#[track_caller]
fn listed(cli: &Cli, arguments: &[&str]) -> String {
    until_some(&format!("{arguments:?} lists something"), || {
        Some(first_id(&cli.prints(arguments))).filter(|id| !id.is_empty())
    })
}

#[test]
fn deliveries_are_listed_by_what_came_of_them_and_shown_with_their_attempts() {
    let server = Server::start_with(Settings::quick().schedule(&["50ms"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let (good, bad) = (Receiver::answering([500, 200]), Receiver::answering([500]));
    let good = api.subscribe(&good.url("/"), "new_lead").id;
    let bad = api.subscribe(&bad.url("/"), "new_lead").id;
    let event = api.emit("new_lead", &json!(1)).id;

    let delivered = listed(&cli, &["deliveries", "--status", "delivered"]);
    let dead = listed(&cli, &["deliveries", "list", "--status", "dead", "--since", "1h"]);

    assert_eq!(first_id(&cli.prints(&["deliveries", "--hook", &good])), delivered);
    assert_eq!(first_id(&cli.prints(&["deliveries", "--hook", &bad, "--event", "new_lead"])), dead);
    assert_eq!(cli.prints(&["deliveries", "--event", "new_message"]), "");
    assert_eq!(cli.prints(&["deliveries", "--until", "1h"]), "");
    let shown = cli.prints(&["deliveries", "get", &delivered]);
    assert!(shown.contains(&format!("event id\t{event}\n")), "{shown}");
    assert!(shown.contains("attempt\t1 at ") && shown.contains(": 500 in "), "{shown}");
    assert!(shown.contains("attempt\t2 at ") && shown.contains(": 200 in "), "{shown}");
}

#[test]
fn following_prints_each_change_of_a_delivery_once() {
    let server = Server::start_with(Settings::quick().schedule(&["200ms", "1h"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([200, 500, 500]);
    api.subscribe(&receiver.url("/"), "new_lead");
    let before = api.emit("new_lead", &json!(0)).id;
    listed(&cli, &["deliveries", "--status", "delivered"]);

    let following = cli.follow(&["deliveries", "--follow", "--interval", "20ms"]);
    until("the first is shown", || following.printed().contains(&before));
    let after = api.emit("new_lead", &json!(1)).id;
    let second_try = |line: &&str| line.contains(&after) && line.contains("\tpending\tnew_lead\t2\t500\t");
    until("its second attempt is shown", || following.printed().lines().any(|line| second_try(&line)));

    let printed = following.printed();
    assert_eq!(printed.lines().filter(|line| line.contains(&before)).count(), 1, "{printed}");
    let mut lines: Vec<&str> = printed.lines().collect();
    lines.dedup();
    assert_eq!(lines.len(), printed.lines().count(), "{printed}");
    assert!(lines.first().is_some_and(|line| line.contains(&before)), "{printed}");
}

#[test]
fn following_in_json_prints_an_object_a_line() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([200]);
    api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(0)).id;

    let following = cli.follow(&["deliveries", "-f", "--json", "--interval", "20ms"]);

    let line = until_some("a delivered one is printed", || {
        let printed = following.printed();
        printed.lines().find(|line| line.contains("\"delivered\"")).map(str::to_owned)
    });
    let delivery: Value = serde_json::from_str(&line).expect("a line is JSON");
    assert_eq!(text(&delivery, "event_id"), event);
}

#[test]
fn a_delivery_is_attempted_again_on_request() {
    let server = Server::start_with(Settings::quick().schedule(&["1h"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([500, 200]);
    api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    let pending = listed(&cli, &["deliveries", "--status", "pending"]);
    until("its first attempt is settled", || {
        cli.prints(&["deliveries", "get", &pending]).contains(": 500 in ")
    });

    assert_eq!(cli.prints(&["deliveries", "retry", &pending]), format!("queued {pending}\n"));

    assert_eq!(receiver.wait_for(2).len(), 2);
    assert_eq!(listed(&cli, &["deliveries", "--status", "delivered"]), pending);
}

#[test]
fn a_replay_can_be_waited_for() {
    let server = Server::start_with(Settings::quick().schedule(&["50ms"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([500]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    assert!(cli.fails(1, &["hooks", "replay", &hook.id]).contains("deactivated"));
    receiver.answer_from_now(200);
    api.subscribe(&receiver.url("/"), "new_lead");

    let replayed = cli.prints(&["hooks", "replay", &hook.id, "--since", "1h", "--wait"]);

    assert_eq!(replayed, "queued 1 deliveries\nall are delivered\n");
    assert_eq!(cli.prints(&["deliveries", "--status", "dead"]), "");
}

#[test]
fn a_replay_that_ends_in_a_deactivation_fails() {
    let server = Server::start_with(Settings::quick().schedule(&["50ms"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([200, 410]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.emit("new_lead", &json!(1));
    listed(&cli, &["deliveries", "--status", "delivered"]);

    let said = cli.fails(1, &["hooks", "replay", &hook.id, "--status", "all", "--wait"]);

    assert!(said.contains("the hook was deactivated"), "{said}");
}

#[test]
fn a_test_delivery_shows_the_answer_and_its_status_says_whether_it_was_taken() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    let (good, bad) = (Receiver::answering([200]), Receiver::answering([500]));
    let good = api.subscribe(&good.url("/"), "new_lead").id;
    let bad = api.subscribe(&bad.url("/"), "new_lead").id;
    let absent = api.subscribe(&deserted_url(), "new_lead").id;

    assert!(cli.prints(&["hooks", "test", &good]).starts_with("answer\t200\ntook\t"));
    assert!(cli.fails(1, &["hooks", "test", &bad]).contains("the receiver answered 500"));
    assert!(cli.fails(1, &["hooks", "test", &absent]).contains("gave no answer: connect"));
}

#[test]
fn a_rotation_prints_the_new_secret_alone() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    let hook = api.subscribe("http://127.0.0.1:9/", "new_lead");

    let generated = cli.prints(&["hooks", "rotate-secret", &hook.id]);
    let given =
        cli.prints(&["hooks", "rotate-secret", &hook.id, "--secret", "sixteen-or-more-!", "--overlap", "1h"]);

    assert!(generated.starts_with("whsec_") && Some(generated.trim()) != hook.secret.as_deref());
    assert_eq!(given, "sixteen-or-more-!\n");
}

#[test]
fn samples_are_payloads_one_a_line() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    api.emit("new_lead", &json!({"n": 1}));
    api.emit("new_lead", &json!({"n": 2}));

    let printed = cli.prints(&["hooks", "sample", "new_lead"]);

    let samples: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!((samples.len(), &samples[0]["data"]["n"]), (2, &json!(2)));
}

#[test]
fn a_list_is_gathered_from_as_many_pages_as_are_wanted() {
    let server = Server::start();
    let cli = Cli::of(&server);
    let event = json!({"event": "new_lead", "data": 1});
    server.api().emit_all(&vec![event.clone(); 1_000]);
    server.api().emit_all(&vec![event; 500]);

    assert_eq!(cli.prints(&["events"]).lines().count(), 50);
    assert_eq!(cli.prints(&["events", "--limit", "1200"]).lines().count(), 1_200);
    assert_eq!(cli.prints_json::<Vec<Value>>(&["events", "--all", "--json"]).len(), 1_500);
    assert_eq!(cli.prints(&["events", "--all", "--event", "new_message"]), "");
}

#[test]
fn an_event_is_shown_with_its_data_and_deliveries_and_replayed() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([200]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead").id;
    let event = api.emit("new_lead", &json!({"n": 1})).id;
    listed(&cli, &["deliveries", "--status", "delivered"]);

    let shown = cli.prints(&["events", "get", &event]);
    let replayed = cli.prints(&["events", "replay", &event, "--hook", &hook]);

    assert!(
        shown.contains("data\t{\"n\":1}\n") && shown.contains(&format!(" delivered to {hook}\n")),
        "{shown}"
    );
    assert_eq!(replayed, "queued 1 deliveries\n");
    assert_eq!(receiver.wait_for(2)[1].webhook_id(), event);
}

#[test]
fn the_catalogue_is_listed() {
    let server = Server::start();

    let types = Cli::of(&server).prints(&["events", "types"]);

    assert_eq!(types.lines().count(), 7, "{types}");
    assert!(types.starts_with("new_lead\tA visitor submits"), "{types}");
}
