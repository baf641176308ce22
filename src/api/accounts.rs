//! Accounts over HTTP, for `admin` keys.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::account::{Account, AccountId, Scope};
use crate::clock::Timestamp;

use super::answer;
use super::call::Call;
use super::error::Error;
use super::list;
use super::object::{Names, Object};
use super::openapi::{asked, refused};

pub const MEMBERS: Names<1> = ["id"];

/// An account as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct Shape<'a> {
    id: &'a AccountId,
    #[serde(serialize_with = "answer::text")]
    created_at: Timestamp,
}

/// Makes an account, if there is none with this id.
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
    let id = match call.optional_body(payload).await? {
        Some(body) => wanted_id(&body)?,
        None => None,
    };
    let (account, is_new) = call.hookyard.create_account(id).await?;
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

fn wanted_id(body: &[u8]) -> Result<Option<AccountId>, Error> {
    let id = Object::read(body, &MEMBERS)?.text("id")?;
    id.map(|id| id.parse()).transpose().map_err(|error| Error::field(format!("id: {error}")))
}

fn shape(account: &Account) -> Shape<'_> {
    Shape { id: &account.id, created_at: account.created_at }
}

#[cfg(test)]
mod tests {
    use crate::account::Profile;
    use crate::id::AccountNo;

    use super::*;

    #[test]
    fn an_account_may_name_itself() {
        assert_eq!(wanted_id(b"{}").unwrap(), None);
        assert_eq!(wanted_id(b"{\"id\":\"acme\"}").unwrap(), Some("acme".parse().unwrap()));
        assert!(wanted_id(b"{\"id\":\"a/b\"}").unwrap_err().to_string().starts_with("id: an account id has"));
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
