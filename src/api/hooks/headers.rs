//! A hook's custom headers over HTTP: reading them from a body, and replacing them.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::id::HookId;
use crate::subscription::{HEADERS_LIMIT, NotHeaders};

use super::super::answer;
use super::super::error::Error;
use super::super::object::{Names, Object};
use super::super::openapi::{asked, refused};
use super::{Shape, open, shape, target};

pub const REPLACEMENT: Names<1> = ["headers"];

const NO_OBJECT: &str = "headers must be an object of names and their values";

/// Replaces all custom headers of a hook; an empty object removes them.
///
/// Requests that start from then on carry them. Their values are shown nowhere.
#[utoipa::path(
    put, path = "/api/v1/hooks/{id}/headers", tag = "Hooks", operation_id = "set_headers",
    security(("key" = ["hooks"])), params(("id" = HookId, Path, description = "The hook's id."), asked::Account),
    request_body(content = ref("#/components/schemas/SetHeaders")),
    responses(
        (status = 200, description = "The hook, with the names of its headers.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn set_headers(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = open(&request)?;
    let body = call.body(payload).await?;
    let headers = read(&Object::read(&body, &REPLACEMENT)?)?;
    let headers = headers.ok_or_else(|| Error::field("headers is required"))?;
    let (account, id) = target(&call)?;
    let hook = call.hookyard.set_headers(&account, id, headers).await?;
    Ok(answer::json(StatusCode::OK, &shape(&hook)))
}

/// The names and values of the member `headers`, in the order of the body; one that is given twice is there twice.
pub fn read<const N: usize>(object: &Object<'_, N>) -> Result<Option<Vec<(String, String)>>, Error> {
    let Some(value) = object.raw("headers").filter(|value| *value != "null") else {
        return Ok(None);
    };
    let Entries(entries) = serde_json::from_str(value).map_err(|_| Error::field(NO_OBJECT))?;
    if entries.len() > HEADERS_LIMIT {
        return Err(Error::field(NotHeaders::TooMany.to_string()));
    }
    let text = |(name, value): (String, &RawValue)| match serde_json::from_str(value.get()) {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(Error::field(format!("headers: the value of {name:?} must be a string"))),
    };
    entries.into_iter().map(text).collect::<Result<_, _>>().map(Some)
}

/// The members of an object, of which no more are kept than show that there are too many.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

struct Reading;

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key()? {
            match entries.len() {
                0..=HEADERS_LIMIT => entries.push((name, map.next_value()?)),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(headers: &str) -> Result<Option<Vec<(String, String)>>, String> {
        let body = format!(r#"{{"headers":{headers}}}"#);
        read(&Object::read(body.as_bytes(), &REPLACEMENT).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_values_come_as_they_were_sent() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(given(r#"{"a":"1","a":"\u0032"}"#), Ok(Some(vec![pair("a", "1"), pair("a", "2")])));
        assert_eq!(given("{}"), Ok(Some(Vec::new())));
        assert_eq!(given("null"), Ok(None));
        assert!(read(&Object::read(b"{}", &REPLACEMENT).unwrap()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_object_of_strings_is_told_so_without_its_values() {
        for bad in ["[]", "7", r#""a: b""#, r#"["authorization"]"#] {
            assert_eq!(given(bad), Err(NO_OBJECT.to_owned()), "{bad}");
        }
        for bad in ["7", "null", r#"["marker"]"#, r#"{"b":"marker"}"#, r#""\ud800""#] {
            let told = r#"headers: the value of "a" must be a string"#;
            assert_eq!(given(&format!(r#"{{"a":{bad}}}"#)), Err(told.to_owned()), "{bad}");
        }
        let many: Vec<String> = (0..=HEADERS_LIMIT).map(|n| format!(r#""x-{n}":"v""#)).collect();
        assert_eq!(given(&format!("{{{}}}", many.join(","))), Err(NotHeaders::TooMany.to_string()));
    }
}
