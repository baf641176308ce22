//! An example of an event type, sent to one endpoint to try it out.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::operator::refusal::Refusal;
use crate::api::operator::visit::Visit;
use crate::api::operator::{input, messages, repeating};
use crate::event::Event;

use super::named;

/// An event type that there always is, to see whether an endpoint answers.
const PING: &str = "svix.ping";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    event_type: String,
}

/// Sends an endpoint an example of an event type, as any message to it is sent, and to no other endpoint.
pub async fn send(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let Wish { event_type } = input::read(&body)?;
        let (account, endpoint) = named(&visit).await?;
        let data = example(&visit, &event_type)?;
        let data = serde_json::to_vec(&data).expect("JSON is written to memory");
        let event = Event::of_json(event_type, data.into()).account(account.id.clone()).of_any_type();
        let accepted = visit.hookyard().try_accept_for(&endpoint, event).await?;
        Ok(messages::show(StatusCode::OK, &accepted, false))
    })
    .await
}

fn example(visit: &Visit<'_>, event_type: &str) -> Result<Value, Refusal> {
    if event_type == PING {
        return Ok(json!({ "success": true }));
    }
    let declared = visit.hookyard().find_event_type(event_type).ok_or_else(Refusal::not_found)?;
    visit.hookyard().example_of(&declared).ok_or_else(|| {
        Refusal::bad_request("invalid_scheme", "Unable to generate example message from event-type schema")
    })
}
