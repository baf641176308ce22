//! What every check starts from: a client, and applications, event types, endpoints and messages of the check's own.

use std::fmt::Debug;

use serde_json::{Value, json};
use svix_1::api::{
    ApplicationIn, ApplicationOut, EndpointIn, EndpointOut, EventTypeIn, MessageAttemptOut, MessageIn,
    MessageOut, Svix, SvixOptions,
};
use svix_1::error::{Error, Result};

use crate::names::unique;
use crate::patience::eventually;

/// Where nobody is expected to call.
pub const ANY_URL: &str = "http://127.0.0.1:9/";

pub struct World {
    pub svix: Svix,
    server_url: String,
}

impl World {
    pub fn new(server_url: &str, key: &str) -> Self {
        Self { svix: client(server_url, key), server_url: server_url.to_owned() }
    }

    /// A client of the same server with another token.
    pub fn client(&self, token: String) -> Svix {
        client(&self.server_url, &token)
    }

    pub async fn application(&self) -> ApplicationOut {
        let wanted = ApplicationIn { uid: Some(unique("acme")), ..ApplicationIn::new("Acme".to_owned()) };
        self.svix.application().create(wanted, None).await.expect("an application")
    }

    /// The name of a new event type.
    pub async fn event_type(&self) -> String {
        let wanted = EventTypeIn::new("An invoice was paid".to_owned(), unique("invoice.paid"));
        self.svix.event_type().create(wanted, None).await.expect("an event type").name
    }

    pub async fn endpoint(&self, app: &ApplicationOut, url: &str) -> EndpointOut {
        let wanted = EndpointIn::new(url.to_owned());
        self.svix.endpoint().create(app.id.clone(), wanted, None).await.expect("an endpoint")
    }

    pub async fn secret_of(&self, app: &ApplicationOut, endpoint: &EndpointOut) -> String {
        let secret = self.svix.endpoint().get_secret(app.id.clone(), endpoint.id.clone()).await;
        secret.expect("a secret").key
    }

    pub async fn message(&self, app: &ApplicationOut, event_type: &str) -> MessageOut {
        let wanted = MessageIn::new(event_type.to_owned(), payload());
        self.svix.message().create(app.id.clone(), wanted, None).await.expect("a message")
    }

    /// The attempts at a message, newest first, once there are so many.
    pub async fn attempts(
        &self,
        app: &ApplicationOut,
        message: &MessageOut,
        count: usize,
    ) -> Vec<MessageAttemptOut> {
        eventually(&format!("attempt {count} at {}", message.id), async || {
            let attempts = self.svix.message_attempt();
            let listed = attempts.list_by_msg(app.id.clone(), message.id.clone(), None).await;
            Some(listed.expect("a list").data).filter(|attempts| attempts.len() >= count)
        })
        .await
    }
}

pub fn payload() -> Value {
    json!({"amount": 12})
}

/// What was asked is refused with this status and this code, and with something to read.
#[track_caller]
pub fn refused<T: Debug>(asked: Result<T>, status: u16, code: &str) {
    match asked {
        Err(Error::Http(refusal)) => {
            let payload = refusal.payload.expect("a refusal has a body");
            assert_eq!((refusal.status.as_u16(), payload.code.as_str()), (status, code));
            assert!(!payload.detail.is_empty(), "a refusal says why");
        }
        other => panic!("not refused with {status} {code}: {other:?}"),
    }
}

/// What was asked is refused because of what stands at this place of the request.
#[track_caller]
pub fn invalid<T: Debug>(asked: Result<T>, place: &[&str]) {
    match asked {
        Err(Error::Validation(refusal)) => {
            let problems = refusal.payload.expect("a refusal has a body").detail;
            assert_eq!(refusal.status.as_u16(), 422);
            assert!(
                problems.iter().any(|problem| problem.loc == place),
                "nothing about {place:?} in {problems:?}"
            );
        }
        other => panic!("not invalid at {place:?}: {other:?}"),
    }
}

/// A client that does not repeat what fails, so that the first answer is seen.
fn client(server_url: &str, token: &str) -> Svix {
    let options = SvixOptions {
        server_url: Some(server_url.to_owned()),
        retry_schedule: Some(Vec::new()),
        ..SvixOptions::default()
    };
    Svix::new(token.to_owned(), Some(options))
}
