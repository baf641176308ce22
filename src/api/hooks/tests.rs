//! What hooks look like on their way in and out.

use super::super::error::Kind;
use super::*;
use crate::filter::Filter;
use crate::id::{AccountNo, SubscriptionNo};
use crate::subscription::{
    CustomHeaders, DeliveryPolicy, Envelope, Generation, Profile, Secret, Subscription,
};

const ID: &str = "hook_000000000000000000000000000";

fn decoded(body: &str) -> Result<Subscribe, Error> {
    wish(body.as_bytes(), |named| Ok(named.unwrap_or("acme").parse().unwrap()))
}

fn unsubscribed(body: Option<&str>, query: &str) -> Result<Named, Error> {
    let object = body.map(|body| Object::read(body.as_bytes(), &NAMING)).transpose()?;
    named(object.as_ref(), &Query::parse(query))
}

fn hook(status: Status) -> Hook {
    let subscription = Subscription {
        no: SubscriptionNo(1),
        id: ID.parse().unwrap(),
        account: AccountNo(1),
        url: "https://EXAMPLE.com/\"a\"".parse().unwrap(),
        filter: Filter::one("new_lead".parse().unwrap()),
        condition: None,
        secret: Secret::generate(),
        envelope: Envelope::Documented,
        previous_secrets: Vec::new(),
        headers: CustomHeaders::default(),
        client_certificate: None,
        status,
        generation: Generation(0),
        floor: Generation(0),
        profile: Profile::default(),
        delivery: DeliveryPolicy::default(),
        created_at: Timestamp(1_768_473_000_000),
        updated_at: Timestamp(1_768_473_000_000),
    };
    Hook { subscription, pending: 1, replaying: 0, dead: 2, last_attempt_at: None, next_attempt_at: None }
}

#[test]
fn a_wish_names_url_and_event() {
    let wish = decoded(r#"{"url":"https://example.com","event":"new_lead","zap":{"id":1}}"#).unwrap();
    assert_eq!((wish.url.as_str(), wish.event.as_str()), ("https://example.com", "new_lead"));
    assert_eq!((wish.account.as_str(), wish.secret, wish.replay), ("acme", None, false));
    assert_eq!(decoded(r#"{"event":"new_lead"}"#).unwrap_err().to_string(), "url is required");
    assert_eq!(decoded(r#"{"url":5,"event":"a"}"#).unwrap_err().to_string(), "url must be a string");
    let replayed =
        decoded(r#"{"url":"u","event":"e","replay":true,"account":"other","secret":null}"#).unwrap();
    assert_eq!((replayed.replay, replayed.account.as_str()), (true, "other"));
}

#[test]
fn a_hook_is_named_by_body_or_query() {
    for (body, query) in [
        (Some(r#"{"url":"u","event":"e"}"#), ""),
        (None, "url=u&event=e"),
        (Some("{}"), "url=u&event=e"),
        (Some(r#"{"url":"u"}"#), "event=e"),
    ] {
        let named = unsubscribed(body, query).unwrap();
        let Named::Hooks(Which::Url { url, event }) = named else { panic!("{named:?}") };
        assert_eq!((url.as_str(), event.as_deref()), ("u", Some("e")));
    }
    let all = unsubscribed(Some(r#"{"url":"u"}"#), "").unwrap();
    assert!(matches!(all, Named::Hooks(Which::Url { event: None, .. })));
}

#[test]
fn an_id_outweighs_the_rest_of_the_hook() {
    let body = format!(r#"{{"id":"{ID}","url":"u","event":"e"}}"#);
    assert!(matches!(unsubscribed(Some(&body), ""), Ok(Named::Hooks(Which::Id(_)))));
    assert!(matches!(unsubscribed(None, &format!("id={ID}")), Ok(Named::Hooks(Which::Id(_)))));
    assert!(matches!(unsubscribed(Some(r#"{"id":"17"}"#), ""), Ok(Named::Nothing)));
}

#[test]
fn naming_nothing_is_refused() {
    for (body, query) in [(None, ""), (Some("{}"), ""), (Some(r#"{"event":"e"}"#), ""), (None, "url=")] {
        let error = unsubscribed(body, query).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidField, "{body:?} {query}");
    }
}

#[test]
fn a_hook_is_one_flat_object() {
    let hook = hook(Status::Active);
    let json = serde_json::to_value(shape(&hook)).unwrap();
    let expected = serde_json::json!({
        "id": ID, "url": "https://EXAMPLE.com/\"a\"", "event": "new_lead", "active": true, "status": "active",
        "created_at": "2026-01-15T10:30:00Z", "pending": 1, "dead": 2,
        "last_attempt_at": null, "next_attempt_at": null,
    });
    assert_eq!(json, expected);
}

#[test]
fn a_deactivated_hook_says_when_and_why() {
    let hook = hook(Status::Deactivated { at: Timestamp(1_768_473_000_000), reason: "410 Gone".into() });
    let json = serde_json::to_value(shape(&hook)).unwrap();
    assert_eq!(json["active"], false);
    assert_eq!(json["status"], "deactivated");
    assert_eq!(json["deactivated_at"], "2026-01-15T10:30:00Z");
    assert_eq!(json["reason"], "410 Gone");
}

#[test]
fn a_filter_knows_its_values() {
    let filtered = |query: &str| narrowed(&Query::parse(query)).map_err(|error| error.to_string());
    let query = filtered("url=u&event=e&active=true&status=paused").unwrap();
    assert_eq!((query.active, query.status.as_deref()), (Some(true), Some("paused")));
    assert_eq!(filtered("status=broken").unwrap_err(), "status must be one of active, paused, deactivated");
    assert_eq!(filtered("active=1").unwrap_err(), "active must be true or false");
}
