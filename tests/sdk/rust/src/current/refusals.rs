//! What the server refuses, as the SDK's errors.

use svix::api::MessageListOptions;
use svix::models::{ApplicationIn, EndpointHeadersIn, EndpointIn, MessageIn};

use super::world::{ANY_URL, World, invalid, payload, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    say_that_there_is_no_such_thing(world).await;
    name_the_field(world).await;
    name_the_parameter_of_a_list(world).await;
    keep_headers_of_the_servers_own_from_endpoints(world).await;
}

async fn say_that_there_is_no_such_thing(world: &World) {
    let app = world.application().await;
    let (svix, id, nobody) = (&world.svix, || app.id.clone(), || "nobody".to_owned());

    refused(svix.application().get(nobody()).await, 404, "not_found");
    refused(svix.endpoint().get(id(), nobody()).await, 404, "not_found");
    refused(svix.endpoint().get_stats(id(), nobody(), None).await, 404, "not_found");
    refused(svix.endpoint().delete(id(), nobody()).await, 404, "not_found");
    refused(svix.event_type().get(nobody()).await, 404, "not_found");
    refused(svix.message().get(id(), nobody(), None).await, 404, "not_found");
    refused(svix.message_attempt().list_by_msg(id(), nobody(), None).await, 404, "not_found");
    refused(svix.message_attempt().list_by_endpoint(id(), nobody(), None).await, 404, "not_found");
    let message = MessageIn::new(world.event_type().await, payload());
    refused(svix.message().create(unique("nobody"), message, None).await, 404, "not_found");
}

async fn name_the_field(world: &World) {
    let app = world.application().await;
    let (svix, id, with_a_space) = (&world.svix, || app.id.clone(), || "with a space".to_owned());

    invalid(svix.application().create(ApplicationIn::new(String::new()), None).await, &["body", "name"]);
    let wanted = ApplicationIn { uid: Some(with_a_space()), ..ApplicationIn::new("Acme".to_owned()) };
    invalid(svix.application().create(wanted, None).await, &["body", "uid", "__all__"]);
    let wanted = EndpointIn::new("no url".to_owned());
    invalid(svix.endpoint().create(id(), wanted, None).await, &["body", "url"]);
    let wanted =
        EndpointIn { secret: Some("whsec_tooshort".to_owned()), ..EndpointIn::new(ANY_URL.to_owned()) };
    invalid(svix.endpoint().create(id(), wanted, None).await, &["body", "key", "__all__"]);
    let wanted = MessageIn::new(with_a_space(), payload());
    invalid(svix.message().create(id(), wanted, None).await, &["body", "event_type", "__all__"]);
}

async fn name_the_parameter_of_a_list(world: &World) {
    let options = MessageListOptions { limit: Some(251), ..MessageListOptions::default() };
    let app = world.application().await;

    invalid(world.svix.message().list(app.id, Some(options)).await, &["query", "limit", "limit"]);
}

async fn keep_headers_of_the_servers_own_from_endpoints(world: &World) {
    let app = world.application().await;
    let to = world.endpoint(&app, ANY_URL).await;

    let wanted = EndpointHeadersIn::new([("content-type".to_owned(), "mine".to_owned())].into());
    let set = world.svix.endpoint().set_headers(app.id, to.id, wanted).await;
    assert!(matches!(set, Err(svix::Error::Validation(_))), "{set:?}");
}
