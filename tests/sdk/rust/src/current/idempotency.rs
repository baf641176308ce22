//! Idempotency keys: two requests with one key make one thing.

use svix::api::{
    ApplicationCreateOptions, EndpointCreateOptions, EventTypeCreateOptions, MessageCreateOptions,
};
use svix::models::{ApplicationIn, EndpointIn, EventTypeIn, MessageIn, MessageOut};

use super::world::{ANY_URL, World, invalid, payload};
use crate::names::unique;

pub async fn walk(world: &World) {
    make_one_message_of_two_requests(world).await;
    make_one_application_of_two_requests(world).await;
    make_one_event_type_of_two_requests(world).await;
    make_one_endpoint_of_two_requests(world).await;
    of_a_request_that_was_refused_are_free_again(world).await;
}

async fn make_one_message_of_two_requests(world: &World) {
    let (app, event_type) = (world.application().await, world.event_type().await);
    let create = async |key: &str| -> MessageOut {
        let message = MessageIn::new(event_type.clone(), payload());
        let options =
            MessageCreateOptions { idempotency_key: Some(key.to_owned()), ..MessageCreateOptions::default() };
        world.svix.message().create(app.id.clone(), message, Some(options)).await.expect("a message")
    };
    let key = unique("key");

    let (first, second, other) = (create(&key).await, create(&key).await, create(&unique("key")).await);

    assert_eq!(first, second);
    assert_ne!(first.id, other.id);
    let listed = world.svix.message().list(app.id.clone(), None).await.expect("a list");
    assert_eq!(listed.data, [other, first]);
}

async fn make_one_application_of_two_requests(world: &World) {
    let (uid, key) = (unique("acme"), unique("key"));
    let create = async || {
        let wanted = ApplicationIn { uid: Some(uid.clone()), ..ApplicationIn::new("Acme".to_owned()) };
        let options = ApplicationCreateOptions { idempotency_key: Some(key.clone()) };
        world.svix.application().create(wanted, Some(options)).await.expect("an application")
    };

    assert_eq!(create().await, create().await);
}

async fn make_one_event_type_of_two_requests(world: &World) {
    let (name, key) = (unique("invoice.paid"), unique("key"));
    let create = async || {
        let wanted = EventTypeIn::new(name.clone(), "An invoice was paid".to_owned());
        let options = EventTypeCreateOptions { idempotency_key: Some(key.clone()) };
        world.svix.event_type().create(wanted, Some(options)).await.expect("an event type")
    };

    assert_eq!(create().await, create().await);
}

async fn make_one_endpoint_of_two_requests(world: &World) {
    let (app, key) = (world.application().await, unique("key"));
    let create = async || {
        let options = EndpointCreateOptions { idempotency_key: Some(key.clone()) };
        let wanted = EndpointIn::new(ANY_URL.to_owned());
        world.svix.endpoint().create(app.id.clone(), wanted, Some(options)).await.expect("an endpoint")
    };

    let (first, second) = (create().await, create().await);

    assert_eq!(first, second);
    assert_eq!(world.svix.endpoint().list(app.id.clone(), None).await.expect("a list").data, [first]);
}

async fn of_a_request_that_was_refused_are_free_again(world: &World) {
    let (app, key) = (world.application().await, unique("key"));
    let create = async |url: &str| {
        let options = EndpointCreateOptions { idempotency_key: Some(key.clone()) };
        world.svix.endpoint().create(app.id.clone(), EndpointIn::new(url.to_owned()), Some(options)).await
    };

    invalid(create("no url").await, &["body", "url"]);

    assert_eq!(create(ANY_URL).await.expect("an endpoint").url, ANY_URL);
}
