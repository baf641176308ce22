//! Applications.

use js_option_1::JsOption;
use svix_1::api::{ApplicationCreateOptions, ApplicationIn, ApplicationPatch};

use super::world::{World, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    are_made_once_and_found(world).await;
    change_and_go(world).await;
}

/// Its limit has the name that it had first.
fn full() -> ApplicationIn {
    #[expect(deprecated)]
    ApplicationIn {
        uid: Some(unique("acme")),
        rate_limit: Some(30),
        metadata: Some([("plan".to_owned(), "gold".to_owned())].into()),
        ..ApplicationIn::new("Acme Ltd".to_owned())
    }
}

async fn are_made_once_and_found(world: &World) {
    let (wanted, key) = (full(), unique("key"));
    let create = async || {
        let options = ApplicationCreateOptions { idempotency_key: Some(key.clone()) };
        world.svix.application().create(wanted.clone(), Some(options)).await.expect("an application")
    };

    let made = create().await;

    assert_eq!((&made.name, &made.uid), (&wanted.name, &wanted.uid));
    #[expect(deprecated)]
    let limits = (made.rate_limit, made.throttle_rate);
    assert_eq!(limits, (Some(30), Some(30)));
    assert_eq!(Some(&made.metadata), wanted.metadata.as_ref());
    assert_eq!(create().await, made);
    let uid = wanted.uid.clone().expect("one was given");
    assert_eq!(world.svix.application().get(uid).await.expect("the application"), made);
    let found = world.svix.application().get_or_create(wanted.clone(), None).await;
    assert_eq!(found.expect("the application"), made);
    refused(world.svix.application().create(wanted.clone(), None).await, 409, "conflict");
}

async fn change_and_go(world: &World) {
    let made = world.svix.application().create(full(), None).await.expect("an application");

    let patch = ApplicationPatch {
        name: Some("New name".to_owned()),
        throttle_rate: JsOption::Null,
        ..ApplicationPatch::new()
    };
    let patched = world.svix.application().patch(made.id.clone(), patch).await.expect("it changes");
    assert_eq!((patched.name.as_str(), &patched.uid, patched.throttle_rate), ("New name", &made.uid, None));
    assert_eq!(patched.metadata, made.metadata);

    let wanted = ApplicationIn::new("Newer name".to_owned());
    let updated = world.svix.application().update(made.id.clone(), wanted).await.expect("it changes");
    assert_eq!((updated.id.as_str(), updated.name.as_str()), (made.id.as_str(), "Newer name"));
    assert_eq!((&updated.uid, updated.metadata.len()), (&None, 0));

    world.svix.application().delete(made.id.clone()).await.expect("it is deleted");
    refused(world.svix.application().get(made.id).await, 404, "not_found");
}
