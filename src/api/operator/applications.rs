//! Applications: accounts, as this API shows them.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::account::{Account, NotARetention, Profile, Retention, Scope};
use crate::api::answer;
use crate::clock::Timestamp;
use crate::hookyard::{AccountError, Hookyard, Order};
use crate::id::{ApplicationId, Kind, OfApplication};
use crate::label::{Metadata, Uid};

use super::input::{self, Faults, Given};
use super::refusal::{Fault, Refusal};
use super::repeating;
use super::visit::Visit;

/// What is sent of an application; all of it where it is made or replaced.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    name: String,
    uid: Option<String>,
    throttle_rate: Option<u16>,
    rate_limit: Option<u16>,
    /// Ours.
    #[serde(default, deserialize_with = "input::given")]
    retention: Given<String>,
    #[serde(default, deserialize_with = "input::metadata")]
    metadata: Metadata,
}

/// What is to be changed of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(default, deserialize_with = "input::some")]
    name: Option<String>,
    #[serde(default, deserialize_with = "input::given")]
    uid: Given<String>,
    #[serde(default, deserialize_with = "input::given")]
    throttle_rate: Given<u16>,
    #[serde(default, deserialize_with = "input::given")]
    rate_limit: Given<u16>,
    #[serde(default, deserialize_with = "input::given")]
    retention: Given<String>,
    #[serde(default, deserialize_with = "input::given_metadata")]
    metadata: Option<Metadata>,
}

/// An application.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape<'a> {
    #[serde(serialize_with = "answer::text")]
    id: ApplicationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a Uid>,
    name: &'a str,
    /// How many deliveries a second it may have.
    throttle_rate: Option<u32>,
    /// The same by its earlier name.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<u32>,
    /// How long the payloads of its messages are kept, where that is said of it. Ours.
    #[serde(serialize_with = "answer::text_or_null", skip_serializing_if = "Option::is_none")]
    retention: Option<Retention>,
    metadata: &'a Metadata,
    #[serde(serialize_with = "answer::precise")]
    created_at: Timestamp,
    #[serde(serialize_with = "answer::precise")]
    updated_at: Timestamp,
}

/// Makes an application.
pub async fn create(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let wants_known = visit.asked_flag("get_if_exists", false)?;
        let (profile, _) = wanted(&body)?;
        let known = profile.uid.as_ref().and_then(|uid| visit.hookyard().find_account(uid.as_str()));
        match known {
            Some(account) if wants_known => Ok(show(StatusCode::OK, visit.hookyard(), &account)),
            Some(_) => {
                Err(Refusal::conflict("conflict", "An application with that id or uid already exists"))
            }
            None => {
                let uid = profile.uid.clone();
                let account = match visit.hookyard().make_account(profile).await {
                    Err(AccountError::UidTaken) if wants_known => {
                        // Somebody else has just made it.
                        let known = uid.and_then(|uid| visit.hookyard().find_account(uid.as_str()));
                        let account = known.ok_or_else(Refusal::not_found)?;
                        return Ok(show(StatusCode::OK, visit.hookyard(), &account));
                    }
                    made => made?,
                };
                Ok(show(StatusCode::CREATED, visit.hookyard(), &account))
            }
        }
    })
    .await
}

/// Lists the applications.
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let (page, hookyard) = (visit.page()?, visit.hookyard());
    let listed = hookyard.list_accounts(page.stretch(visit.order(Order::Ascending)?)?);
    Ok(page.answer(
        &listed,
        |account| hookyard.application_id(account).to_string(),
        |account| shape(hookyard, account),
    ))
}

/// Shows an application.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let account = visit.application(&[Scope::Hooks])?;
    Ok(show(StatusCode::OK, visit.hookyard(), &account))
}

/// Replaces an application, or makes one, whatever the path called it.
pub async fn update(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let (profile, says_retention) = wanted(&visit.body(payload).await?)?;
    match visit.application(&[Scope::Admin]) {
        Ok(account) => {
            let replace = |known: &mut Profile| {
                let retention = if says_retention { profile.retention } else { known.retention };
                *known = Profile { retention, ..profile };
            };
            let account = visit.hookyard().update_account(&account.id, replace).await?;
            Ok(show(StatusCode::OK, visit.hookyard(), &account))
        }
        Err(_) => {
            // The path's name is not the new one's: only the body says its uid.
            let account = visit.hookyard().make_account(profile).await?;
            Ok(show(StatusCode::CREATED, visit.hookyard(), &account))
        }
    }
}

