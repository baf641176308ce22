//! Lists of five, seen some at a time.

use svix::api::{
    ApplicationListOptions, EndpointListOptions, EventTypeListOptions,
    MessageAttemptListAttemptedDestinationsOptions, MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions, MessageAttemptListByMsgOptions, MessageListOptions,
};
use svix::models::{ApplicationOut, Ordering};

use super::world::{ANY_URL, World};
use crate::pages::{self, LIMIT, page, reversed};
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    may_be_empty(world).await;
    of_applications(world).await;
    of_event_types(world).await;
    of_endpoints(world).await;
    of_messages_and_their_attempts_at_an_endpoint(world).await;
    of_what_became_of_a_message(world).await;
}

async fn may_be_empty(world: &World) {
    let app = world.application().await;

    let page = world.svix.endpoint().list(app.id, None).await.expect("a list");

    assert_eq!((page.data, page.iterator, page.prev_iterator, page.done), (vec![], None, None, true));
}

/// The ids of endpoints at these URLs, oldest first.
async fn endpoints(world: &World, app: &ApplicationOut, urls: [&str; 5]) -> Vec<String> {
    let mut ids = Vec::new();
    for url in urls {
        ids.push(world.endpoint(app, url).await.id);
    }
    ids
}

fn limit() -> Option<u64> {
    Some(LIMIT.into())
}

async fn of_applications(world: &World) {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.application().await.id);
    }
    let page = async |order: Option<Ordering>, iterator| {
        let options = ApplicationListOptions { limit: limit(), iterator, order, ..Default::default() };
        page!(world.svix.application().list(Some(options)).await, id)
    };

    pages::have_among_others(async |iterator| page(None, iterator).await, &made).await;
    let newest_first = async |iterator| page(Some(Ordering::Descending), iterator).await;
    pages::have_among_others(newest_first, &reversed(&made)).await;
}

async fn of_event_types(world: &World) {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.event_type().await);
    }
    made.sort();
    let page = async |iterator| {
        let options = EventTypeListOptions { limit: limit(), iterator, ..Default::default() };
        page!(world.svix.event_type().list(Some(options)).await, name)
    };

    pages::have_among_others(page, &made).await;
}

async fn of_endpoints(world: &World) {
    let app = world.application().await;
    let made = endpoints(world, &app, [ANY_URL; 5]).await;
    let page = async |order: Option<Ordering>, iterator| {
        let options = EndpointListOptions { limit: limit(), iterator, order };
        page!(world.svix.endpoint().list(app.id.clone(), Some(options)).await, id)
    };

    pages::hold(async |iterator| page(None, iterator).await, &reversed(&made)).await;
    pages::hold(async |iterator| page(Some(Ordering::Ascending), iterator).await, &made).await;
}

async fn of_messages_and_their_attempts_at_an_endpoint(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let (to, event_type) = (world.endpoint(&app, &receiver.url).await.id, world.event_type().await);
    let (mut messages, mut attempts) = (Vec::new(), Vec::new());
    for _ in 0..5 {
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
    // One for each: where many connections come at once, tiny_http may keep the last of them waiting.
    let receivers = [[200]; 5].map(Receiver::answering);
    let mut endpoints =
        endpoints(world, &app, receivers.each_ref().map(|receiver| receiver.url.as_str())).await;
    let message = world.message(&app, &world.event_type().await).await;
    let attempts: Vec<String> =
        world.attempts(&app, &message, 5).await.into_iter().map(|attempt| attempt.id).collect();

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
    assert_eq!(pages.iter().map(|page| page.names.len()).collect::<Vec<_>>(), [2, 2, 1]);
    let mut destinations: Vec<String> = pages.into_iter().flat_map(|page| page.names).collect();
    destinations.sort();
    endpoints.sort();
    assert_eq!(destinations, endpoints);
}
