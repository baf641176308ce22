//! What the server refuses, as the SDK's errors.

use svix_1::api::{ApplicationIn, EndpointIn, MessageListOptions};

use super::world::{World, invalid, refused};

pub async fn walk(world: &World) {
    let app = world.application().await;
    let (svix, id, nobody) = (&world.svix, || app.id.clone(), || "nobody".to_owned());

    refused(svix.application().get(nobody()).await, 404, "not_found");
    refused(svix.endpoint().get(id(), nobody()).await, 404, "not_found");
    refused(svix.event_type().get(nobody()).await, 404, "not_found");
    refused(svix.message().get(id(), nobody(), None).await, 404, "not_found");
    refused(svix.message_attempt().list_by_msg(id(), nobody(), None).await, 404, "not_found");

    invalid(svix.application().create(ApplicationIn::new(String::new()), None).await, &["body", "name"]);
    let wanted = EndpointIn::new("no url".to_owned());
    invalid(svix.endpoint().create(id(), wanted, None).await, &["body", "url"]);
    let options = MessageListOptions { limit: Some(251), ..Default::default() };
    invalid(svix.message().list(id(), Some(options)).await, &["query", "limit", "limit"]);
}
