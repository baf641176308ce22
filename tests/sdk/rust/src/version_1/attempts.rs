//! The attempts at a message, and how it stands at its destination.

use svix_1::api::{
    ApplicationOut, EndpointOut, MessageAttemptListByEndpointOptions, MessageAttemptTriggerType, MessageOut,
    MessageStatus, MessageStatusText, StatusCodeClass,
};

use super::world::{World, payload};
use crate::patience::eventually;
use crate::receiver::{Receiver, THANKS};

pub async fn walk(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([503, 200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let message = world.message(&app, &world.event_type().await).await;

    show_what_they_met(world, &app, &to, &message).await;
    show_how_the_message_stands(world, &app, &to, &message).await;
    forget_their_response(world, &app, &message).await;
    are_made_by_hand(world, &app, &to, &message).await;
}

async fn show_what_they_met(world: &World, app: &ApplicationOut, to: &EndpointOut, message: &MessageOut) {
    let attempts = world.attempts(app, message, 2).await;
    let codes: Vec<i16> = attempts.iter().map(|attempt| attempt.response_status_code).collect();
    assert_eq!(codes, [200, 503]);
    assert_eq!(
        (&attempts[0].msg_id, &attempts[0].endpoint_id, &attempts[0].url),
        (&message.id, &to.id, &to.url)
    );
    assert_eq!(attempts[0].response, THANKS);
    assert_eq!((attempts[0].status, attempts[1].status), (MessageStatus::Success, MessageStatus::Fail));
    assert_eq!(attempts[0].status_text, MessageStatusText::Success);

    let class = Some(StatusCodeClass::Code5xx);
    let options = MessageAttemptListByEndpointOptions { status_code_class: class, ..Default::default() };
    let failed = world.svix.message_attempt();
    let failed = failed.list_by_endpoint(app.id.clone(), to.id.clone(), Some(options)).await;
    let ids: Vec<String> = failed.expect("a list").data.into_iter().map(|attempt| attempt.id).collect();
    assert_eq!(ids, [attempts[1].id.clone()]);
}

async fn show_how_the_message_stands(
    world: &World,
    app: &ApplicationOut,
    to: &EndpointOut,
    message: &MessageOut,
) {
    let destination = eventually("a delivered message", async || {
        let listed = world.svix.message_attempt();
        let listed = listed.list_attempted_destinations(app.id.clone(), message.id.clone(), None).await;
        let [destination] = <[_; 1]>::try_from(listed.expect("a list").data).expect("one destination");
        Some(destination).filter(|destination| destination.status == MessageStatus::Success)
    });
    let destination = destination.await;
    assert_eq!((&destination.id, &destination.url), (&to.id, &to.url));
    #[expect(deprecated)]
    let version = destination.version;
    assert_eq!(version, 1);

    let listed = world.svix.message_attempt();
    let listed = listed.list_attempted_messages(app.id.clone(), to.id.clone(), None).await;
    let [seen] = <[_; 1]>::try_from(listed.expect("a list").data).expect("one message");
    assert_eq!((&seen.id, &seen.event_type, &seen.payload), (&message.id, &message.event_type, &payload()));
    assert_eq!((seen.status, seen.next_attempt), (MessageStatus::Success, None));
}

async fn forget_their_response(world: &World, app: &ApplicationOut, message: &MessageOut) {
    let attempt_id = world.attempts(app, message, 2).await.remove(0).id;
    let response = async || {
        let found = world.svix.message_attempt();
        let found = found.get(app.id.clone(), message.id.clone(), attempt_id.clone(), None).await;
        let found = found.expect("the attempt");
        assert_eq!(found.id, attempt_id);
        found.response
    };
    assert_eq!(response().await, THANKS);

    let expunged = world.svix.message_attempt();
    let expunged = expunged.expunge_content(app.id.clone(), message.id.clone(), attempt_id.clone()).await;
    expunged.expect("it is forgotten");

    assert_eq!(response().await, "EXPUNGED");
}

async fn are_made_by_hand(world: &World, app: &ApplicationOut, to: &EndpointOut, message: &MessageOut) {
    let resent = world.svix.message_attempt();
    let resent = resent.resend(app.id.clone(), message.id.clone(), to.id.clone(), None).await;
    resent.expect("it is sent again");

    let newest = world.attempts(app, message, 3).await.remove(0);
    assert_eq!(newest.trigger_type, MessageAttemptTriggerType::Manual);
}
