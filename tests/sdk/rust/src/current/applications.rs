//! Applications.

use js_option::JsOption;
use svix::models::{ApplicationIn, ApplicationPatch};

use super::world::{World, refused};
use crate::names::unique;

pub async fn walk(world: &World) {
    show_what_they_were_given(world).await;
    need_no_more_than_a_name(world).await;
    do_not_share_a_uid(world).await;
    are_found_instead_of_made_again(world).await;
    come_to_be_by_an_upsert(world).await;
    keep_nothing_over_an_upsert(world).await;
    are_patched_only_where_the_patch_says(world).await;
    are_gone_once_deleted(world).await;
}

fn full() -> ApplicationIn {
    ApplicationIn {
        uid: Some(unique("acme")),
        throttle_rate: Some(100),
        metadata: Some([("plan".to_owned(), "gold".to_owned())].into()),
        ..ApplicationIn::new("Acme Ltd".to_owned())
    }
}

async fn show_what_they_were_given(world: &World) {
    let wanted = full();
    let made = world.svix.application().create(wanted.clone(), None).await.expect("an application");

    assert!(made.id.starts_with("app_"), "{}", made.id);
    assert_eq!((&made.name, &made.uid, made.throttle_rate), (&wanted.name, &wanted.uid, Some(100)));
    assert_eq!(Some(&made.metadata), wanted.metadata.as_ref());
    for name in [&made.id, &wanted.uid.expect("one was given")] {
        assert_eq!(world.svix.application().get(name.clone()).await.expect("an application"), made);
    }
}

async fn need_no_more_than_a_name(world: &World) {
    let made = world.svix.application().create(ApplicationIn::new("Acme".to_owned()), None).await;
    let made = made.expect("an application");

    assert_eq!((&made.uid, made.throttle_rate, made.metadata.len()), (&None, None, 0));
    assert!(made.created_at <= made.updated_at);
}

async fn do_not_share_a_uid(world: &World) {
    let wanted = full();
    world.svix.application().create(wanted.clone(), None).await.expect("an application");

    refused(world.svix.application().create(wanted, None).await, 409, "conflict");
}

async fn are_found_instead_of_made_again(world: &World) {
    let wanted = full();
    let made = world.svix.application().get_or_create(wanted.clone(), None).await.expect("an application");

    let renamed = ApplicationIn { name: "Another name".to_owned(), ..wanted };
    let found = world.svix.application().get_or_create(renamed, None).await.expect("the application");
    assert_eq!(found, made);
}

async fn come_to_be_by_an_upsert(world: &World) {
    let wanted = full();
    let uid = wanted.uid.clone().expect("one was given");
    let made = world.svix.application().upsert(uid.clone(), wanted).await.expect("an application");

    assert_eq!((made.name.as_str(), made.uid.as_ref()), ("Acme Ltd", Some(&uid)));
    assert_eq!(world.svix.application().get(uid).await.expect("the application"), made);
}

async fn keep_nothing_over_an_upsert(world: &World) {
    let made = world.svix.application().create(full(), None).await.expect("an application");

    let wanted = ApplicationIn::new("New name".to_owned());
    let after = world.svix.application().upsert(made.id.clone(), wanted).await.expect("the application");

    assert_eq!((&after.id, after.name.as_str(), after.created_at), (&made.id, "New name", made.created_at));
    assert_eq!((&after.uid, after.throttle_rate, after.metadata.len()), (&None, None, 0));
}

async fn are_patched_only_where_the_patch_says(world: &World) {
    let made = world.svix.application().create(full(), None).await.expect("an application");

    let patch = ApplicationPatch {
        name: Some("New name".to_owned()),
        throttle_rate: JsOption::Null,
        ..ApplicationPatch::new()
    };
    let after = world.svix.application().patch(made.id.clone(), patch).await.expect("the application");

    assert_eq!((after.name.as_str(), &after.uid, after.throttle_rate), ("New name", &made.uid, None));
    assert_eq!(after.metadata, made.metadata);
    assert_eq!(world.svix.application().get(made.id).await.expect("the application"), after);
}

async fn are_gone_once_deleted(world: &World) {
    let made = world.application().await;

    world.svix.application().delete(made.id.clone()).await.expect("it is deleted");

    for name in [made.id.clone(), made.uid.expect("one was given")] {
        refused(world.svix.application().get(name).await, 404, "not_found");
    }
    refused(world.svix.application().delete(made.id).await, 404, "not_found");
}
