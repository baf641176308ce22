//! The secrets that sign what an endpoint gets.

use svix::models::{ApplicationOut, EndpointIn, EndpointOut, EndpointSecretRotateIn};
use svix::webhooks::{Webhook, WebhookError};

use super::world::World;
use crate::receiver::{Received, Receiver};

pub async fn walk(world: &World) {
    are_taken_as_given(world).await;
    are_made_anew_when_they_rotate(world).await;
    sign_together_for_a_while_after_they_rotate(world).await;
    sign_no_more_where_there_is_no_grace(world).await;
}

/// One that is as good as any: the base64 of 24 bytes.
fn secret_of(letter: &str) -> String {
    format!("whsec_{}", letter.repeat(32))
}

async fn rotate(
    world: &World,
    app: &ApplicationOut,
    to: &EndpointOut,
    how: EndpointSecretRotateIn,
) -> String {
    let rotated = world.svix.endpoint().rotate_secret(app.id.clone(), to.id.clone(), how, None).await;
    rotated.expect("a new secret").key
}

async fn delivered(world: &World, app: &ApplicationOut, receiver: &Receiver) -> Received {
    let message = world.message(app, &world.event_type().await).await;
    receiver.next_of(&message.id)
}

fn verified(received: &Received, secret: &str) -> Result<(), WebhookError> {
    Webhook::new(secret).expect("a usable secret").verify(&received.body, &received.headers)
}

async fn are_taken_as_given(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let secret = secret_of("a");

    let wanted = EndpointIn { secret: Some(secret.clone()), ..EndpointIn::new(receiver.url.clone()) };
    let to = world.endpoint_of(&app, wanted).await;

    assert_eq!(world.secret_of(&app, &to).await, secret);
    verified(&delivered(world, &app, &receiver).await, &secret).expect("it is signed with the given secret");
}

async fn are_made_anew_when_they_rotate(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let old = world.secret_of(&app, &to).await;
    assert!(old.starts_with("whsec_"), "a secret says what it is");

    let new = rotate(world, &app, &to, EndpointSecretRotateIn::new()).await;

    assert_ne!(new, old);
    assert_eq!(world.secret_of(&app, &to).await, new);
}

async fn sign_together_for_a_while_after_they_rotate(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let (old, new) = (world.secret_of(&app, &to).await, secret_of("b"));

    let how = EndpointSecretRotateIn { key: Some(new.clone()), grace_period_seconds: Some(3600) };
    assert_eq!(rotate(world, &app, &to, how).await, new);

    let received = delivered(world, &app, &receiver).await;
    verified(&received, &old).expect("it is signed with the old secret");
    verified(&received, &new).expect("it is signed with the new secret");
}

async fn sign_no_more_where_there_is_no_grace(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let (old, new) = (world.secret_of(&app, &to).await, secret_of("c"));

    let how = EndpointSecretRotateIn { key: Some(new.clone()), grace_period_seconds: Some(0) };
    rotate(world, &app, &to, how).await;

    let received = delivered(world, &app, &receiver).await;
    verified(&received, &new).expect("it is signed with the new secret");
    assert!(matches!(verified(&received, &old), Err(WebhookError::InvalidSignature)));
}
