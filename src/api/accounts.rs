//! Accounts over HTTP, for `admin` keys.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::account::{Account, AccountId, Retention, Scope};
use crate::clock::Timestamp;
use crate::hookyard::AccountError;

use super::answer;
use super::call::Call;
use super::error::Error;
use super::list;
use super::object::{Names, Object};
use super::openapi::{asked, refused};

pub const MEMBERS: Names<2> = ["id", "retention"];
pub const REPLACEMENT: Names<1> = ["retention"];

/// An account as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct Shape<'a> {
    id: &'a AccountId,
    #[serde(serialize_with = "answer::text")]
    created_at: Timestamp,
    /// How long the data of its events is kept, where that is said of it.
    #[serde(serialize_with = "answer::text_or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    retention: Option<Retention>,
}

/// Makes an account, if there is none with this id; one that there is stays as it is.
#[utoipa::path(
    post, path = "/api/v1/accounts", tag = "Administration", operation_id = "create_account",
    security(("key" = ["admin"])),
    request_body(content = ref("#/components/schemas/CreateAccount")),
    responses(
        (status = 201, description = "It is made.", body = Shape<'static>),
        (status = 200, description = "It was there.", body = Shape<'static>),
        refused::Key, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn create(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let body = call.optional_body(payload).await?;
    let (id, retention) = body.as_deref().map(wanted).transpose()?.unwrap_or_default();
    let (account, is_new) = call.hookyard.create_account_that_keeps(id, retention).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer::json(status, &shape(&account)))
}

/// Lists the accounts.
#[utoipa::path(
    get, path = "/api/v1/accounts", tag = "Administration", operation_id = "list_accounts",
    security(("key" = ["admin"])), params(asked::Page),
    responses(
        (status = 200, description = "A page of them.", body = [Shape<'static>]),
        refused::Key, refused::Field, refused::Store,
    ),
)]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let page = call.query.page()?;
    let accounts = call.hookyard.accounts(page).await.map_err(Error::lookup("page"))?;
    Ok(list::page(&call, &accounts, shape))
}

/// Says how long the data of an account's events is kept; with `null` it is kept as long as the events.
///
/// What is older is expunged in the background, except for what is still to be delivered. Only a shorter time than that of
/// the configuration counts.
#[utoipa::path(
    put, path = "/api/v1/accounts/{id}/retention", tag = "Administration", operation_id = "set_retention",
    security(("key" = ["admin"])), params(("id" = AccountId, Path, description = "The account's id.")),
    request_body(content = ref("#/components/schemas/SetRetention")),
    responses(
        (status = 200, description = "The account.", body = Shape<'static>),
        refused::Key, refused::Name, refused::Body, refused::Field, refused::Store,
    ),
)]
pub async fn set_retention(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let body = call.body(payload).await?;
    let object = Object::read(&body, &REPLACEMENT)?;
    if object.raw("retention").is_none() {
        return Err(Error::field("retention is required; null is as long as events are kept"));
    }
    let retention = retention(&object)?;
    let id = call.segment("id").parse().map_err(|_| Error::not_found("there is no such account"))?;
    let changed = call.hookyard.update_account(&id, |profile| profile.retention = retention).await;
    let account = changed.map_err(|error| match error {
        AccountError::Unavailable(error) => error.into(),
        _ => Error::not_found("there is no such account"),
    })?;
    Ok(answer::json(StatusCode::OK, &shape(&account)))
}

fn wanted(body: &[u8]) -> Result<(Option<AccountId>, Option<Retention>), Error> {
    let object = Object::read(body, &MEMBERS)?;
    let id = object.text("id")?;
    let id = id.map(|id| id.parse()).transpose().map_err(|error| Error::field(format!("id: {error}")))?;
    Ok((id, retention(&object)?))
}

fn retention<const N: usize>(object: &Object<'_, N>) -> Result<Option<Retention>, Error> {
    let text = object.text("retention")?;
    text.map(|text| text.parse()).transpose().map_err(|error| Error::field(format!("retention: {error}")))
}

fn shape(account: &Account) -> Shape<'_> {
    Shape { id: &account.id, created_at: account.created_at, retention: account.profile.retention }
}

#[cfg(test)]
mod tests {
    use crate::account::Profile;
    use crate::id::AccountNo;

    use super::*;

    #[test]
    fn an_account_may_name_itself() {
        assert_eq!(wanted(b"{}").unwrap(), (None, None));
        let both = (Some("acme".parse().unwrap()), Some("7d".parse().unwrap()));
        assert_eq!(wanted(b"{\"id\":\"acme\",\"retention\":\"7d\"}").unwrap(), both);
        let refusal = |body: &[u8]| wanted(body).unwrap_err().to_string();
        assert!(refusal(b"{\"id\":\"a/b\"}").starts_with("id: an account id has"));
        assert!(refusal(b"{\"retention\":\"7\"}").starts_with("retention: a retention is"));
    }

    #[test]
    fn an_account_shows_its_id_and_its_age() {
        let (id, at) = ("acme".parse().unwrap(), Timestamp(0));
        let profile = Profile::of(&id);
        let account = Account { no: AccountNo(2), id, profile, created_at: at, updated_at: at };
        let json = serde_json::to_string(&shape(&account)).unwrap();
        assert_eq!(json, r#"{"id":"acme","created_at":"1970-01-01T00:00:00Z"}"#);
    }
}
