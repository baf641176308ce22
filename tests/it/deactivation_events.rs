//! `hookyard.hook_deactivated`: how an operator learns that a hook was given up.

use serde_json::{Value, json};

use crate::support::api::{Api, Hook, text};
use crate::support::deliveries::instant;
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;

const DEACTIVATED: &str = "hookyard.hook_deactivated";

/// A hook that is given up because its receiver answers 410.
fn give_up(api: &Api, receiver: &Receiver, event: &str) -> Hook {
    let hook = api.subscribe(&receiver.url("/given-up"), event);
    api.emit(event, &json!(1));
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated")
}

/// The id of the hook that each of these requests tells of.
fn told_of(requests: &[Received]) -> Vec<String> {
    requests.iter().map(|request| text(&request.data()["hook"], "id").to_owned()).collect()
}

#[test]
fn an_admin_learns_of_a_hook_that_was_given_up() {
    let server = Server::start();
    let admin = server.api();
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    let watching: Hook =
        admin.subscribing(&json!({"url": operator.url("/"), "event": DEACTIVATED})).expect(201);

    let hook = give_up(&admin, &gone, "new_lead");

    let told = operator.wait_for(1).remove(0);
    told.assert_signed_with(watching.secret.as_deref().expect("the answer shows it"));
    assert_eq!(told.json()["event"], DEACTIVATED);
    let data = told.data();
    assert_eq!(data["hook"], json!({"id": hook.id, "url": gone.url("/given-up"), "event": "new_lead"}));
    assert_eq!(data["account"], "default");
    assert_eq!(data["reason"], json!(hook.reason.expect("a deactivated hook shows why")));
    let deactivated_at = hook.deactivated_at.expect("a deactivated hook shows when");
    let apart = instant(text(&data, "deactivated_at")) - instant(&deactivated_at);
    // One of them may be cut to whole seconds.
    assert!(apart.abs() <= std::time::Duration::from_secs(1), "{data} and {deactivated_at}");
}

#[test]
fn a_hook_whose_last_retry_failed_is_told_of_as_well() {
    let server = Server::start();
    let (operator, failing) = (Receiver::answering([200]), Receiver::answering([500]));
    server.api().subscribe(&operator.url("/"), DEACTIVATED);

    let hook = give_up(&server.api(), &failing, "new_lead");

    let data = operator.wait_for(1)[0].data();
    assert_eq!(data["hook"]["id"], json!(hook.id));
    assert_eq!(data["reason"], json!(hook.reason));
    assert_eq!(failing.requests().len(), 4);
}

#[test]
fn an_admin_learns_of_the_hooks_of_every_account() {
    let server = Server::start();
    let acme = server.api().account("acme");
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    server.api().subscribe(&operator.url("/"), DEACTIVATED);

    let hook = give_up(&acme, &gone, "new_lead");

    let data = operator.wait_for(1)[0].data();
    assert_eq!((&data["hook"]["id"], text(&data, "account")), (&json!(hook.id), "acme"));
}

#[test]
fn nobody_but_an_admin_can_subscribe_to_it() {
    let server = Server::start();
    let acme = server.api().account("acme");
    let (nosy, gone) = (Receiver::answering([200]), Receiver::answering([410]));

    acme.subscribing(&json!({"url": nosy.url("/"), "event": DEACTIVATED})).refused(403);
    give_up(&acme, &gone, "new_lead");

    assert_eq!(acme.hooks().len(), 1);
    assert_eq!(nosy.requests().len(), 0);
}

#[test]
fn nobody_else_can_make_one_up() {
    let server = Server::start();
    let operator = Receiver::answering([200]);
    let watching = server.api().subscribe(&operator.url("/"), DEACTIVATED);

    let forged =
        server.api().account("acme").emitting(&json!({"event": DEACTIVATED, "data": {"forged": true}}));

    assert!(matches!(forged.status, 403 | 422), "{}", forged.describe());
    assert_eq!(server.api().hook(&watching.id).pending, Some(0));
}