/// Changes some of an application.
pub async fn patch(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let account = visit.application(&[Scope::Admin])?;
    let body = visit.body(payload).await?;
    let Change { name, uid, throttle_rate, rate_limit, retention, metadata } = input::read(&body)?;
    let mut faults = Faults::default();
    name.iter().for_each(|name| vet_name(name, &mut faults));
    let uid = faults.given_uid(OfApplication::PREFIX, uid);
    let rate = throttle_rate.or(rate_limit);
    faults.rate("rate_limit", "Application rate limits", rate.flatten());
    let retention = retention.map(|text| wanted_retention(text, &mut faults));
    faults.check()?;
    let change = |known: &mut Profile| {
        known.name = name.unwrap_or_else(|| known.name.clone());
        input::change(&mut known.uid, uid);
        input::change(&mut known.rate_limit, rate.map(|rate| rate.map(u32::from)));
        input::change(&mut known.retention, retention);
        known.metadata = metadata.unwrap_or_else(|| known.metadata.clone());
    };
    let account = visit.hookyard().update_account(&account.id, change).await?;
    Ok(show(StatusCode::OK, visit.hookyard(), &account))
}

/// Deletes an application with its endpoints and keys.
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let account = visit.application(&[Scope::Admin])?;
    visit.hookyard().delete_account(&account.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The profile that a body says, and whether it says anything of the retention, which clients of the dialect do not know.
fn wanted(body: &[u8]) -> Result<(Profile, bool), Refusal> {
    let mut faults = Faults::default();
    let wish: Wish = input::read(body)?;
    let says_retention = wish.retention.is_some();
    let profile = profile(wish, &mut faults);
    faults.check()?;
    Ok((profile, says_retention))
}

pub fn profile(wish: Wish, faults: &mut Faults) -> Profile {
    let Wish { name, uid, throttle_rate, rate_limit, retention, metadata } = wish;
    vet_name(&name, faults);
    let (uid, rate) = (faults.uid(OfApplication::PREFIX, uid), throttle_rate.or(rate_limit));
    faults.rate("rate_limit", "Application rate limits", rate);
    let retention = wanted_retention(retention.flatten(), faults);
    Profile { name, uid, rate_limit: rate.map(u32::from), retention, metadata }
}

fn wanted_retention(text: Option<String>, faults: &mut Faults) -> Option<Retention> {
    let read = text?.parse();
    read.inspect_err(|error: &NotARetention| faults.note(&["retention"], error.to_string())).ok()
}

fn vet_name(name: &str, faults: &mut Faults) {
    if name.is_empty() {
        faults.note(&["name"], "Application names must be at least one character");
    }
    faults.readable("name", name);
}

/// The application that the path names, or else a new one of this profile, which must have the path's uid.
pub async fn named_or_made(
    visit: &Visit<'_>,
    profile: Option<Profile>,
    scopes: &[Scope],
) -> Result<Account, Refusal> {
    let refusal = match visit.application(scopes) {
        Ok(account) => return Ok(account),
        Err(refusal) if visit.is_organisation() => refusal,
        Err(refusal) => return Err(refusal),
    };
    let Some(profile) = profile else { return Err(refusal) };
    let fault = |kind, why| Refusal::invalid(Fault::of_kind(["application", "uid"], why, kind));
    match &profile.uid {
        None => Err(fault("application_uid_missing", "Application UID not set in body")),
        Some(uid) if uid.as_str() != visit.segment("app_id") => {
            Err(fault("application_uid_mismatch", "Application UID in the path and body must match"))
        }
        Some(_) => match visit.hookyard().make_account(profile).await {
            // Somebody else has just made it.
            Err(AccountError::UidTaken) => visit.application(scopes),
            made => Ok(made?),
        },
    }
}

fn show(status: StatusCode, hookyard: &Hookyard, account: &Account) -> HttpResponse {
    answer::json(status, &shape(hookyard, account))
}

fn shape<'a>(hookyard: &Hookyard, account: &'a Account) -> Shape<'a> {
    let Profile { name, uid, rate_limit, retention, metadata } = &account.profile;
    Shape {
        id: hookyard.application_id(account),
        uid: uid.as_ref(),
        name,
        throttle_rate: *rate_limit,
        rate_limit: *rate_limit,
        retention: *retention,
        metadata,
        created_at: account.created_at,
        updated_at: account.updated_at,
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NotFound => Self::not_found(),
            AccountError::UidTaken => Self::conflict("conflict", "A conflict has occurred"),
            AccountError::Default => Self::conflict("conflict", error.to_string()),
            AccountError::Unavailable(why) => why.into(),
        }
    }
}
