//! The attempts at messages, and how those stand at their destinations.

use std::slice::from_ref;
use std::time::SystemTime;

use svix::api::{
    MessageAttemptListAttemptedMessagesOptions, MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
};
use svix::models::{
    ApplicationOut, EndpointIn, EndpointOut, MessageAttemptTriggerType, MessageIn, MessageOut, MessageStatus,
    MessageStatusText, StatusCodeClass,
};

use super::world::{World, payload, refused};
use crate::names::unique;
use crate::patience::eventually;
use crate::receiver::{Receiver, THANKS};

pub async fn walk(world: &World) {
    show_what_they_met(world).await;
    are_found_by_their_id_and_forget_their_response(world).await;
    are_listed_by_how_they_went(world).await;
    show_the_messages_of_an_endpoint(world).await;
    show_the_destinations_of_a_message(world).await;
    are_made_by_hand(world).await;
}

/// A message that went to an endpoint of its own.
struct Delivered {
    app: ApplicationOut,
    receiver: Receiver,
    to: EndpointOut,
    message: MessageOut,
}

impl Delivered {
    async fn to(world: &World, receiver: Receiver) -> Self {
        let app = world.application().await;
        let wanted = EndpointIn { uid: Some(unique("books")), ..EndpointIn::new(receiver.url.clone()) };
        let to = world.endpoint_of(&app, wanted).await;
        let wanted = MessageIn {
            event_id: Some(unique("paid")),
            channels: Some(["a".to_owned()].into()),
            ..MessageIn::new(world.event_type().await, payload())
        };
        let message = world.message_of(&app, wanted).await;
        Self { app, receiver, to, message }
    }

    /// What names the message.
    fn names(&self) -> (String, String) {
        (self.app.id.clone(), self.message.id.clone())
    }

    /// What names the endpoint.
    fn place(&self) -> (String, String) {
        (self.app.id.clone(), self.to.id.clone())
    }
}

async fn show_what_they_met(world: &World) {
    let delivered = Delivered::to(world, Receiver::answering([201])).await;
    world.attempts(&delivered.app, &delivered.message, 1).await;

    let (app_id, message_id) = delivered.names();
    let options = MessageAttemptListByMsgOptions { with_content: Some(true), ..Default::default() };
    let listed = world.svix.message_attempt().list_by_msg(app_id, message_id, Some(options)).await;
    let [attempt] = <[_; 1]>::try_from(listed.expect("a list").data).expect("one attempt");

    assert!(attempt.id.starts_with("atmpt_"), "{}", attempt.id);
    let about = (&attempt.msg_id, &attempt.endpoint_id, &attempt.url);
    assert_eq!(about, (&delivered.message.id, &delivered.to.id, &delivered.receiver.url));
    assert_eq!((attempt.response.as_str(), attempt.response_status_code), (THANKS, 201));
    assert_eq!((attempt.status, attempt.status_text), (MessageStatus::Success, MessageStatusText::Success));
    assert_eq!(attempt.trigger_type, MessageAttemptTriggerType::Scheduled);
    assert!(attempt.response_duration_ms >= 0);
    assert!(delivered.message.timestamp <= attempt.timestamp);
    assert!(SystemTime::from(attempt.timestamp) <= SystemTime::now());
}

async fn are_found_by_their_id_and_forget_their_response(world: &World) {
    let delivered = Delivered::to(world, Receiver::answering([200])).await;
    let attempt_id = world.attempts(&delivered.app, &delivered.message, 1).await.remove(0).id;
    let response = async || {
        let (app_id, message_id) = delivered.names();
        let found = world.svix.message_attempt().get(app_id, message_id, attempt_id.clone(), None).await;
        let found = found.expect("the attempt");
        assert_eq!(found.id, attempt_id);
        found.response
    };
    assert_eq!(response().await, THANKS);

    let (app_id, message_id) = delivered.names();
    let expunged = world.svix.message_attempt().expunge_content(app_id, message_id, attempt_id.clone()).await;
    expunged.expect("it is forgotten");

    assert_eq!(response().await, "EXPUNGED");
}

