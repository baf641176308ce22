//! `hookyard explain`: the timeline of an event, asked of a real server.

use serde_json::json;

use crate::support::cli::Cli;
use crate::support::patience::until_some;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

#[test]
fn an_event_is_explained_from_its_acceptance_to_what_comes_next() {
    let server = Server::start_with(Settings::quick().schedule(&["50ms", "1h"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let (good, bad, gone) =
        (Receiver::answering([200]), Receiver::answering([500]), Receiver::answering([410]));
    let left = api.subscribe(&gone.url("/"), "new_lead");
    api.emit("new_lead", &json!("for the one that is gone"));
    api.wait_for_hook(&left.id, "it is deactivated", |hook| hook.status == "deactivated");
    let taker = api.subscribe(&good.url("/"), "new_lead");
    let failing = api.subscribe(&bad.url("/"), "new_lead");
    let paused = api.subscribe(&good.url("/paused"), "new_lead");
    api.pause(&paused.id);
    let other = api.subscribe(&good.url("/other"), "new_message");
    let event = api.emit("new_lead", &json!({"n": 1})).id;

    let story = until_some("two attempts have failed and one has not", || {
        let story = cli.prints(&["explain", &event]);
        let attempts = [": 500 in ", ": 200 in "].map(|answer| story.matches(answer).count());
        Some(story).filter(|_| attempts == [2, 1])
    });

    let place = |text: &str| story.find(text).unwrap_or_else(|| panic!("no {text:?} in:\n{story}"));
    let in_order = [
        place("accepted; it matched 3 hooks"),
        place("on disk; the receipt went out"),
        place(&format!("attempt 1 to {}: 500 in ", failing.url)),
        place(&format!("attempt 2 to {}: 500 in ", failing.url)),
        place("What happens next"),
        place("attempt 3 comes in "),
        place("it is paused"),
        place(&format!("hookyard hooks resume {}", paused.id)),
        place("nothing: delivered at the first attempt"),
        place("Why not the others"),
    ];
    assert!(in_order.is_sorted(), "{story}");
    assert!(place(&format!("{}  {}", left.url, left.id)) > in_order[9], "{story}");
    assert!(place("was deactivated before, at ") > in_order[9], "{story}");
    assert!(place(&other.id) > in_order[9] && story.contains("wants new_message"), "{story}");
    assert!(place(&taker.id) < in_order[9], "{story}");
    assert!(!story.contains('\x1b'), "colours where there is no terminal: {story:?}");
}

#[test]
fn a_hook_that_came_later_and_one_that_left_are_told_apart() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([200]);
    let left = api.subscribe(&receiver.url("/left"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    receiver.wait_for(1);
    api.unsubscribe(&left.id);
    let later = api.subscribe(&receiver.url("/later"), "new_lead");

    let story = cli.prints(&["explain", &event]);

    assert!(story.contains("1 hook\n      matched, and unsubscribed since"), "{story}");
    assert!(story.contains(&format!("{}\n      subscribed after it, at ", later.id)), "{story}");
}

#[test]
fn an_event_that_is_given_up_says_how_to_deliver_it_after_all() {
    let server = Server::start_with(Settings::quick().schedule(&["50ms"]));
    let (cli, api) = (Cli::of(&server), server.api());
    let receiver = Receiver::answering([500]);
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let event = api.emit("new_lead", &json!(1)).id;
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");

    let story = cli.prints(&["explain", &event]);
    receiver.answer_from_now(200);
    let advice = format!("hookyard hooks subscribe {} new_lead --replay", hook.url);
    assert!(story.contains("given up, a dead letter: the hook is deactivated: "), "{story}");
    assert!(story.contains(&advice), "{story}");
    cli.prints(&advice.split(' ').skip(1).collect::<Vec<_>>());

    until_some("it is delivered", || {
        Some(cli.prints(&["explain", &event])).filter(|story| story.contains("nothing: delivered after 3"))
    });
}

#[test]
fn an_event_of_nobody_is_unknown() {
    let server = Server::start();

    let said = Cli::of(&server).fails(1, &["explain", &format!("evt_{}", "0".repeat(27))]);

    assert_eq!(said, "hookyard: there is no such event\n");
}

#[test]
fn json_is_the_event_as_the_api_shows_it() {
    let server = Server::start();
    let (cli, api) = (Cli::of(&server), server.api());
    let event = api.emit("new_lead", &json!(1)).id;

    let printed = cli.prints(&["explain", &event, "--json"]);

    assert_eq!(printed.trim_end(), api.get(&format!("/api/v1/events/{event}")).text());
}
