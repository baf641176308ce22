//! Event types, those of the configuration and those that were declared here.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::answer;
use crate::clock::Timestamp;
use crate::event_type::{Declaration, EventType, OWN_PREFIX};
use crate::hookyard::{DeclareError, Hookyard, Listed, Order, Stretch};

use super::input::{self, Faults, Given};
use super::refusal::{Fault, Refusal};
use super::repeating;
use super::visit::Visit;

/// The most bytes of all schemas of one event type.
const SCHEMAS_LIMIT: usize = 256 * 1024;

/// What is sent of an event type that is made or replaced.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    /// Where the path does not say it.
    #[serde(default)]
    name: Option<String>,
    description: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    deprecated: bool,
    schemas: Option<BTreeMap<String, Box<RawValue>>>,
    feature_flag: Option<String>,
}

/// What is to be changed of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(default, deserialize_with = "input::some")]
    description: Option<String>,
    #[serde(default, deserialize_with = "input::some")]
    archived: Option<bool>,
    #[serde(default, deserialize_with = "input::some")]
    deprecated: Option<bool>,
    #[serde(default, deserialize_with = "input::given")]
    schemas: Given<BTreeMap<String, Box<RawValue>>>,
    #[serde(default, deserialize_with = "input::given")]
    feature_flag: Given<String>,
}

/// An event type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    name: &'a str,
    description: &'a str,
    archived: bool,
    deprecated: bool,
    schemas: Option<&'a RawValue>,
    feature_flag: Option<&'a str>,
    #[serde(serialize_with = "answer::precise")]
    created_at: Timestamp,
    #[serde(serialize_with = "answer::precise")]
    updated_at: Timestamp,
}

/// Declares an event type, or brings back an archived one.
pub async fn create(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let mut wish: Wish = input::read(&body)?;
        let name = wish.name.take().ok_or_else(|| input::missing("name"))?;
        let declared = visit.hookyard().declare_event_type(declaration(wish, name)?).await?;
        Ok(show(StatusCode::CREATED, &declared))
    })
    .await
}

/// Lists the event types by name.
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (page, with_archived) = (visit.page()?, visit.asked_flag("include_archived", false)?);
    let with_content = visit.asked_flag("with_content", false)?;
    let stretch: Stretch<String> = page.stretch(Order::Ascending)?;
    let mut all = visit.hookyard().list_event_types();
    all.retain(|_, declared| (with_archived || !declared.archived) && is_shown(&visit, declared));
    let listed: Listed<Declaration> = stretch.of(&all);
    Ok(page.answer(&listed, |declared| declared.name.to_string(), |declared| shape(declared, with_content)))
}

/// Shows an event type, an archived one too.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let declared = visit.hookyard().find_event_type(visit.segment("event_type_name"));
    let declared = declared.filter(|declared| is_shown(&visit, declared)).ok_or_else(Refusal::not_found)?;
    Ok(show(StatusCode::OK, &declared))
}

/// Replaces an event type, or makes it.
pub async fn update(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let body = visit.body(payload).await?;
    let declared = declaration(input::read(&body)?, visit.segment("event_type_name").to_owned())?;
    let (declared, was_there) = visit.hookyard().replace_event_type(declared).await?;
    let status = if was_there { StatusCode::OK } else { StatusCode::CREATED };
    Ok(show(status, &declared))
}

/// Changes some of an event type.
pub async fn patch(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let body = visit.body(payload).await?;
    let Change { description, archived, deprecated, schemas, feature_flag } = input::read(&body)?;
    let mut faults = Faults::default();
    description.iter().for_each(|text| faults.readable("description", text));
    vet_schemas(schemas.as_ref().and_then(Option::as_ref), &mut faults);
    feature_flag.iter().flatten().for_each(|flag| faults.limited("feature_flag", flag));
    faults.check()?;
    let schemas = schemas.map(|schemas| schemas.map(|schemas| text_of(&schemas)));
    let change = |known: &mut Declaration| {
        known.description = description.unwrap_or_else(|| known.description.clone());
        known.archived = archived.unwrap_or(known.archived);
        known.deprecated = deprecated.unwrap_or(known.deprecated);
        input::change(&mut known.schemas, schemas);
        input::change(&mut known.feature_flag, feature_flag);
    };
    let declared = visit.hookyard().change_event_type(visit.segment("event_type_name"), change).await?;
    Ok(show(StatusCode::OK, &declared))
}