async fn are_listed_by_how_they_went(world: &World) {
    let delivered = Delivered::to(world, Receiver::answering([503, 200])).await;
    let attempts = world.attempts(&delivered.app, &delivered.message, 2).await;
    let codes: Vec<i16> = attempts.iter().map(|attempt| attempt.response_status_code).collect();
    assert_eq!(codes, [200, 503]);

    for (attempt, class) in attempts.iter().zip([StatusCodeClass::Code2xx, StatusCodeClass::Code5xx]) {
        let (app_id, message_id) = delivered.names();
        let options = MessageAttemptListByMsgOptions { status: Some(attempt.status), ..Default::default() };
        let listed = world.svix.message_attempt().list_by_msg(app_id, message_id, Some(options)).await;
        assert_eq!(listed.expect("a list").data, from_ref(attempt));

        let (app_id, endpoint_id) = delivered.place();
        let options =
            MessageAttemptListByEndpointOptions { status_code_class: Some(class), ..Default::default() };
        let listed = world.svix.message_attempt().list_by_endpoint(app_id, endpoint_id, Some(options)).await;
        let ids: Vec<String> = listed.expect("a list").data.into_iter().map(|attempt| attempt.id).collect();
        assert_eq!(ids, from_ref(&attempt.id));
    }
}

async fn show_the_messages_of_an_endpoint(world: &World) {
    let delivered = Delivered::to(world, Receiver::answering([200])).await;
    let seen = eventually("a delivered message", async || {
        let (app_id, endpoint_id) = delivered.place();
        let options = MessageAttemptListAttemptedMessagesOptions {
            status: Some(MessageStatus::Success),
            with_content: Some(true),
            ..Default::default()
        };
        let listed = world.svix.message_attempt();
        let listed = listed.list_attempted_messages(app_id, endpoint_id, Some(options)).await;
        listed.expect("a list").data.pop()
    });
    let seen = seen.await;

    let message = delivered.message;
    assert_eq!(
        (&seen.id, &seen.event_id, &seen.event_type),
        (&message.id, &message.event_id, &message.event_type)
    );
    assert_eq!((&seen.channels, seen.timestamp), (&message.channels, message.timestamp));
    assert_eq!((seen.payload, seen.status_text), (payload(), MessageStatusText::Success));
    assert_eq!(seen.next_attempt, None);
}

async fn show_the_destinations_of_a_message(world: &World) {
    let delivered = Delivered::to(world, Receiver::answering([200])).await;
    world.attempts(&delivered.app, &delivered.message, 1).await;

    let (app_id, message_id) = delivered.names();
    let listed = world.svix.message_attempt().list_attempted_destinations(app_id, message_id, None).await;
    let [seen] = <[_; 1]>::try_from(listed.expect("a list").data).expect("one destination");

    let to = delivered.to;
    assert_eq!((seen.id, seen.uid, seen.url), (to.id, to.uid, to.url));
    assert_eq!((seen.disabled, seen.created_at), (Some(false), to.created_at));
    assert_eq!((seen.status, seen.status_text), (MessageStatus::Success, MessageStatusText::Success));
    assert_eq!(seen.next_attempt, None);
}

async fn are_made_by_hand(world: &World) {
    let delivered = Delivered::to(world, Receiver::answering([200])).await;
    world.attempts(&delivered.app, &delivered.message, 1).await;

    let app_id = delivered.app.id.clone();
    let (event_id, uid) = (delivered.message.event_id.clone(), delivered.to.uid.clone());
    let names = (event_id.expect("one was given"), uid.expect("one was given"));
    let resent = world.svix.message_attempt().resend(app_id.clone(), names.0, names.1, None).await;
    resent.expect("it is sent again");

    let attempts = world.attempts(&delivered.app, &delivered.message, 2).await;
    assert_eq!(attempts[0].trigger_type, MessageAttemptTriggerType::Manual);
    assert_eq!(attempts[1].trigger_type, MessageAttemptTriggerType::Scheduled);
    let [before, after] = [delivered.receiver.next(), delivered.receiver.next()];
    assert_eq!(after.message_id(), delivered.message.id);
    assert_eq!(after.body, before.body);

    let elsewhere = world.endpoint(&world.application().await, &delivered.receiver.url).await.id;
    let resent = world.svix.message_attempt().resend(app_id, delivered.message.id, elsewhere, None).await;
    refused(resent, 404, "not_found");
}
