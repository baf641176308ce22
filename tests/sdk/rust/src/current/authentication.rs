//! The tokens of an organisation and of an application.

use std::slice::from_ref;

use svix::api::Svix;
use svix::models::{AppPortalAccessIn, ApplicationIn, ApplicationOut, EndpointIn, MessageIn};

use super::world::{ANY_URL, World, payload, refused};
use crate::names::unique;
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    that_are_unknown_are_refused(world).await;
    are_never_logged_out(world).await;
    of_an_application_serve_it(world).await;
    of_an_application_send_its_messages_again(world).await;
    of_an_application_do_not_know_others(world).await;
    of_an_application_do_nothing_that_is_for_the_organisation(world).await;
    of_an_application_bring_it_with_them(world).await;
}

/// An application, and a client that has the application's own token.
async fn customer(world: &World) -> (ApplicationOut, Svix) {
    let app = world.application().await;
    let wanted = AppPortalAccessIn::new();
    let access = world.svix.authentication().app_portal_access(app.id.clone(), wanted, None).await;
    let access = access.expect("a token");
    assert!(access.url.starts_with("http"), "{}", access.url);
    (app, world.client(access.token))
}

async fn that_are_unknown_are_refused(world: &World) {
    let stranger = world.client(format!("fp_{}", "0".repeat(40)));

    refused(stranger.application().list(None).await, 401, "authentication_failed");
}

async fn are_never_logged_out(world: &World) {
    refused(world.svix.authentication().logout(None).await, 501, "not_implemented");
}

async fn of_an_application_serve_it(world: &World) {
    let (app, customer) = customer(world).await;
    let event_type = world.event_type().await;

    for name in [app.id.clone(), app.uid.clone().expect("one was given")] {
        assert_eq!(customer.application().get(name).await.expect("its application"), app);
    }
    assert_eq!(customer.event_type().get(event_type.clone()).await.expect("an event type").name, event_type);

    let made = customer.endpoint().create(app.id.clone(), EndpointIn::new(ANY_URL.to_owned()), None).await;
    let made = made.expect("an endpoint");
    assert_eq!(customer.endpoint().list(app.id.clone(), None).await.expect("a list").data, from_ref(&made));
    customer.endpoint().delete(app.id.clone(), made.id).await.expect("it is deleted");
    assert_eq!(world.svix.endpoint().list(app.id, None).await.expect("a list").data, []);
}

async fn of_an_application_send_its_messages_again(world: &World) {
    let (app, customer) = customer(world).await;
    let receiver = Receiver::answering([200]);
    let endpoint = world.endpoint(&app, &receiver.url).await;
    let message = world.message(&app, &world.event_type().await).await;
    world.attempts(&app, &message, 1).await;

    assert_eq!(customer.message().list(app.id.clone(), None).await.expect("a list").data, from_ref(&message));
    let resent = customer.message_attempt().resend(app.id, message.id.clone(), endpoint.id, None).await;
    resent.expect("it is sent again");

    for _ in 0..2 {
        assert_eq!(receiver.next().message_id(), message.id);
    }
}

async fn of_an_application_do_not_know_others(world: &World) {
    let (_, customer) = customer(world).await;
    let other = world.application().await;
    let endpoint = world.endpoint(&other, ANY_URL).await;
    let id = || other.id.clone();

    refused(customer.application().get(id()).await, 404, "not_found");
    refused(customer.endpoint().list(id(), None).await, 404, "not_found");
    refused(customer.endpoint().get_secret(id(), endpoint.id).await, 404, "not_found");
    refused(customer.message().list(id(), None).await, 404, "not_found");
}

async fn of_an_application_do_nothing_that_is_for_the_organisation(world: &World) {
    let (app, customer) = customer(world).await;
    let event_type = world.event_type().await;
    let (id, code) = (|| app.id.clone(), "insufficient access");

    refused(customer.application().list(None).await, 403, code);
    refused(customer.application().create(ApplicationIn::new("Mine".to_owned()), None).await, 403, code);
    refused(customer.application().delete(id()).await, 403, code);
    let wanted = AppPortalAccessIn::new();
    refused(customer.authentication().app_portal_access(id(), wanted, None).await, 403, code);
    refused(customer.event_type().delete(event_type.clone(), None).await, 403, code);
    let message = MessageIn::new(event_type, payload());
    refused(customer.message().create(id(), message, None).await, 403, code);
}

async fn of_an_application_bring_it_with_them(world: &World) {
    let uid = unique("new");
    let new = ApplicationIn { uid: Some(uid.clone()), ..ApplicationIn::new("New".to_owned()) };

    let wanted = AppPortalAccessIn { application: Some(new), ..AppPortalAccessIn::new() };
    let access = world.svix.authentication().app_portal_access(uid.clone(), wanted, None).await;

    let customer = world.client(access.expect("a token").token);
    assert_eq!(customer.application().get(uid).await.expect("its application").name, "New");
}
