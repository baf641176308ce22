//! Messages.

use serde_json::json;
use svix_1::api::{MessageCreateOptions, MessageGetOptions, MessageIn, MessageListOptions, MessageOut};

use super::world::{ANY_URL, World, payload, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    are_made_once_and_found(world).await;
    forget_their_payload(world).await;
}

async fn are_made_once_and_found(world: &World) {
    let (app, key) = (world.application().await, unique("key"));
    let wanted = MessageIn {
        event_id: Some(unique("paid")),
        channels: Some(vec!["project_1".to_owned()]),
        ..MessageIn::new(world.event_type().await, payload())
    };
    let create = async || {
        let options = MessageCreateOptions { idempotency_key: Some(key.clone()), ..Default::default() };
        world.svix.message().create(app.id.clone(), wanted.clone(), Some(options)).await.expect("a message")
    };

    let made = create().await;

    assert!(made.id.starts_with("msg_"), "{}", made.id);
    assert_eq!((&made.event_type, &made.event_id), (&wanted.event_type, &wanted.event_id));
    assert_eq!((&made.payload, &made.channels), (&payload(), &wanted.channels));
    assert_eq!(create().await, made);
    let event_id = wanted.event_id.clone().expect("one was given");
    let found = world.svix.message().get(app.id.clone(), event_id, None).await;
    assert_eq!(found.expect("the message"), made);
    let options = MessageListOptions {
        event_types: Some(vec![wanted.event_type.clone()]),
        channel: Some("project_1".to_owned()),
        after: Some(app.created_at.clone()),
        with_content: Some(false),
        ..Default::default()
    };
    let listed = world.svix.message().list(app.id.clone(), Some(options)).await;
    let without_content = MessageOut { payload: json!({}), ..made };
    assert_eq!(listed.expect("a list").data, [without_content]);
}

async fn forget_their_payload(world: &World) {
    let app = world.application().await;
    let made = world.message(&app, &world.event_type().await).await;
    let to = world.endpoint(&app, ANY_URL).await;

    world.svix.message().expunge_content(app.id.clone(), made.id.clone()).await.expect("it is forgotten");

    let options = MessageGetOptions { with_content: Some(true) };
    let found = world.svix.message().get(app.id.clone(), made.id.clone(), Some(options)).await;
    assert_eq!(found.expect("the message").payload, json!({"expired": true}));
    let resent = world.svix.message_attempt().resend(app.id, made.id, to.id, None).await;
    refused(resent, 400, "missing_payload");
}
