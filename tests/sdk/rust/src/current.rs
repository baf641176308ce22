//! With the current version.

mod applications;
mod attempts;
mod authentication;
mod deliveries;
mod endpoint_headers;
mod endpoint_work;
mod endpoints;
mod event_types;
mod health;
mod idempotency;
mod lists;
mod messages;
mod refusals;
mod secrets;
mod world;

use self::world::World;

pub async fn walk(server_url: &str, key: &str) {
    let world = World::new(server_url, key);
    health::walk(&world).await;
    applications::walk(&world).await;
    authentication::walk(&world).await;
    event_types::walk(&world).await;
    endpoints::walk(&world).await;
    endpoint_headers::walk(&world).await;
    secrets::walk(&world).await;
    messages::walk(&world).await;
    deliveries::walk(&world).await;
    attempts::walk(&world).await;
    endpoint_work::walk(&world).await;
    idempotency::walk(&world).await;
    lists::walk(&world).await;
    refusals::walk(&world).await;
}
