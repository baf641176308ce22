//! With the last of version 1.

use serde_json::json;
use svix_1::api::{
    ApplicationIn, EndpointIn, EventTypeIn, MessageAttemptListByMsgOptions, MessageIn, MessageStatus, Svix, SvixOptions,
};
use svix_1::webhooks::Webhook;
use tokio::time::{sleep, timeout};

use crate::receiver::Receiver;
use crate::{PATIENCE, PAUSE};

pub async fn walk(server_url: &str, key: &str) {
    let options = SvixOptions { server_url: Some(server_url.to_owned()), ..SvixOptions::default() };
    let svix = Svix::new(key.to_owned(), Some(options));
    let receiver = Receiver::start();

    let app = svix.application().create(ApplicationIn::new("Acme".to_owned()), None).await.expect("an application");
    let event_type = EventTypeIn::new("An invoice was paid".to_owned(), "invoice.paid.1".to_owned());
    svix.event_type().create(event_type, None).await.expect("an event type");
    let filter_types = Some(vec!["invoice.paid.1".to_owned()]);
    let endpoint = EndpointIn { filter_types, ..EndpointIn::new(receiver.url.clone()) };
    let endpoint = svix.endpoint().create(app.id.clone(), endpoint, None).await.expect("an endpoint");
    let secret = svix.endpoint().get_secret(app.id.clone(), endpoint.id.clone()).await.expect("a secret").key;

    let message = MessageIn::new("invoice.paid.1".to_owned(), json!({"amount": 12}));
    let message = svix.message().create(app.id.clone(), message, None).await.expect("a message");
    let received = receiver.next();
    let mut headers = http::HeaderMap::new();
    for (name, value) in &received.headers {
        headers.insert(http::HeaderName::try_from(name).expect("a name"), value.parse().expect("a value"));
    }
    Webhook::new(&secret).expect("a usable secret").verify(&received.body, &headers).expect("a good signature");
    assert_eq!(received.body, br#"{"amount":12}"#);

    let attempt = timeout(PATIENCE, async {
        loop {
            let options = MessageAttemptListByMsgOptions { with_content: Some(true), ..Default::default() };
            let attempts = svix.message_attempt();
            let listed = attempts.list_by_msg(app.id.clone(), message.id.clone(), Some(options)).await;
            if let Some(attempt) = listed.expect("a list").data.into_iter().next() {
                return attempt;
            }
            sleep(PAUSE).await;
        }
    });
    let attempt = attempt.await.expect("an attempt in time");
    assert_eq!((attempt.endpoint_id, attempt.status), (endpoint.id.clone(), MessageStatus::Success));

    let rotated = svix.endpoint().rotate_secret(app.id, endpoint.id, Default::default(), None).await;
    rotated.expect("a new secret");
    match svix.application().get("nobody".to_owned()).await {
        Err(svix_1::error::Error::Http(refusal)) => {
            let payload = refusal.payload.expect("a refusal has a body");
            assert_eq!((refusal.status.as_u16(), payload.code.as_str()), (404, "not_found"));
        }
        other => panic!("{other:?}"),
    }
}
