//! Event types.

use js_option::JsOption;
use serde_json::{Value, json};
use svix::api::{EventTypeDeleteOptions, EventTypeListOptions};
use svix::models::{EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpsertIn};

use super::world::{World, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    show_what_they_were_given(world).await;
    do_not_share_a_name(world).await;
    come_to_be_by_an_upsert(world).await;
    keep_nothing_over_an_upsert(world).await;
    are_patched_only_where_the_patch_says(world).await;
    are_kept_in_the_archive_when_deleted(world).await;
    are_gone_once_expunged(world).await;
    are_listed_without_their_schemas_unless_asked_for(world).await;
}

fn schemas() -> Value {
    json!({"1": {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}})
}

fn full() -> EventTypeIn {
    EventTypeIn {
        deprecated: Some(true),
        schemas: Some(schemas()),
        ..EventTypeIn::new(unique("invoice.paid"), "An invoice was paid".to_owned())
    }
}

async fn full_event_type(world: &World) -> EventTypeOut {
    world.svix.event_type().create(full(), None).await.expect("an event type")
}

/// The event type, where a walk through the list comes by it.
async fn listed(
    world: &World,
    name: &str,
    include_archived: bool,
    with_content: bool,
) -> Option<EventTypeOut> {
    let mut iterator = None;
    loop {
        let options = EventTypeListOptions {
            limit: Some(250),
            iterator,
            include_archived: Some(include_archived),
            with_content: Some(with_content),
            ..EventTypeListOptions::default()
        };
        let page = world.svix.event_type().list(Some(options)).await.expect("a page");
        let found = page.data.into_iter().find(|event_type| event_type.name == name);
        if found.is_some() || page.done {
            return found;
        }
        iterator = page.iterator;
    }
}

async fn show_what_they_were_given(world: &World) {
    let wanted = full();
    let made = world.svix.event_type().create(wanted.clone(), None).await.expect("an event type");

    assert_eq!((&made.name, &made.description), (&wanted.name, &wanted.description));
    assert_eq!((made.archived, made.deprecated, &made.schemas), (Some(false), true, &Some(schemas())));
    assert!(made.created_at <= made.updated_at);
    assert_eq!(world.svix.event_type().get(wanted.name).await.expect("the event type"), made);
}

async fn do_not_share_a_name(world: &World) {
    let made = full_event_type(world).await;

    let again = EventTypeIn::new(made.name, made.description);
    refused(world.svix.event_type().create(again, None).await, 409, "event_type_exists");
}

async fn come_to_be_by_an_upsert(world: &World) {
    let name = unique("invoice.paid");
    let wanted = EventTypeUpsertIn { schemas: Some(schemas()), ..EventTypeUpsertIn::new("Paid".to_owned()) };
    let made = world.svix.event_type().upsert(name.clone(), wanted).await.expect("an event type");

    let expected = (&name, "Paid", &Some(schemas()));
    assert_eq!((&made.name, made.description.as_str(), &made.schemas), expected);
    assert_eq!(world.svix.event_type().get(name).await.expect("the event type"), made);
}

async fn keep_nothing_over_an_upsert(world: &World) {
    let name = full_event_type(world).await.name;

    let wanted = EventTypeUpsertIn::new("Paid at last".to_owned());
    let after = world.svix.event_type().upsert(name.clone(), wanted).await.expect("the event type");

    assert_eq!((&after.name, after.description.as_str()), (&name, "Paid at last"));
    assert_eq!((after.deprecated, &after.schemas), (false, &None));
}

async fn are_patched_only_where_the_patch_says(world: &World) {
    let name = full_event_type(world).await.name;

    let patch = EventTypePatch { description: Some("Paid at last".to_owned()), ..EventTypePatch::new() };
    let after = world.svix.event_type().patch(name.clone(), patch).await.expect("the event type");
    assert_eq!((after.description.as_str(), after.deprecated), ("Paid at last", true));
    assert_eq!(after.schemas, Some(schemas()));

    let patch = EventTypePatch { archived: Some(true), schemas: JsOption::Null, ..EventTypePatch::new() };
    let after = world.svix.event_type().patch(name.clone(), patch).await.expect("the event type");
    assert_eq!((after.archived, after.deprecated, &after.schemas), (Some(true), true, &None));
    assert_eq!(world.svix.event_type().get(name).await.expect("the event type"), after);
}

async fn are_kept_in_the_archive_when_deleted(world: &World) {
    let name = world.event_type().await;

    world.svix.event_type().delete(name.clone(), None).await.expect("it is archived");

    let found = world.svix.event_type().get(name.clone()).await.expect("the event type");
    assert_eq!(found.archived, Some(true));
    assert_eq!(listed(world, &name, false, false).await, None);
    assert_eq!(listed(world, &name, true, false).await, Some(found));
}

async fn are_gone_once_expunged(world: &World) {
    let name = world.event_type().await;

    let options = EventTypeDeleteOptions { expunge: Some(true) };
    world.svix.event_type().delete(name.clone(), Some(options)).await.expect("it is deleted");

    refused(world.svix.event_type().get(name.clone()).await, 404, "not_found");
    assert_eq!(listed(world, &name, true, false).await, None);
}

async fn are_listed_without_their_schemas_unless_asked_for(world: &World) {
    let made = full_event_type(world).await;

    let without = EventTypeOut { schemas: None, ..made.clone() };
    assert_eq!(listed(world, &made.name, false, false).await, Some(without));
    assert_eq!(listed(world, &made.name, false, true).await, Some(made));
}
