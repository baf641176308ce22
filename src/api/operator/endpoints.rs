//! Endpoints: subscriptions, as this API shows them. What belongs to one stands beside: its headers, its secret.

pub mod client_certificate;
pub mod examples;
pub mod headers;
pub mod secrets;
pub mod stats;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::account::{Account, Scope};
use crate::api::answer;
use crate::clock::Timestamp;
use crate::condition::{Condition, NotACondition};
use crate::event_type::{EventType, below};
use crate::filter::{Channel, Filter};
use crate::hookyard::{EndpointError, Hookyard, LookupError, NewEndpoint, Order, Which};
use crate::id::{EndpointId, Kind, OfEndpoint};
use crate::label::{Metadata, Uid, is_limited};
use crate::store::Edit;
use crate::subscription::{
    DeliveryPolicy, EndpointUrl, Envelope, NotAnEndpoint, Profile, Status, Subscription,
};

use super::event_types::vet_known;
use super::input::{self, Faults, Given};
use super::refusal::{Fault, Refusal};
use super::repeating;
use super::visit::Visit;

/// The most event types that one endpoint names.
const EVENT_TYPES_LIMIT: usize = 500;
/// The most channels of one endpoint.
const CHANNELS_LIMIT: usize = 10;

/// What is sent of an endpoint that is made or replaced.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    url: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    disabled: bool,
    uid: Option<String>,
    #[serde(alias = "filterTypes")]
    event_types: Option<Vec<String>>,
    channels: Option<Vec<String>>,
    throttle_rate: Option<u16>,
    rate_limit: Option<u16>,
    secret: Option<String>,
    /// For one that is made.
    headers: Option<BTreeMap<String, String>>,
    /// Likewise.
    client_certificate: Option<client_certificate::Wish>,
    delivery: Option<DeliveryPolicy>,
    #[serde(default, deserialize_with = "input::given")]
    filter: Given<String>,
    #[serde(default, deserialize_with = "input::metadata")]
    metadata: Metadata,
}

/// What is to be changed of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(default, deserialize_with = "input::some")]
    url: Option<String>,
    #[serde(default, deserialize_with = "input::some")]
    description: Option<String>,
    #[serde(default, deserialize_with = "input::some")]
    disabled: Option<bool>,
    #[serde(default, deserialize_with = "input::given")]
    uid: Given<String>,
    #[serde(default, alias = "filterTypes", deserialize_with = "input::given")]
    event_types: Given<Vec<String>>,
    #[serde(default, deserialize_with = "input::given")]
    channels: Given<Vec<String>>,
    #[serde(default, deserialize_with = "input::given")]
    throttle_rate: Given<u16>,
    #[serde(default, deserialize_with = "input::given")]
    rate_limit: Given<u16>,
    #[serde(default, deserialize_with = "input::some")]
    delivery: Option<DeliveryPolicy>,
    #[serde(default, deserialize_with = "input::given")]
    filter: Given<String>,
    #[serde(default, deserialize_with = "input::given_metadata")]
    metadata: Option<Metadata>,
}

/// An endpoint.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape<'a> {
    #[serde(serialize_with = "answer::text")]
    id: EndpointId,
    uid: Option<&'a Uid>,
    url: &'a str,
    /// Of an endpoint there is one version; earlier clients want to hear of it.
    version: u16,
    description: &'a str,
    disabled: bool,
    event_types: Option<&'a [EventType]>,
    /// The same by its earlier name.
    filter_types: Option<&'a [EventType]>,
    channels: Option<&'a [Channel]>,
    /// How many deliveries a second it may have.
    throttle_rate: Option<u32>,
    /// The same by its earlier name.
    rate_limit: Option<u32>,
    #[serde(serialize_with = "answer::precise")]
    created_at: Timestamp,
    #[serde(serialize_with = "answer::precise")]
    updated_at: Timestamp,
}

/// An endpoint with what only its owner needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    #[serde(flatten)]
    shape: Shape<'a>,
    metadata: &'a Metadata,
    /// What must hold of a message's payload, if that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    /// How it is served, where that is not as configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a DeliveryPolicy>,
    /// What it shows receivers that ask who calls, if that is its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<client_certificate::Shape>,
}

/// Makes an endpoint.
pub async fn create(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let account = visit.application(&[Scope::Hooks])?;
        let new = wanted(visit.hookyard(), input::read(&body)?)?;
        let made = visit.hookyard().add_endpoint(&account.id, new).await?;
        Ok(show(StatusCode::CREATED, &made))
    })
    .await
}

/// Lists the endpoints of an application.
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let account = visit.application(&[Scope::Hooks])?;
    let page = visit.page()?;
    let stretch = page.stretch(visit.order(Order::Descending)?)?;
    let listed = visit.hookyard().list_endpoints(&account.id, stretch, !visit.is_organisation()).await?;
    Ok(page.answer(&listed, |one| EndpointId::of(one.id).to_string(), whole))
}

/// Shows an endpoint.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (_, endpoint) = named(&visit).await?;
    Ok(show(StatusCode::OK, &endpoint))
}

