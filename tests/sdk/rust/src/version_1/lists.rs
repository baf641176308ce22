//! Lists of three, seen some at a time.

use svix_1::api::{
    ApplicationListOptions, EndpointListOptions, EventTypeListOptions,
    MessageAttemptListAttemptedDestinationsOptions, MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions, MessageAttemptListByMsgOptions, MessageListOptions, Ordering,
};

use super::world::{ANY_URL, World};
use crate::pages::{self, LIMIT, page, reversed};
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    of_applications_and_event_types(world).await;
    of_endpoints(world).await;
    of_messages_and_their_attempts_at_an_endpoint(world).await;
    of_what_became_of_a_message(world).await;
}

fn limit() -> Option<i32> {
    Some(LIMIT.into())
}

async fn of_applications_and_event_types(world: &World) {
    let (mut applications, mut event_types) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        applications.push(world.application().await.id);
        event_types.push(world.event_type().await);
    }
    event_types.sort();

    let page = async |iterator| {
        let order = Some(Ordering::Descending);
        let options = ApplicationListOptions { limit: limit(), iterator, order, ..Default::default() };
        page!(world.svix.application().list(Some(options)).await, id)
    };
    pages::have_among_others(page, &reversed(&applications)).await;

    let page = async |iterator| {
        let options = EventTypeListOptions { limit: limit(), iterator, ..Default::default() };
        page!(world.svix.event_type().list(Some(options)).await, name)
    };
    pages::have_among_others(page, &event_types).await;
}

async fn of_endpoints(world: &World) {
    let app = world.application().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(world.endpoint(&app, ANY_URL).await.id);
    }

    let page = async |iterator| {
        let options = EndpointListOptions { limit: limit(), iterator, order: Some(Ordering::Ascending) };
        page!(world.svix.endpoint().list(app.id.clone(), Some(options)).await, id)
    };
    pages::hold(page, &made).await;
}

async fn of_messages_and_their_attempts_at_an_endpoint(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let (to, event_type) = (world.endpoint(&app, &receiver.url).await.id, world.event_type().await);
    let (mut messages, mut attempts) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let message = world.message(&app, &event_type).await;
        attempts.push(world.attempts(&app, &message, 1).await.remove(0).id);
        messages.push(message.id);
    }

    let page = async |iterator| {
        let options = MessageListOptions { limit: limit(), iterator, ..Default::default() };
        page!(world.svix.message().list(app.id.clone(), Some(options)).await, id)
    };
    pages::hold(page, &reversed(&messages)).await;

    let page = async |iterator| {
        let options =
            MessageAttemptListAttemptedMessagesOptions { limit: limit(), iterator, ..Default::default() };
        let listed = world.svix.message_attempt();
        page!(listed.list_attempted_messages(app.id.clone(), to.clone(), Some(options)).await, id)
    };
    pages::hold(page, &reversed(&messages)).await;

    let page = async |iterator| {
        let options = MessageAttemptListByEndpointOptions { limit: limit(), iterator, ..Default::default() };
        let listed = world.svix.message_attempt();
        page!(listed.list_by_endpoint(app.id.clone(), to.clone(), Some(options)).await, id)
    };
    pages::hold(page, &reversed(&attempts)).await;
}

async fn of_what_became_of_a_message(world: &World) {
    let app = world.application().await;
    let receivers = [[200]; 3].map(Receiver::answering);
    let mut endpoints = Vec::new();
    for receiver in &receivers {
        endpoints.push(world.endpoint(&app, &receiver.url).await.id);
    }
    let message = world.message(&app, &world.event_type().await).await;
    let attempts: Vec<String> =
        world.attempts(&app, &message, 3).await.into_iter().map(|attempt| attempt.id).collect();

    let page = async |iterator| {
        let options = MessageAttemptListByMsgOptions { limit: limit(), iterator, ..Default::default() };
        let listed = world.svix.message_attempt();
        page!(listed.list_by_msg(app.id.clone(), message.id.clone(), Some(options)).await, id)
    };
    pages::hold(page, &attempts).await;

    let page = async |iterator| {
        let options = MessageAttemptListAttemptedDestinationsOptions { limit: limit(), iterator };
        let listed = world.svix.message_attempt();
        page!(listed.list_attempted_destinations(app.id.clone(), message.id.clone(), Some(options)).await, id)
    };
    let pages = pages::walk(page).await;
    assert_eq!(pages.iter().map(|page| page.names.len()).collect::<Vec<_>>(), [2, 1]);
    let mut destinations: Vec<String> = pages.into_iter().flat_map(|page| page.names).collect();
    destinations.sort();
    endpoints.sort();
    assert_eq!(destinations, endpoints);
}
