//! Event types.

use js_option_1::JsOption;
use serde_json::{Value, json};
use svix_1::api::{EventTypeDeleteOptions, EventTypeIn, EventTypePatch, EventTypeUpdate};

use super::world::{World, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    show_what_they_were_given(world).await;
    change(world).await;
    are_archived_before_they_are_gone(world).await;
}

fn schemas() -> Value {
    json!({"1": {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}})
}

fn full() -> EventTypeIn {
    EventTypeIn {
        deprecated: Some(true),
        schemas: Some(schemas()),
        ..EventTypeIn::new("An invoice was paid".to_owned(), unique("invoice.paid"))
    }
}

async fn show_what_they_were_given(world: &World) {
    let wanted = full();
    let made = world.svix.event_type().create(wanted.clone(), None).await.expect("an event type");

    assert_eq!((&made.name, &made.description), (&wanted.name, &wanted.description));
    assert_eq!((made.archived, made.deprecated, &made.schemas), (Some(false), true, &Some(schemas())));
    assert_eq!(world.svix.event_type().get(made.name.clone()).await.expect("the event type"), made);
    refused(world.svix.event_type().create(wanted, None).await, 409, "event_type_exists");
}

async fn change(world: &World) {
    let name = world.svix.event_type().create(full(), None).await.expect("an event type").name;

    let patch = EventTypePatch { archived: Some(true), schemas: JsOption::Null, ..EventTypePatch::new() };
    let patched = world.svix.event_type().patch(name.clone(), patch).await.expect("it changes");
    assert_eq!((patched.archived, patched.deprecated, &patched.schemas), (Some(true), true, &None));

    let wanted =
        EventTypeUpdate { schemas: Some(schemas()), ..EventTypeUpdate::new("Paid at last".to_owned()) };
    let updated = world.svix.event_type().update(name.clone(), wanted).await.expect("it changes");
    assert_eq!((updated.description.as_str(), updated.deprecated), ("Paid at last", false));
    assert_eq!(updated.schemas, Some(schemas()));
    assert_eq!(world.svix.event_type().get(name).await.expect("the event type"), updated);
}

async fn are_archived_before_they_are_gone(world: &World) {
    let name = world.event_type().await;

    world.svix.event_type().delete(name.clone(), None).await.expect("it is archived");
    let found = world.svix.event_type().get(name.clone()).await.expect("the event type");
    assert_eq!(found.archived, Some(true));

    let options = EventTypeDeleteOptions { expunge: Some(true) };
    world.svix.event_type().delete(name.clone(), Some(options)).await.expect("it is deleted");
    refused(world.svix.event_type().get(name).await, 404, "not_found");
}