/// Replaces an endpoint but for its secret, headers and client certificate, and what is not sent of its filter and delivery
/// policy, or makes one.
pub async fn update(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let account = visit.application(&[Scope::Hooks])?;
    let body = visit.body(payload).await?;
    let hookyard = visit.hookyard();
    let wish = Wish { secret: None, headers: None, client_certificate: None, ..input::read(&body)? };
    let (says_delivery, says_filter) = (wish.delivery.is_some(), wish.filter.is_some());
    let new = wanted(hookyard, wish)?;
    let known = hookyard.find_endpoint(&account.id, visit.segment("endpoint_id")).await;
    let known = match known {
        Ok(known) if !is_shown(&visit, &known) => return Err(Refusal::not_found()),
        Err(LookupError::NotFound) => {
            // The path's name is not the new one's: only the body says its uid.
            return Ok(show(StatusCode::CREATED, &hookyard.add_endpoint(&account.id, new).await?));
        }
        known => known?,
    };
    let NewEndpoint { url, filter, condition, profile, delivery, disabled, .. } = new;
    let replace = |edit: &mut Edit| {
        // Clients that know nothing of these leave them as they are, but for the rate.
        let condition = if says_filter { condition } else { edit.condition.clone() };
        let delivery = match says_delivery {
            true => delivery,
            false => DeliveryPolicy { rate: delivery.rate, ..edit.delivery.clone() },
        };
        let client_certificate = edit.client_certificate.take();
        *edit = Edit { url, filter, condition, profile, delivery, client_certificate, moved: false };
    };
    let endpoint = hookyard.edit_endpoint(&account.id, known.id, Some(disabled), replace).await?;
    Ok(show(StatusCode::OK, &endpoint))
}

/// Changes some of an endpoint.
pub async fn patch(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let account = visit.application(&[Scope::Hooks])?;
    let body = visit.body(payload).await?;
    let hookyard = visit.hookyard();
    let wish: Change = input::read(&body)?;
    let mut faults = Faults::default();
    wish.description.iter().for_each(|text| faults.readable("description", text));
    let rate = wish.throttle_rate.or(wish.rate_limit);
    faults.rate("rate_limit", "Endpoint rate limits", rate.flatten());
    let uid = faults.given_uid(OfEndpoint::PREFIX, wish.uid);
    let event_types = wish.event_types.map(|names| event_types(hookyard, names, &mut faults));
    let channels = wish.channels.map(|names| faults.channels(CHANNELS_LIMIT, names));
    let url = wish.url.and_then(|url| url_of(hookyard, &url, &mut faults));
    let condition = wish.filter.map(|text| condition(text, &mut faults));
    faults.check()?;
    let (_, known) = named(&visit).await?;
    let change = |edit: &mut Edit| {
        edit.url = url.unwrap_or_else(|| edit.url.clone());
        let event_types = event_types.unwrap_or_else(|| edit.filter.event_types().map(<[EventType]>::to_vec));
        let channels = channels.unwrap_or_else(|| edit.filter.channels().to_vec());
        edit.filter = Filter::new(event_types, channels);
        input::change(&mut edit.condition, condition);
        let profile = &mut edit.profile;
        profile.description = wish.description.unwrap_or_else(|| profile.description.clone());
        input::change(&mut profile.uid, uid);
        profile.metadata = wish.metadata.unwrap_or_else(|| profile.metadata.clone());
        edit.delivery = wish.delivery.unwrap_or_else(|| edit.delivery.clone());
        input::change(&mut edit.delivery.rate, rate.map(|rate| rate.map(u32::from)));
    };
    let endpoint = hookyard.edit_endpoint(&account.id, known.id, wish.disabled, change).await?;
    Ok(show(StatusCode::OK, &endpoint))
}

