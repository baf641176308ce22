//! What is done with an endpoint: its messages are counted and recovered, and it is sent an example.

use serde_json::json;
use svix_1::api::{
    ApplicationOut, BackgroundTaskStatus, BackgroundTaskType, EndpointGetStatsOptions, EndpointOut,
    EndpointPatch, EndpointStats, EventExampleIn, EventTypeIn, RecoverIn,
};

use super::world::World;
use crate::names::unique;
use crate::patience::eventually;
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    counts_and_recovers_what_had_failed(world).await;
    sends_an_example(world).await;
}

/// Waits until the endpoint's messages since its application was made are counted like that, and in no other way.
async fn settled(world: &World, app: &ApplicationOut, to: &EndpointOut, success: i32, fail: i32) {
    let wanted = EndpointStats { success, fail, ..EndpointStats::default() };
    eventually(&format!("{wanted:?}"), async || {
        let options = EndpointGetStatsOptions { since: Some(app.created_at.clone()), until: None };
        let stats = world.svix.endpoint().get_stats(app.id.clone(), to.id.clone(), Some(options)).await;
        (stats.expect("stats") == wanted).then_some(())
    })
    .await;
}

async fn counts_and_recovers_what_had_failed(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([500]));
    let to = world.endpoint(&app, &receiver.url).await;
    settled(world, &app, &to, 0, 0).await;
    let message = world.message(&app, &world.event_type().await).await;
    settled(world, &app, &to, 0, 1).await;
    receiver.unread();

    // Which enables the endpoint again, if it had been given up.
    receiver.answer_with(200);
    let patch = EndpointPatch { disabled: Some(false), ..EndpointPatch::new() };
    world.svix.endpoint().patch(app.id.clone(), to.id.clone(), patch).await.expect("it is enabled");
    let wanted = RecoverIn::new(app.created_at.clone());
    let task = world.svix.endpoint().recover(app.id.clone(), to.id.clone(), wanted, None).await;

    let task = task.expect("a task");
    assert!(task.id.starts_with("qtask_"), "{}", task.id);
    assert_eq!(
        (task.status, task.task),
        (BackgroundTaskStatus::Running, BackgroundTaskType::EndpointRecover)
    );
    assert_eq!(receiver.next().message_id(), message.id);
    settled(world, &app, &to, 1, 0).await;
}

async fn sends_an_example(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let wanted = EventTypeIn {
        schemas: Some(json!({"1": {"type": "object", "examples": [{"amount": 12}]}})),
        ..EventTypeIn::new("An invoice was paid".to_owned(), unique("invoice.paid"))
    };
    let event_type = world.svix.event_type().create(wanted, None).await.expect("an event type").name;

    let wanted = EventExampleIn::new(event_type.clone());
    let example = world.svix.endpoint().send_example(app.id, to.id, wanted, None).await;

    let example = example.expect("an example");
    assert_eq!(example.event_type, event_type);
    let received = receiver.next();
    assert_eq!(
        (received.message_id(), received.body.as_slice()),
        (example.id.as_str(), &br#"{"amount":12}"#[..])
    );
}
