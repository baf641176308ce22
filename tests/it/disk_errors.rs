//! A disk that fails under a running server: what cannot be kept is refused, nothing that was acknowledged is lost, and
//! the server goes on by itself once the disk does.

use serde_json::{Value, json};

use crate::support::api::{Api, Receipt, Reply, text};
use crate::support::disk::{Disk, Fault};
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::Settings;

/// More events than are accepted until a fault is met.
const ATTEMPTS: usize = 200;

#[test]
fn writes_that_fail_are_survived() {
    survives(&[Fault::Writes(libc::EIO), Fault::Writes(libc::ENOSPC)]);
}

#[test]
fn syncs_that_fail_are_survived() {
    survives(&[Fault::Syncs(libc::EIO), Fault::Syncs(libc::ENOSPC)]);
}

#[test]
fn a_disk_that_turns_read_only_is_survived() {
    survives(&[Fault::Changes(libc::EROFS), Fault::Changes(libc::EIO)]);
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_write_is_survived() {
    survives(&[Fault::FullAfter(1_000), Fault::FullAfter(50_001)]);
}

#[test]
fn a_store_on_a_disk_that_fails_is_not_opened_and_not_begun_anew() {
    let Some(disk) = Disk::mount() else { return };
    let mut server = Server::start_with(on(&disk));
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    api.pause(&hook.id);
    let event = api.emit("new_lead", &json!(null)).id;
    server.kill();

    for fault in [Fault::Writes(libc::EIO), Fault::Syncs(libc::EIO), Fault::Changes(libc::EROFS)] {
        disk.fail(fault);
        let ended = server.second_process();
        assert_eq!(ended.status.code(), Some(1), "{fault:?}: {}", ended.output);
        assert!(ended.output.contains("ledger"), "{fault:?}: {}", ended.output);
        disk.mend();
    }
    server.restart();

    server.api().resume(&hook.id);
    receiver.wait_for(1);
    assert_eq!(receiver.webhook_ids(), [event]);
}

#[test]
fn what_could_not_be_deleted_is_not_said_to_be_gone() {
    let Some(disk) = Disk::mount() else { return };
    let mut server = Server::start_with(on(&disk));
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = format!("/api/v1/hooks/{}", api.subscribe(&receiver.url("/"), "new_lead").id);
    let wish = json!({"account": "default", "scopes": ["events"], "name": "of a test"});
    let made: Value = api.post("/api/v1/keys", &wish).expect(201);
    let key = format!("/api/v1/keys/{}", text(&made, "id"));

    disk.fail(Fault::Syncs(libc::EIO));
    for _ in 0..10 {
        refused(api.delete(&hook));
        refused(api.delete(&key));
    }
    disk.mend();
    until("the server goes on", || api.get("/health/ready").status == 200);

    api.delete(&hook).expect::<Value>(200);
    assert_eq!(api.get(&hook).status, 404);
    assert!(matches!(api.delete(&key).status, 200 | 204));
    server.kill();
    server.restart();
    let api = server.api();
    assert_eq!(api.get(&hook).status, 404);
    assert_eq!(
        api.with_key(text(&made, "key")).emitting(&json!({"event": "new_lead", "data": 1})).status,
        401
    );
}

/// A server whose data is on the disk, and that uses it to the last byte.
fn on(disk: &Disk) -> Settings {
    Settings::quick()
        .set("limits.disk_reserve_bytes", "0")
        .variable("HOOKYARD_DATA_DIR", &disk.path().join("data").display().to_string())
}

/// Lets the disk of one server meet these faults, one after the other.
fn survives(faults: &[Fault]) {
    let Some(disk) = Disk::mount() else { return };
    let server = Server::start_with(on(&disk));
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    let waiting = api.subscribe(&receiver.url("/paused"), "new_message");
    api.pause(&waiting.id);
    let mut acknowledged = vec![api.emit("new_lead", &json!("before")).id];
    let mut kept = vec![api.emit("new_message", &json!("before")).id];

    for fault in faults {
        disk.fail(*fault);
        emit_until_refused(&api, &mut acknowledged);
        assert_eq!(api.get("/health/ready").status, 503, "{fault:?}");
        assert_eq!(api.get("/health/live").status, 200, "{fault:?}");
        refuses_all_changes(&api, &receiver, &hook.id);
        // It tries, and fails again.
        let refusals = disk.refusals();
        until("it has tried to open its store", || disk.refusals() > refusals + 1);
        assert_eq!(api.get("/health/ready").status, 503, "{fault:?}");

        disk.mend();
        until("the server goes on by itself", || api.get("/health/ready").status == 200);
        acknowledged.push(api.emit("new_lead", &json!("after")).id);
        kept.push(api.emit("new_message", &json!("after")).id);
        assert_eq!(api.hook(&waiting.id).status, "paused", "{fault:?}");
        assert_eq!(api.hook(&hook.id).status, "active", "{fault:?}");
    }

    api.wait_for_hook(&hook.id, "nothing is left to deliver", |hook| hook.pending == Some(0));
    let arrived = receiver.webhook_ids();
    for id in &acknowledged {
        assert!(arrived.contains(id), "{id} was acknowledged and is lost");
    }
    assert!(kept.iter().all(|id| !arrived.contains(id)), "a paused hook was called");
    api.resume(&waiting.id);
    api.wait_for_hook(&waiting.id, "its backlog is delivered", |hook| hook.pending == Some(0));
    let arrived = receiver.webhook_ids();
    assert!(kept.iter().all(|id| arrived.contains(id)), "what waited is lost");
}

fn emit_until_refused(api: &Api, acknowledged: &mut Vec<String>) {
    for _ in 0..ATTEMPTS {
        let reply = api.emitting(&json!({"event": "new_lead", "data": "x".repeat(2_000)}));
        match reply.status {
            202 => acknowledged.push(reply.expect::<Receipt>(202).id),
            _ => return refused(reply),
        }
    }
    panic!("the fault is never met");
}

fn refuses_all_changes(api: &Api, receiver: &Receiver, hook: &str) {
    let wish = json!({"url": receiver.url("/other"), "event": "new_lead"});
    refused(api.subscribing(&wish));
    refused(api.act(&format!("/api/v1/hooks/{hook}/pause")));
    refused(api.act(&format!("/api/v1/hooks/{hook}/rotate-secret")));
    refused(api.delete(&format!("/api/v1/hooks/{hook}")));
    refused(api.post("/api/v1/keys", &json!({"account": "default", "scopes": ["events"]})));
    let batch = Value::from(vec![json!({"event": "new_lead", "data": 1}); 3]);
    refused(api.emitting(&batch));
}

fn refused(reply: Reply) {
    reply.refused(503);
    let wait = reply.header("retry-after");
    assert!(wait.is_some_and(|wait| wait.parse::<u32>().is_ok()), "{}", reply.describe());
}
