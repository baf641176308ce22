//! Messages.

use std::slice::from_ref;
use std::time::SystemTime;

use serde_json::{Value, json};
use svix::api::{MessageCreateOptions, MessageGetOptions, MessageListOptions};
use svix::models::{ApplicationIn, ApplicationOut, MessageIn, MessageOut};

use super::world::{ANY_URL, World, payload, refused};
use crate::names::unique;
use crate::patience::moment_later;

pub async fn walk(world: &World) {
    show_what_they_were_given(world).await;
    show_their_payload_only_when_asked_for_it(world).await;
    forget_their_payload(world).await;
    do_not_share_an_event_id_within_an_application(world).await;
    belong_to_one_application(world).await;
    bring_their_application_with_them(world).await;
    are_listed_by_type_and_channel(world).await;
    are_listed_by_time(world).await;
}

async fn ids(world: &World, app: &ApplicationOut, options: MessageListOptions) -> Vec<String> {
    let listed = world.svix.message().list(app.id.clone(), Some(options)).await.expect("a list");
    listed.data.into_iter().map(|message| message.id).collect()
}

async fn payload_of(world: &World, app: &ApplicationOut, message: &MessageOut) -> Value {
    let options = MessageGetOptions { with_content: Some(true) };
    let found = world.svix.message().get(app.id.clone(), message.id.clone(), Some(options)).await;
    found.expect("the message").payload
}

async fn show_what_they_were_given(world: &World) {
    let app = world.application().await;
    let wanted = MessageIn {
        event_id: Some(unique("paid")),
        channels: Some(["project_1".to_owned()].into()),
        ..MessageIn::new(world.event_type().await, payload())
    };
    let options = MessageCreateOptions { with_content: Some(true), ..MessageCreateOptions::default() };
    let made = world.svix.message().create(app.id.clone(), wanted.clone(), Some(options)).await;
    let made = made.expect("a message");

    assert!(made.id.starts_with("msg_"), "{}", made.id);
    assert_eq!((&made.event_type, &made.event_id), (&wanted.event_type, &wanted.event_id));
    assert_eq!((&made.payload, &made.channels), (&payload(), &wanted.channels));
    assert!(SystemTime::from(made.timestamp) <= SystemTime::now());
    let by_event_id = wanted.event_id.expect("one was given");
    let found = world.svix.message().get(app.uid.expect("one was given"), by_event_id, None).await;
    assert_eq!(found.expect("the message").id, made.id);
}

async fn show_their_payload_only_when_asked_for_it(world: &World) {
    let app = world.application().await;
    let made = world.message(&app, &world.event_type().await).await;
    assert_eq!(made.payload, json!({}));

    let found = world.svix.message().get(app.id.clone(), made.id.clone(), None).await;
    assert_eq!(found.expect("the message"), made);
    assert_eq!(payload_of(world, &app, &made).await, payload());

    let listed = world.svix.message().list(app.id.clone(), None).await.expect("a list");
    assert_eq!(listed.data, from_ref(&made));
    let options = MessageListOptions { with_content: Some(true), ..MessageListOptions::default() };
    let listed = world.svix.message().list(app.id, Some(options)).await.expect("a list");
    assert_eq!(listed.data, [MessageOut { payload: payload(), ..made }]);
}

async fn forget_their_payload(world: &World) {
    let app = world.application().await;
    let made = world.message(&app, &world.event_type().await).await;
    let to = world.endpoint(&app, ANY_URL).await;

    world.svix.message().expunge_content(app.id.clone(), made.id.clone()).await.expect("it is forgotten");

    assert_eq!(payload_of(world, &app, &made).await, json!({"expired": true}));
    let resent = world.svix.message_attempt().resend(app.id, made.id, to.id, None).await;
    refused(resent, 400, "missing_payload");
}

async fn do_not_share_an_event_id_within_an_application(world: &World) {
    let (app, event_type) = (world.application().await, world.event_type().await);
    let wanted = MessageIn { event_id: Some(unique("paid")), ..MessageIn::new(event_type, payload()) };
    world.message_of(&app, wanted.clone()).await;

    refused(world.svix.message().create(app.id, wanted.clone(), None).await, 409, "conflict");
    let elsewhere = world.message_of(&world.application().await, wanted.clone()).await;
    assert_eq!(elsewhere.event_id, wanted.event_id);
}

async fn belong_to_one_application(world: &World) {
    let made = world.message(&world.application().await, &world.event_type().await).await;

    let other = world.application().await;
    refused(world.svix.message().get(other.id, made.id, None).await, 404, "not_found");
}

async fn bring_their_application_with_them(world: &World) {
    let uid = unique("new");
    let new = ApplicationIn { uid: Some(uid.clone()), ..ApplicationIn::new("New".to_owned()) };

    let wanted = MessageIn { application: Some(new), ..MessageIn::new(world.event_type().await, payload()) };
    let made = world.svix.message().create(uid.clone(), wanted, None).await.expect("a message");

    assert_eq!(world.svix.application().get(uid.clone()).await.expect("the application").name, "New");
    assert_eq!(world.svix.message().list(uid, None).await.expect("a list").data, [made]);
}

async fn are_listed_by_type_and_channel(world: &World) {
    let app = world.application().await;
    let types = [world.event_type().await, world.event_type().await];
    let first = world.message(&app, &types[0]).await.id;
    let channels = Some(["a".to_owned(), "b".to_owned()].into());
    let wanted = MessageIn { channels, ..MessageIn::new(types[1].clone(), payload()) };
    let second = world.message_of(&app, wanted).await.id;

    let by_types = |event_types: &[String]| MessageListOptions {
        event_types: Some(event_types.iter().cloned().collect()),
        ..MessageListOptions::default()
    };
    assert_eq!(ids(world, &app, by_types(&types[..1])).await, from_ref(&first));
    assert_eq!(ids(world, &app, by_types(&types)).await, [second.clone(), first]);
    let by_channel = |channel: &str| MessageListOptions {
        channel: Some(channel.to_owned()),
        ..MessageListOptions::default()
    };
    assert_eq!(ids(world, &app, by_channel("b")).await, [second]);
    assert!(ids(world, &app, by_channel("c")).await.is_empty());
}

async fn are_listed_by_time(world: &World) {
    let (app, event_type) = (world.application().await, world.event_type().await);
    let before = world.message(&app, &event_type).await.id;
    moment_later().await;
    let between = SystemTime::now();
    moment_later().await;
    let after = world.message(&app, &event_type).await.id;

    let earlier = MessageListOptions { before: Some(between.into()), ..MessageListOptions::default() };
    assert_eq!(ids(world, &app, earlier).await, [before]);
    let later = MessageListOptions { after: Some(between.into()), ..MessageListOptions::default() };
    assert_eq!(ids(world, &app, later).await, [after]);
}