/// Archives an event type, or forgets it if that is asked for.
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let (hookyard, name) = (visit.hookyard(), visit.segment("event_type_name"));
    match visit.asked_flag("expunge", false)? {
        true => hookyard.forget_event_type(name).await?,
        false => drop(hookyard.change_event_type(name, |known| known.archived = true).await?),
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Notes which of these event types there are not, or which are archived.
pub fn vet_known(hookyard: &Hookyard, names: &[String], faults: &mut Faults) {
    let unknown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !hookyard.has_event_type(name)).collect();
    if !unknown.is_empty() {
        faults
            .note(&["eventTypes"], format!("The following event types don't exist: {}", unknown.join(", ")));
    }
}

/// Whether a visitor is shown an event type.
fn is_shown(visit: &Visit<'_>, declared: &Declaration) -> bool {
    declared.feature_flag.as_ref().is_none_or(|flag| visit.has_flag(flag))
}

fn declaration(wish: Wish, name: String) -> Result<Declaration, Refusal> {
    let Wish { description, archived, deprecated, schemas, feature_flag, .. } = wish;
    let mut faults = Faults::default();
    faults.readable("description", &description);
    vet_schemas(schemas.as_ref(), &mut faults);
    faults.limited("name", &name);
    if name.starts_with(OWN_PREFIX) {
        faults.note(&["name"], format!("names that begin with {OWN_PREFIX} are the router's own"));
    }
    feature_flag.iter().for_each(|flag| faults.limited("feature_flag", flag));
    let parsed = name.parse::<EventType>();
    if let Err(error) = &parsed {
        faults.note(&["name"], error.to_string());
    }
    let now = Timestamp::now();
    match parsed {
        Ok(name) => {
            faults.check()?;
            let schemas = schemas.map(|schemas| text_of(&schemas));
            let (created_at, updated_at) = (now, now);
            Ok(Declaration {
                name,
                description,
                schemas,
                feature_flag,
                archived,
                deprecated,
                created_at,
                updated_at,
            })
        }
        Err(_) => Err(faults.refusal()),
    }
}

fn vet_schemas(schemas: Option<&BTreeMap<String, Box<RawValue>>>, faults: &mut Faults) {
    let bytes: usize =
        schemas.into_iter().flatten().map(|(version, schema)| version.len() + schema.get().len()).sum();
    if bytes > SCHEMAS_LIMIT {
        faults.note(&["schemas"], format!("schemas have at most {SCHEMAS_LIMIT} bytes"));
    }
}

fn text_of(schemas: &BTreeMap<String, Box<RawValue>>) -> Box<str> {
    serde_json::to_string(schemas).expect("an object is written to memory").into()
}

fn show(status: StatusCode, declared: &Declaration) -> HttpResponse {
    answer::json(status, &shape(declared, true))
}

fn shape(declared: &Declaration, with_content: bool) -> Shape<'_> {
    let schemas = declared.schemas.as_deref().filter(|_| with_content);
    Shape {
        name: declared.name.as_str(),
        description: &declared.description,
        archived: declared.archived,
        deprecated: declared.deprecated,
        schemas: schemas.map(|schemas| answer::raw(schemas.as_bytes())),
        feature_flag: declared.feature_flag.as_deref(),
        created_at: declared.created_at,
        updated_at: declared.updated_at,
    }
}

impl From<DeclareError> for Refusal {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Exists => {
                Self::conflict("event_type_exists", "An event_type with this name already exists")
            }
            DeclareError::NotFound => Self::not_found(),
            DeclareError::Schema(_) => Self::invalid(Fault::shape(["schemas"], error.to_string())),
            DeclareError::Unavailable(why) => why.into(),
        }
    }
}
