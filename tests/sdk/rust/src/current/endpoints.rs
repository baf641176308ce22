//! Endpoints: made, found, changed, and gone.

use js_option::JsOption;
use svix::models::{ApplicationOut, EndpointIn, EndpointOut, EndpointPatch, EndpointUpsertIn};

use super::world::{ANY_URL, World, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    show_what_they_were_given(world).await;
    need_no_more_than_a_url(world).await;
    do_not_share_a_uid_within_an_application(world).await;
    belong_to_one_application(world).await;
    come_to_be_by_an_upsert(world).await;
    keep_nothing_over_an_upsert_but_their_secret(world).await;
    are_patched_only_where_the_patch_says(world).await;
    lose_what_a_patch_says_is_null(world).await;
    are_gone_once_deleted(world).await;
}

async fn full(world: &World) -> EndpointIn {
    EndpointIn {
        description: Some("The books".to_owned()),
        uid: Some(unique("books")),
        throttle_rate: Some(50),
        disabled: Some(true),
        event_types: Some([world.event_type().await].into()),
        channels: Some(["project_1".to_owned()].into()),
        metadata: Some([("team".to_owned(), "finance".to_owned())].into()),
        ..EndpointIn::new("http://127.0.0.1:9/books?of=2026".to_owned())
    }
}

async fn full_endpoint(world: &World) -> (ApplicationOut, EndpointOut) {
    let app = world.application().await;
    let endpoint = world.endpoint_of(&app, full(world).await).await;
    (app, endpoint)
}

async fn show_what_they_were_given(world: &World) {
    let app = world.application().await;
    let wanted = full(world).await;
    let made = world.endpoint_of(&app, wanted.clone()).await;

    assert!(made.id.starts_with("ep_"), "{}", made.id);
    assert_eq!((&made.url, &Some(made.description.clone())), (&wanted.url, &wanted.description));
    let settings = (&made.uid, made.throttle_rate, made.disabled, &made.event_types, &made.channels);
    let given = (&wanted.uid, Some(50), Some(true), &wanted.event_types, &wanted.channels);
    assert_eq!(settings, given);
    assert_eq!(Some(&made.metadata), wanted.metadata.as_ref());
    assert!(made.created_at <= made.updated_at);
    for name in [made.id.clone(), wanted.uid.expect("one was given")] {
        assert_eq!(world.svix.endpoint().get(app.id.clone(), name).await.expect("the endpoint"), made);
    }
    assert_eq!(world.svix.endpoint().list(app.id, None).await.expect("a list").data, [made]);
}

async fn need_no_more_than_a_url(world: &World) {
    let made = world.endpoint(&world.application().await, ANY_URL).await;

    assert_eq!((made.description.as_str(), &made.uid, made.disabled), ("", &None, Some(false)));
    assert_eq!((&made.event_types, &made.channels, made.throttle_rate), (&None, &None, None));
    assert!(made.metadata.is_empty());
}

async fn do_not_share_a_uid_within_an_application(world: &World) {
    let app = world.application().await;
    let wanted = EndpointIn { uid: Some(unique("books")), ..EndpointIn::new(ANY_URL.to_owned()) };
    world.endpoint_of(&app, wanted.clone()).await;

    refused(world.svix.endpoint().create(app.id, wanted.clone(), None).await, 409, "conflict");
    let elsewhere = world.endpoint_of(&world.application().await, wanted.clone()).await;
    assert_eq!(elsewhere.uid, wanted.uid);
}

async fn belong_to_one_application(world: &World) {
    let made = world.endpoint(&world.application().await, ANY_URL).await;

    let other = world.application().await;
    refused(world.svix.endpoint().get(other.id, made.id).await, 404, "not_found");
}

async fn come_to_be_by_an_upsert(world: &World) {
    let (app, uid) = (world.application().await, unique("books"));

    let wanted = EndpointUpsertIn { uid: Some(uid.clone()), ..EndpointUpsertIn::new(ANY_URL.to_owned()) };
    let made = world.svix.endpoint().upsert(app.id.clone(), uid.clone(), wanted).await.expect("an endpoint");

    assert_eq!((made.url.as_str(), made.uid.as_ref()), (ANY_URL, Some(&uid)));
    assert_eq!(world.svix.endpoint().get(app.id, uid).await.expect("the endpoint"), made);
}

async fn keep_nothing_over_an_upsert_but_their_secret(world: &World) {
    let (app, made) = full_endpoint(world).await;
    let secret = world.secret_of(&app, &made).await;

    let wanted = EndpointUpsertIn::new("http://127.0.0.1:9/after".to_owned());
    let after =
        world.svix.endpoint().upsert(app.id.clone(), made.id.clone(), wanted).await.expect("it changes");

    assert_eq!((&after.id, after.url.as_str()), (&made.id, "http://127.0.0.1:9/after"));
    assert_eq!((after.description.as_str(), &after.uid, after.throttle_rate), ("", &None, None));
    assert_eq!((&after.event_types, &after.channels, after.disabled), (&None, &None, Some(false)));
    assert!(after.metadata.is_empty());
    assert_eq!(world.secret_of(&app, &after).await, secret);
}

async fn are_patched_only_where_the_patch_says(world: &World) {
    let (app, made) = full_endpoint(world).await;

    let patch = EndpointPatch {
        description: Some("Other books".to_owned()),
        throttle_rate: JsOption::Some(7),
        disabled: Some(false),
        channels: JsOption::Some(["project_2".to_owned()].into()),
        ..EndpointPatch::new()
    };
    let after =
        world.svix.endpoint().patch(app.id.clone(), made.id.clone(), patch).await.expect("it changes");

    let expected = EndpointOut {
        description: "Other books".to_owned(),
        throttle_rate: Some(7),
        disabled: Some(false),
        channels: Some(["project_2".to_owned()].into()),
        updated_at: after.updated_at,
        ..made
    };
    assert_eq!(after, expected);
    assert_eq!(world.svix.endpoint().get(app.id, expected.id).await.expect("the endpoint"), after);
}

async fn lose_what_a_patch_says_is_null(world: &World) {
    let (app, made) = full_endpoint(world).await;

    let patch = EndpointPatch {
        uid: JsOption::Null,
        throttle_rate: JsOption::Null,
        event_types: JsOption::Null,
        channels: JsOption::Null,
        ..EndpointPatch::new()
    };
    let after = world.svix.endpoint().patch(app.id, made.id.clone(), patch).await.expect("it changes");

    let expected = EndpointOut {
        uid: None,
        throttle_rate: None,
        event_types: None,
        channels: None,
        updated_at: after.updated_at,
        ..made
    };
    assert_eq!(after, expected);
}

async fn are_gone_once_deleted(world: &World) {
    let (app, made) = full_endpoint(world).await;

    let uid = made.uid.expect("one was given");
    world.svix.endpoint().delete(app.id.clone(), uid.clone()).await.expect("it is deleted");

    for name in [made.id, uid] {
        refused(world.svix.endpoint().get(app.id.clone(), name).await, 404, "not_found");
    }
    assert_eq!(world.svix.endpoint().list(app.id, None).await.expect("a list").data, []);
}