#[test]
fn it_is_told_once_for_each_time_that_a_hook_is_given_up() {
    let server = Server::start();
    let api = server.api();
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    api.subscribe(&operator.url("/"), DEACTIVATED);

    let hook = give_up(&api, &gone, "new_lead");
    operator.wait_for(1);
    let again = give_up(&api, &gone, "new_lead");
    operator.wait_for(2);
    let other = give_up(&api, &gone, "new_message");

    let requests = operator.wait_for(3);
    assert_eq!(again.id, hook.id);
    assert_eq!(told_of(&requests), [hook.id.clone(), hook.id, other.id]);
    let mut ids = operator.webhook_ids();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_backlog_that_is_parked_is_one_deactivation() {
    let server = Server::start();
    let api = server.api();
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    api.subscribe(&operator.url("/"), DEACTIVATED);
    let hook = api.subscribe(&gone.url("/"), "new_lead");
    api.pause(&hook.id);
    let batch: Vec<Value> = (0..50).map(|n| json!({"event": "new_lead", "data": n})).collect();
    api.emit_all(&batch);

    api.resume(&hook.id);
    api.wait_for_hook(&hook.id, "all is parked", |hook| hook.dead == Some(50));
    let other = give_up(&api, &Receiver::answering([410]), "new_message");

    operator.wait_until("the second is told", |received| told_of(received).contains(&other.id));
    assert_eq!(told_of(&operator.requests()), [hook.id, other.id]);
}

#[test]
fn it_is_never_told_of_a_hook_that_tells_it() {
    let server = Server::start();
    let api = server.api();
    let (operator, broken) = (Receiver::answering([200]), Receiver::answering([410]));
    let gone = Receiver::answering([410]);
    api.subscribe(&operator.url("/"), DEACTIVATED);
    let watching = api.subscribe(&broken.url("/"), DEACTIVATED);

    let first = give_up(&api, &gone, "new_lead");
    api.wait_for_hook(&watching.id, "it is deactivated", |hook| hook.status == "deactivated");
    let second = give_up(&api, &gone, "new_message");

    operator.wait_until("the second is told", |received| told_of(received).contains(&second.id));
    let mut told = told_of(&operator.requests());
    let mut expected = vec![first.id, second.id];
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn a_hook_that_is_paused_or_deleted_was_not_given_up() {
    let server = Server::start();
    let api = server.api();
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    api.subscribe(&operator.url("/"), DEACTIVATED);
    let paused = api.subscribe("https://example.com/", "new_lead");
    let deleted = api.subscribe("https://example.com/deleted", "new_lead");

    api.pause(&paused.id);
    api.unsubscribe(&deleted.id);
    let hook = give_up(&api, &gone, "new_message");

    assert_eq!(told_of(&operator.wait_for(1)), [hook.id]);
}

#[test]
fn it_is_retried_as_every_delivery_is() {
    let server = Server::start();
    let (operator, gone) = (Receiver::answering([500, 500, 200]), Receiver::answering([410]));
    let watching = server.api().subscribe(&operator.url("/"), DEACTIVATED);

    give_up(&server.api(), &gone, "new_lead");

    let requests = operator.wait_for(3);
    assert!(requests.iter().all(|request| request.webhook_id() == requests[0].webhook_id()));
    server.api().wait_until_delivered(&watching.id, requests[0].webhook_id());
}

#[test]
fn it_survives_a_kill() {
    let mut server = Server::start();
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    let watching = server.api().subscribe(&operator.url("/"), DEACTIVATED);
    server.api().pause(&watching.id);
    let hook = give_up(&server.api(), &gone, "new_lead");
    server.api().wait_for_hook(&watching.id, "it is told, and waits", |hook| hook.pending == Some(1));
    // Its receipt comes after the commit that holds the deactivation.
    server.api().emit("agent_created", &json!("a barrier"));

    server.kill();
    server.restart();
    server.api().resume(&watching.id);

    assert_eq!(told_of(&operator.wait_for(1)), [hook.id]);
    let data = operator.requests()[0].data();
    assert_eq!(data["hook"]["event"], "new_lead");
}

#[test]
fn a_deactivation_that_a_kill_follows_at_once_is_told_if_it_holds() {
    let mut server = Server::start();
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    server.api().subscribe(&operator.url("/"), DEACTIVATED);
    let hook = server.api().subscribe(&gone.url("/"), "new_lead");
    server.api().emit("new_lead", &json!(1));
    gone.wait_for(1);

    // Whether the deactivation was committed or is made again after the restart, it is told.
    server.kill();
    server.restart();

    server.api().wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    let requests = operator.wait_for(1);
    assert!(told_of(&requests).iter().all(|id| *id == hook.id));
}

#[test]
fn nobody_but_an_admin_reads_of_another_accounts_hooks() {
    let server = Server::start();
    let acme = server.api().account("acme");
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    server.api().subscribe(&operator.url("/"), DEACTIVATED);
    let hook = give_up(&acme, &gone, "new_lead");
    let event = operator.wait_for(1)[0].webhook_id().to_owned();

    // The operator's hook is of this account, and so may be the event; what it tells is not.
    let neighbour = server.api().account("default");
    let answers = [
        neighbour.get("/api/v1/events"),
        neighbour.get(&format!("/api/v1/events/{event}")),
        neighbour.get(&format!("/api/v1/hooks/sample?event={DEACTIVATED}")),
    ];

    for answer in answers {
        assert!(!answer.text().contains(&hook.id), "{}", answer.describe());
        assert!(!answer.text().contains("given-up"), "{}", answer.describe());
    }
}

#[test]
fn what_is_kept_from_a_key_leaves_no_holes_in_its_pages() {
    let server = Server::start();
    let (acme, neighbour) = (server.api().account("acme"), server.api().account("default"));
    let (operator, gone) = (Receiver::answering([200]), Receiver::answering([410]));
    server.api().subscribe(&operator.url("/"), DEACTIVATED);
    let mut expected = Vec::new();
    for n in 0..5 {
        give_up(&acme, &gone, "new_lead");
        operator.wait_for(n + 1);
        expected.insert(0, neighbour.emit("new_message", &json!(n)).id);
    }

    let pages = neighbour.pages("/api/v1/events?limit=2");

    let shown: Vec<&str> = pages.iter().flatten().map(|event| text(event, "id")).collect();
    assert_eq!(shown, expected);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(server.api().pages("/api/v1/events?limit=2").concat().len(), 10);
}
