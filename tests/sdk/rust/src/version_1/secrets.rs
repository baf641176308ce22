//! The secrets that sign what an endpoint gets.

use svix_1::api::{EndpointIn, EndpointSecretRotateIn};
use svix_1::webhooks::{Webhook, WebhookError};

use super::world::World;
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    verify_what_was_sent_and_nothing_else(world).await;
    sign_together_for_a_while_after_they_rotate(world).await;
}

async fn verify_what_was_sent_and_nothing_else(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let secret = format!("whsec_{}", "d".repeat(32));
    let wanted = EndpointIn { secret: Some(secret.clone()), ..EndpointIn::new(receiver.url.clone()) };
    let to = world.svix.endpoint().create(app.id.clone(), wanted, None).await.expect("an endpoint");
    assert_eq!(world.secret_of(&app, &to).await, secret);

    world.message(&app, &world.event_type().await).await;

    let received = receiver.next();
    let webhook = Webhook::new(&secret).expect("a usable secret");
    assert_eq!(received.body, br#"{"amount":12}"#);
    for brand in ["svix", "webhook"] {
        let headers = received.headers_of(brand);
        webhook.verify(&received.body, &headers).expect("a good signature");
        let changed = br#"{"amount":13}"#;
        assert!(matches!(webhook.verify(changed, &headers), Err(WebhookError::InvalidSignature)));
    }
}

async fn sign_together_for_a_while_after_they_rotate(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let old = world.secret_of(&app, &to).await;

    let how = EndpointSecretRotateIn::new();
    let rotated = world.svix.endpoint().rotate_secret(app.id.clone(), to.id.clone(), how, None).await;
    rotated.expect("it rotates");

    let new = world.secret_of(&app, &to).await;
    assert_ne!(new, old);
    world.message(&app, &world.event_type().await).await;
    let received = receiver.next();
    for secret in [old, new] {
        let webhook = Webhook::new(&secret).expect("a usable secret");
        webhook.verify(&received.body, &received.headers).expect("a good signature");
    }
}
