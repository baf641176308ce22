//! Stopping: SIGTERM lets what is in flight finish, keeps what has a receipt, and frees the data directory.

use serde_json::json;

use crate::support::api::JSON;
use crate::support::patience::{Gate, until};
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

#[test]
fn what_is_in_flight_finishes_before_the_server_ends() {
    let mut server = Server::start();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let first = server.api().emit("new_lead", &json!(1));
    receiver.wait_for(1);

    server.terminate();
    gate.open();
    let status = server.wait_for_exit();
    server.restart();
    let second = server.api().emit("new_lead", &json!(2));

    assert_eq!(status.code(), Some(0));
    receiver.wait_for(2);
    server.api().wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
    assert_eq!(receiver.webhook_ids(), [first.id, second.id]);
}

#[test]
fn an_idle_server_ends_with_status_0() {
    let mut server = Server::start();

    server.terminate();

    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn a_stopping_server_accepts_no_more_events() {
    let mut server = Server::start();
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().emit("new_lead", &json!("in flight"));
    receiver.wait_for(1);
    let api = server.api();

    server.terminate();

    until("events are refused", || {
        match api.try_send("POST", "/api/v1/events", JSON, Some(br#"{"event":"new_message","data":1}"#)) {
            Ok(reply) if reply.status == 503 => {
                let seconds = reply.header("retry-after").map(str::parse::<u32>);
                assert!(matches!(seconds, Some(Ok(_))), "{:?}", reply.headers);
                true
            }
            Ok(reply) => {
                assert_eq!(reply.status, 202, "{}", reply.describe());
                false
            }
            // It no longer listens.
            Err(_) => true,
        }
    });
    gate.open();
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn receipts_survive_a_stop() {
    let mut server = Server::start();
    let receiver = Receiver::answering([200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().pause(&hook.id);
    let mut emitted: Vec<String> = (0..20).map(|n| server.api().emit("new_lead", &json!(n)).id).collect();

    server.terminate();
    server.wait_for_exit();
    server.restart();
    server.api().resume(&hook.id);

    server.api().wait_for_hook(&hook.id, "all is delivered", |hook| hook.pending == Some(0));
    let mut delivered = receiver.webhook_ids();
    delivered.sort();
    emitted.sort();
    assert_eq!(delivered, emitted);
}

#[test]
fn a_retry_that_waits_does_not_hold_up_the_stop_and_comes_after_the_start() {
    let mut server = Server::start_with(Settings::quick().schedule(&["3s", "3s"]));
    let receiver = Receiver::answering([500, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));
    receiver.wait_for(1);

    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    server.restart();

    receiver.wait_for(2);
    server.api().wait_for_hook(&hook.id, "it is delivered", |hook| hook.pending == Some(0));
    assert_eq!(receiver.webhook_ids(), [receipt.id.clone(), receipt.id]);
}

#[test]
fn a_receiver_that_never_answers_delays_the_stop_by_the_grace_period_at_most() {
    let mut server = Server::start_with(Settings::quick().set("shutdown.grace", r#""300ms""#));
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = server.api().emit("new_lead", &json!(1));
    receiver.wait_for(1);

    server.terminate();
    server.wait_for_exit();
    receiver.answer_from_now(200);
    server.restart();

    let requests = receiver.wait_for(2);
    assert!(requests.iter().all(|request| request.webhook_id() == receipt.id));
}

#[test]
fn a_second_process_on_the_same_data_says_so_and_ends() {
    let server = Server::start();
    server.api().subscribe("https://example.com/", "new_lead");

    let second = server.second_process();

    assert!(second.status.code().is_some_and(|code| code != 0), "{:?}: {}", second.status, second.output);
    let said = second.output.to_lowercase();
    let reasons = ["in use", "another process", "another hookyard", "already", "locked"];
    assert!(reasons.iter().any(|reason| said.contains(reason)), "{said}");
    assert_eq!(server.api().hooks().len(), 1);
}
