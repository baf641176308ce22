//! A hook's filter over HTTP: what must hold of an event's data.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use crate::condition::{Condition, NotACondition};
use crate::id::HookId;

use super::super::answer;
use super::super::error::Error;
use super::super::object::{Names, Object};
use super::super::openapi::{asked, refused};
use super::{Shape, open, shape, target};

pub const REPLACEMENT: Names<1> = ["filter"];

/// Replaces the filter of a hook; `null` removes it.
///
/// It counts for events that are emitted from then on.
#[utoipa::path(
    put, path = "/api/v1/hooks/{id}/filter", tag = "Hooks", operation_id = "set_filter",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    request_body(content = ref("#/components/schemas/SetFilter")),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn set_filter(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.body(payload).await?;
    let object = Object::read(&body, &REPLACEMENT)?;
    object.raw("filter").ok_or_else(|| Error::field("filter is required; it may be null"))?;
    let condition = read(&object)?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.set_condition(&account, id, condition).await?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// The condition of the member `filter`.
pub fn read<const N: usize>(object: &Object<'_, N>) -> Result<Option<Condition>, Error> {
    let refused = |error: NotACondition| Error::field(error.to_string());
    object.text("filter")?.map(|text| text.parse().map_err(refused)).transpose()
}