/// Deletes an endpoint and what waits for it.
pub async fn delete(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (account, endpoint) = named(&visit).await?;
    visit.hookyard().unsubscribe(&account.id, Which::Id(endpoint.id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The endpoint that the path names, and its application.
pub async fn named(visit: &Visit<'_>) -> Result<(Account, Subscription), Refusal> {
    let account = visit.application(&[Scope::Hooks])?;
    let endpoint = visit.hookyard().find_endpoint(&account.id, visit.segment("endpoint_id")).await?;
    if is_shown(visit, &endpoint) { Ok((account, endpoint)) } else { Err(Refusal::not_found()) }
}

/// Whether a visitor is shown an endpoint: the router's own events tell of other accounts.
fn is_shown(visit: &Visit<'_>, endpoint: &Subscription) -> bool {
    visit.is_organisation() || !endpoint.filter.has_own_type()
}

fn wanted(hookyard: &Hookyard, wish: Wish) -> Result<NewEndpoint, Refusal> {
    let Wish { url, description, disabled, uid, event_types: names, channels, filter, delivery, .. } = wish;
    let mut faults = Faults::default();
    faults.readable("description", &description);
    let rate = wish.throttle_rate.or(wish.rate_limit);
    faults.rate("rate_limit", "Endpoint rate limits", rate);
    let uid = faults.uid(OfEndpoint::PREFIX, uid);
    let event_types = event_types(hookyard, names, &mut faults);
    let channels = faults.channels(CHANNELS_LIMIT, channels);
    let delivery = delivery.unwrap_or_default();
    let secret = wish.secret.map(|secret| secrets::given("secret", &secret)).transpose()?;
    let url = url_of(hookyard, &url, &mut faults);
    let condition = condition(filter.flatten(), &mut faults);
    faults.check()?;
    Ok(NewEndpoint {
        // Without one there was a fault.
        url: url.ok_or_else(Refusal::not_found)?,
        filter: Filter::new(event_types, channels),
        condition,
        envelope: Envelope::Payload,
        secret,
        headers: wish.headers.map(headers::given).transpose()?.unwrap_or_default(),
        client_certificate: wish.client_certificate.map(client_certificate::Wish::certificate).transpose()?,
        profile: Profile { uid, description, metadata: wish.metadata },
        delivery: DeliveryPolicy { rate: rate.map(u32::from).or(delivery.rate), ..delivery },
        disabled,
    })
}

/// Event types that there are; none for every one.
fn event_types(
    hookyard: &Hookyard,
    names: Option<Vec<String>>,
    faults: &mut Faults,
) -> Option<Vec<EventType>> {
    let mut names = names?;
    names.sort_unstable();
    names.dedup();
    let mut wrong = |why: &str| faults.note(&["event_types_ids"], why);
    if names.is_empty() {
        wrong("eventTypes can't be empty, it must have at least one item.");
        return None;
    }
    if names.len() > EVENT_TYPES_LIMIT {
        wrong(&format!("eventTypes must have at most {EVENT_TYPES_LIMIT} items."));
        return None;
    }
    let is_wrong = |name: &&String| {
        name.parse::<EventType>().is_err() || !is_limited(below(name).unwrap_or(name.as_str()))
    };
    if let Some(wrong) = names.iter().find(is_wrong) {
        faults.limited("event_types_ids", wrong);
        return None;
    }
    vet_known(hookyard, &names, faults);
    names.iter().map(|name| name.parse().ok()).collect()
}

/// What must hold of a payload; `null` is nothing.
fn condition(text: Option<String>, faults: &mut Faults) -> Option<Condition> {
    let parsed = text?.parse();
    parsed.map_err(|error: NotACondition| faults.note(&["filter"], error.to_string())).ok()
}

fn url_of(hookyard: &Hookyard, text: &str, faults: &mut Faults) -> Option<EndpointUrl> {
    match hookyard.endpoint_url(text) {
        Ok(url) => return Some(url),
        Err(EndpointError::Url(NotAnEndpoint::Scheme)) => {
            faults.note(&["url"], "Endpoint URL schemes must be http or https");
        }
        Err(error) => faults.note(&["url"], error.to_string()),
    }
    None
}

fn show(status: StatusCode, endpoint: &Subscription) -> HttpResponse {
    answer::json(status, &whole(endpoint))
}

fn whole(endpoint: &Subscription) -> Whole<'_> {
    let delivery = Some(&endpoint.delivery).filter(|policy| **policy != DeliveryPolicy::default());
    let filter = endpoint.condition.as_ref().map(Condition::as_str);
    let client_certificate = endpoint.client_certificate.as_ref().map(client_certificate::Shape::of);
    let metadata = &endpoint.profile.metadata;
    Whole { shape: shape(endpoint), metadata, filter, delivery, client_certificate }
}

/// An endpoint without its metadata.
pub fn shape(endpoint: &Subscription) -> Shape<'_> {
    let Profile { uid, description, .. } = &endpoint.profile;
    let (event_types, channels) = (endpoint.filter.event_types(), endpoint.filter.channels());
    Shape {
        id: EndpointId::of(endpoint.id),
        uid: uid.as_ref(),
        url: endpoint.url.normalized(),
        version: 1,
        description,
        disabled: matches!(endpoint.status, Status::Deactivated { .. }),
        event_types,
        filter_types: event_types,
        channels: Some(channels).filter(|channels| !channels.is_empty()),
        throttle_rate: endpoint.delivery.rate,
        rate_limit: endpoint.delivery.rate,
        created_at: endpoint.created_at,
        updated_at: endpoint.updated_at,
    }
}

impl From<EndpointError> for Refusal {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::NotFound => Self::not_found(),
            EndpointError::Taken => Self::conflict("conflict", "A conflict has occurred"),
            EndpointError::Url(_) | EndpointError::Blocked(_) => {
                Self::invalid(Fault::body(["url"], error.to_string()))
            }
            EndpointError::NoEventType => Self::invalid(Fault::body(["event_types_ids"], error.to_string())),
            EndpointError::Headers(error) => headers::refused_by(&error),
            EndpointError::Delivery(error) => Self::invalid(Fault::body(["delivery"], error.to_string())),
            EndpointError::ClientCertificate(error) => client_certificate::refused_by(&error),
            EndpointError::Unavailable(why) => why.into(),
        }
    }
}

impl From<LookupError> for Refusal {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound | LookupError::Cursor => Self::not_found(),
            LookupError::Unavailable(why) => why.into(),
        }
    }
}
