//! What arrives at a receiver, and whether it verifies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use svix::models::{EndpointIn, EndpointPatch, MessageIn};
use svix::webhooks::{Webhook, WebhookError};

use super::world::{World, payload};
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    verify_only_as_they_were_sent(world).await;
    carry_a_raw_payload_byte_for_byte(world).await;
    are_tried_again_under_the_same_id(world).await;
    are_of_what_the_endpoint_asked_for(world).await;
    go_to_no_endpoint_that_is_disabled(world).await;
}

async fn verify_only_as_they_were_sent(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let message = world.message(&app, &world.event_type().await).await;
    let received = receiver.next();
    let webhook = Webhook::new(&world.secret_of(&app, &to).await).expect("a usable secret");

    assert_eq!(received.body, payload().to_string().as_bytes());
    for brand in ["svix", "webhook"] {
        let headers = received.headers_of(brand);
        assert_eq!(headers[format!("{brand}-id")], message.id);
        webhook.verify(&received.body, &headers).expect("a good signature");

        let changed = br#"{"amount":13}"#;
        assert!(matches!(webhook.verify(changed, &headers), Err(WebhookError::InvalidSignature)));
        let verified_late = webhook.verify(&received.body, &an_hour_ago(&headers, brand));
        assert!(matches!(verified_late, Err(WebhookError::TimestampTooOldError)));
    }
}

/// The same headers, as if they had been sent before the time for which they count.
fn an_hour_ago(headers: &HeaderMap, brand: &str) -> HeaderMap {
    let then = SystemTime::now() - Duration::from_secs(3600);
    let then = then.duration_since(UNIX_EPOCH).expect("a clock that is set").as_secs();
    let mut headers = headers.clone();
    *headers.get_mut(format!("{brand}-timestamp")).expect("a timestamp") = then.into();
    headers
}

async fn carry_a_raw_payload_byte_for_byte(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    world.endpoint(&app, &receiver.url).await;

    let raw = "{ \"amount\" : 1.50,\n\t\"text\": \"Gr\\u00fc\\u00dfe\", \"amount\": 2 }\n";
    let wanted = MessageIn::new_raw_payload(world.event_type().await, raw.to_owned());
    world.message_of(&app, wanted).await;

    assert_eq!(receiver.next().body, raw.as_bytes());
}

async fn are_tried_again_under_the_same_id(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([500, 503, 204]));
    let to = world.endpoint(&app, &receiver.url).await;
    let webhook = Webhook::new(&world.secret_of(&app, &to).await).expect("a usable secret");

    let message = world.message(&app, &world.event_type().await).await;

    for _ in 0..3 {
        let received = receiver.next();
        assert_eq!(received.message_id(), message.id);
        webhook.verify(&received.body, &received.headers).expect("a good signature");
    }
}

async fn are_of_what_the_endpoint_asked_for(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let [asked, other] = [world.event_type().await, world.event_type().await];
    let wanted = EndpointIn {
        event_types: Some([asked.clone()].into()),
        channels: Some(["a".to_owned()].into()),
        ..EndpointIn::new(receiver.url.clone())
    };
    world.endpoint_of(&app, wanted).await;

    let of = |event_type: &str, channel: &str| MessageIn {
        channels: Some([channel.to_owned()].into()),
        ..MessageIn::new(event_type.to_owned(), payload())
    };
    world.message_of(&app, of(&other, "a")).await;
    world.message_of(&app, of(&asked, "b")).await;
    let message = world.message_of(&app, of(&asked, "a")).await;

    assert_eq!(receiver.next().message_id(), message.id);
}

async fn go_to_no_endpoint_that_is_disabled(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let event_type = world.event_type().await;
    let wanted = EndpointIn { disabled: Some(true), ..EndpointIn::new(receiver.url.clone()) };
    let to = world.endpoint_of(&app, wanted).await;
    world.message(&app, &event_type).await;

    let patch = EndpointPatch { disabled: Some(false), ..EndpointPatch::new() };
    world.svix.endpoint().patch(app.id.clone(), to.id, patch).await.expect("it is enabled");
    let message = world.message(&app, &event_type).await;

    assert_eq!(receiver.next().message_id(), message.id);
}
