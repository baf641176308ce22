//! What is done with an endpoint: its messages are counted and recovered, and it is sent an example.

use std::time::{Duration, SystemTime};

use serde_json::json;
use svix::api::EndpointGetStatsOptions;
use svix::models::{
    ApplicationOut, BackgroundTaskStatus, BackgroundTaskType, EndpointOut, EndpointPatch, EndpointStats,
    EventExampleIn, EventTypeIn, RecoverIn,
};

use super::world::World;
use crate::names::unique;
use crate::patience::eventually;
use crate::receiver::Receiver;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

pub async fn walk(world: &World) {
    counts_messages_by_how_they_stand(world).await;
    recovers_what_had_failed(world).await;
    sends_an_example_to_the_one_endpoint(world).await;
}

async fn stats(
    world: &World,
    app: &ApplicationOut,
    to: &EndpointOut,
    options: EndpointGetStatsOptions,
) -> EndpointStats {
    let stats = world.svix.endpoint().get_stats(app.id.clone(), to.id.clone(), Some(options)).await;
    stats.expect("stats")
}

/// Waits until the endpoint's messages are counted like that, and in no other way.
async fn settled(world: &World, app: &ApplicationOut, to: &EndpointOut, success: i64, fail: i64) {
    let wanted = EndpointStats { success, fail, pending: 0, sending: 0, canceled: 0 };
    eventually(&format!("{wanted:?}"), async || {
        (stats(world, app, to, EndpointGetStatsOptions::default()).await == wanted).then_some(())
    })
    .await;
}

async fn counts_messages_by_how_they_stand(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let event_type = world.event_type().await;
    settled(world, &app, &to, 0, 0).await;
    world.message(&app, &event_type).await;
    settled(world, &app, &to, 1, 0).await;

    receiver.answer_with(500);
    world.message(&app, &event_type).await;
    settled(world, &app, &to, 1, 1).await;

    let now = SystemTime::now();
    let lately = EndpointGetStatsOptions { since: Some((now - HOUR).into()), until: Some(now.into()) };
    assert_eq!(stats(world, &app, &to, lately).await.success, 1);
    let before = EndpointGetStatsOptions { since: None, until: Some((now - HOUR).into()) };
    assert_eq!(stats(world, &app, &to, before).await.success, 0);
}

async fn recovers_what_had_failed(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let event_type = world.event_type().await;
    let good = world.message(&app, &event_type).await;
    settled(world, &app, &to, 1, 0).await;
    receiver.answer_with(500);
    let bad = world.message(&app, &event_type).await;
    settled(world, &app, &to, 1, 1).await;
    receiver.unread();

    // Which enables the endpoint again, if it had been given up.
    receiver.answer_with(200);
    let patch = EndpointPatch { disabled: Some(false), ..EndpointPatch::new() };
    world.svix.endpoint().patch(app.id.clone(), to.id.clone(), patch).await.expect("it is enabled");
    let wanted = RecoverIn::new(good.timestamp - MINUTE);
    let task = world.svix.endpoint().recover(app.id.clone(), to.id.clone(), wanted, None).await;

    let task = task.expect("a task");
    assert!(task.id.starts_with("qtask_"), "{}", task.id);
    assert_eq!(task.status, BackgroundTaskStatus::Running);
    assert_eq!(task.task, BackgroundTaskType::EndpointRecover);
    settled(world, &app, &to, 2, 0).await;
    let again: Vec<String> =
        receiver.unread().iter().map(|received| received.message_id().to_owned()).collect();
    assert_eq!(again, [bad.id]);
}

async fn sends_an_example_to_the_one_endpoint(world: &World) {
    let app = world.application().await;
    let [receiver, other] = [Receiver::answering([200]), Receiver::answering([200])];
    let to = world.endpoint(&app, &receiver.url).await;
    world.endpoint(&app, &other.url).await;
    let wanted = EventTypeIn {
        schemas: Some(json!({"1": {"type": "object", "examples": [{"amount": 12}]}})),
        ..EventTypeIn::new(unique("invoice.paid"), "An invoice was paid".to_owned())
    };
    let event_type = world.svix.event_type().create(wanted, None).await.expect("an event type").name;

    let wanted = EventExampleIn::new(event_type.clone());
    let example = world.svix.endpoint().send_example(app.id.clone(), to.id, wanted, None).await;

    let example = example.expect("an example");
    assert!(example.id.starts_with("msg_"), "{}", example.id);
    assert_eq!(example.event_type, event_type);
    let received = receiver.next();
    assert_eq!(
        (received.message_id(), received.body.as_slice()),
        (example.id.as_str(), &br#"{"amount":12}"#[..])
    );
    let message = world.message(&app, &event_type).await;
    assert_eq!(other.next().message_id(), message.id);
}
