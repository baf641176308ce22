//! API keys over HTTP, for `admin` keys: making one shows it, once; afterwards only its record is shown.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::account::{AccountId, ApiKey, Scope};
use crate::clock::Timestamp;
use crate::id::KeyId;

use super::answer::{self, Deleted};
use super::call::Call;
use super::error::Error;
use super::list;
use super::object::{Names, Object};
use super::openapi::{asked, refused};

pub const MEMBERS: Names<3> = ["account", "scopes", "name"];
/// The longest name of a key, in characters.
const NAME_LIMIT: usize = 128;

/// A key as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub struct Shape<'a> {
    id: KeyId,
    account: &'a AccountId,
    scopes: &'a [Scope],
    /// What its holder calls it.
    name: Option<&'a str>,
    #[serde(serialize_with = "answer::text")]
    created_at: Timestamp,
    #[serde(serialize_with = "answer::text_or_null")]
    last_used_at: Option<Timestamp>,
    /// What to send; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

/// A wish for a key.
#[derive(Debug)]
struct Wish {
    account: Option<String>,
    scopes: Vec<Scope>,
    name: String,
}

/// Makes an API key. This answer alone shows it.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "Administration", operation_id = "create_key",
    security(("key" = ["admin"])), params(asked::Account),
    request_body(content = ref("#/components/schemas/CreateKey")),
    responses(
        (status = 201, description = "The key, with `key`: what to send.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn create(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let body = call.body(payload).await?;
    let wish = wish(&body)?;
    let account = call.account(wish.account.as_deref())?;
    let made = call.hookyard.create_key(&account, wish.scopes, wish.name).await;
    let (key, text) = made.map_err(Error::lookup("account"))?;
    let shape = Shape { key: Some(text.reveal()), ..shape(&key, &account) };
    Ok(answer::json(StatusCode::CREATED, &shape))
}

/// Lists the API keys, without the secret part.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "Administration", operation_id = "list_keys",
    security(("key" = ["admin"])), params(asked::Page),
    responses(
        (status = 200, description = "A page of them.", body = [Shape<'static>]),
        refused::Key, refused::Field, refused::Store,
    ),
)]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let page = call.query.page()?;
    let keys = call.hookyard.keys(page).await.map_err(Error::lookup("page"))?;
    Ok(list::page(&call, &keys, |(key, account)| shape(key, account)))
}

/// Deletes an API key; it stops working at once.
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", tag = "Administration", operation_id = "delete_key",
    security(("key" = ["admin"])), params(("id" = KeyId, Path, description = "The key's id.")),
    responses(
        (status = 200, description = "It is gone.", body = Deleted),
        refused::Key, refused::Name, refused::Store,
    ),
)]
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let id = call.segment("id").parse().map_err(|_| Error::not_found("there is no such key"))?;
    call.hookyard.delete_key(id).await.map_err(Error::lookup("key"))?;
    Ok(answer::json(StatusCode::OK, &Deleted::count(1)))
}

fn wish(body: &[u8]) -> Result<Wish, Error> {
    let object = Object::read(body, &MEMBERS)?;
    let name = object.text("name")?.unwrap_or_default().into_owned();
    if name.chars().count() > NAME_LIMIT {
        return Err(Error::field(format!("name has more than {NAME_LIMIT} characters")));
    }
    let account = object.text("account")?.map(|account| account.into_owned());
    Ok(Wish { account, scopes: scopes(&object.required_texts("scopes")?)?, name })
}

fn scopes(names: &[String]) -> Result<Vec<Scope>, Error> {
    let known = Scope::ALL.map(Scope::as_str).join(", ");
    if names.is_empty() {
        return Err(Error::field(format!("scopes must have at least one of {known}")));
    }
    if let Some(unknown) = names.iter().find(|name| Scope::ALL.iter().all(|scope| scope.as_str() != *name)) {
        return Err(Error::field(format!("scopes: \"{unknown}\" is none of {known}")));
    }
    Ok(Scope::ALL.into_iter().filter(|scope| names.iter().any(|name| name == scope.as_str())).collect())
}

fn shape<'a>(key: &'a ApiKey, account: &'a AccountId) -> Shape<'a> {
    Shape {
        id: key.id,
        account,
        scopes: &key.scopes,
        name: Some(key.name.as_str()).filter(|name| !name.is_empty()),
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::KeyHash;
    use crate::id::AccountNo;

    fn message(body: &str) -> String {
        wish(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_key_has_at_least_one_known_scope() {
        let wish = wish(br#"{"account":"acme","scopes":["events","hooks","events"],"name":"ci"}"#).unwrap();
        assert_eq!(wish.scopes, [Scope::Hooks, Scope::Events]);
        assert_eq!((wish.account.as_deref(), wish.name.as_str()), (Some("acme"), "ci"));
        assert_eq!(message("{}"), "scopes is required");
        assert_eq!(message(r#"{"scopes":"events"}"#), "scopes must be an array of strings");
        assert_eq!(message(r#"{"scopes":[]}"#), "scopes must have at least one of hooks, events, admin");
        assert_eq!(message(r#"{"scopes":["root"]}"#), "scopes: \"root\" is none of hooks, events, admin");
    }

    #[test]
    fn a_listed_key_shows_no_secret() {
        let key = ApiKey {
            id: KeyId::from_bytes([0; 20]),
            hash: KeyHash([7; 32]),
            account: AccountNo(1),
            scopes: vec![Scope::Events],
            name: String::new(),
            created_at: Timestamp(0),
            last_used_at: None,
        };
        let json = serde_json::to_value(shape(&key, &AccountId::default_account())).unwrap();
        let expected = serde_json::json!({
            "id": "key_000000000000000000000000000", "account": "default", "scopes": ["events"], "name": null,
            "created_at": "1970-01-01T00:00:00Z", "last_used_at": null,
        });
        assert_eq!(json, expected);
    }
}
