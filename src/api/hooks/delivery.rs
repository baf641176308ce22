//! A hook's delivery policy over HTTP: reading it from a body, and replacing it.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use crate::id::HookId;
use crate::subscription::DeliveryPolicy;

use super::super::answer;
use super::super::error::Error;
use super::super::object::{Names, Object};
use super::super::openapi::{asked, refused};
use super::{Shape, open, shape, target};

pub const REPLACEMENT: Names<1> = ["delivery"];

/// Replaces what is said of how a hook is served; what is left out is as configured.
///
/// Requests that start from then on keep to it.
#[utoipa::path(
    put, path = "/api/v1/hooks/{id}/delivery", tag = "Hooks", operation_id = "set_delivery",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    request_body(content = ref("#/components/schemas/SetDelivery")),
    responses(
        (status = 200, description = "The hook.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn set_delivery(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.body(payload).await?;
    let delivery = read(&Object::read(&body, &REPLACEMENT)?)?;
    let delivery = delivery.ok_or_else(|| Error::field("delivery is required"))?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.set_delivery(&account, id, delivery).await?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// The policy of the member `delivery`.
pub fn read<const N: usize>(object: &Object<'_, N>) -> Result<Option<DeliveryPolicy>, Error> {
    let Some(value) = object.raw("delivery").filter(|value| *value != "null") else {
        return Ok(None);
    };
    // An array would be read as its members in their order.
    if !value.starts_with('{') {
        return Err(Error::field("delivery: it must be an object"));
    }
    let mut value = serde_json::Deserializer::from_str(value);
    serde_path_to_error::deserialize(&mut value).map(Some).map_err(|error| {
        let path = error.path().to_string();
        let at = if path == "." { String::new() } else { format!(".{path}") };
        Error::field(format!("delivery{at}: {}", error.into_inner()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(delivery: &str) -> Result<Option<DeliveryPolicy>, String> {
        let body = format!(r#"{{"delivery":{delivery}}}"#);
        read(&Object::read(body.as_bytes(), &REPLACEMENT).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_policy_is_read_and_what_is_wrong_in_it_is_named() {
        assert_eq!(given("null"), Ok(None));
        assert_eq!(given("{}"), Ok(Some(DeliveryPolicy::default())));
        assert_eq!(given(r#"{"rate":5}"#).unwrap().unwrap().rate, Some(5));
        for (wrong, named) in [
            (r#"{"rate":"5"}"#, "delivery.rate: "),
            (r#"{"retries":["1m",5]}"#, "delivery.retries[1]: "),
            (r#"{"timeout":"5"}"#, "delivery.timeout: "),
            (r#"{"speed":5}"#, "delivery.speed: "),
            ("7", "delivery: "),
            ("[5]", "delivery: "),
        ] {
            let told = given(wrong).unwrap_err();
            assert!(told.starts_with(named), "{wrong}: {told}");
        }
    }
}
