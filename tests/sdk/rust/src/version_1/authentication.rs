//! The tokens of an organisation and of an application.

use svix_1::api::{AppPortalAccessIn, EndpointIn};

use super::world::{ANY_URL, World, refused};

pub async fn walk(world: &World) {
    let (app, other) = (world.application().await, world.application().await);

    let wanted = AppPortalAccessIn { expiry: Some(3600), ..AppPortalAccessIn::new() };
    let access = world.svix.authentication().app_portal_access(app.id.clone(), wanted, None).await;
    let access = access.expect("a token");

    assert!(access.url.starts_with("http"), "{}", access.url);
    let customer = world.client(access.token);
    assert_eq!(customer.application().get(app.id.clone()).await.expect("its application"), app);
    let made = customer.endpoint().create(app.id.clone(), EndpointIn::new(ANY_URL.to_owned()), None).await;
    let made = made.expect("an endpoint");
    assert_eq!(customer.endpoint().list(app.id, None).await.expect("a list").data, [made]);
    refused(customer.application().get(other.id.clone()).await, 404, "not_found");
    refused(customer.message().list(other.id, None).await, 404, "not_found");
    refused(customer.application().list(None).await, 403, "insufficient access");

    let stranger = world.client(format!("fp_{}", "0".repeat(40)));
    refused(stranger.application().list(None).await, 401, "authentication_failed");
    refused(world.svix.authentication().logout(None).await, 501, "not_implemented");
}
