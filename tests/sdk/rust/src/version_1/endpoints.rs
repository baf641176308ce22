//! Endpoints and their headers.

use js_option_1::JsOption;
use svix_1::api::{
    EndpointHeadersIn, EndpointHeadersPatchIn, EndpointIn, EndpointOut, EndpointPatch, EndpointUpdate,
};

use super::world::{ANY_URL, World, refused};
use crate::names::unique;
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    show_what_they_were_given(world).await;
    change_and_go(world).await;
    send_their_headers(world).await;
}

async fn full(world: &World) -> EndpointIn {
    EndpointIn {
        description: Some("The books".to_owned()),
        uid: Some(unique("books")),
        throttle_rate: Some(50),
        disabled: Some(true),
        filter_types: Some(vec![world.event_type().await]),
        channels: Some(vec!["project_1".to_owned()]),
        metadata: Some([("team".to_owned(), "finance".to_owned())].into()),
        ..EndpointIn::new(ANY_URL.to_owned())
    }
}

async fn show_what_they_were_given(world: &World) {
    let (app, wanted) = (world.application().await, full(world).await);
    let made = world.svix.endpoint().create(app.id.clone(), wanted.clone(), None).await.expect("an endpoint");

    assert!(made.id.starts_with("ep_"), "{}", made.id);
    assert_eq!(
        (made.url.as_str(), made.description.as_str(), &made.uid),
        (ANY_URL, "The books", &wanted.uid)
    );
    assert_eq!((made.throttle_rate, made.disabled), (Some(50), Some(true)));
    assert_eq!((&made.filter_types, &made.channels), (&wanted.filter_types, &wanted.channels));
    assert_eq!(Some(&made.metadata), wanted.metadata.as_ref());
    #[expect(deprecated)]
    let version = made.version;
    assert_eq!(version, 1);
    let uid = wanted.uid.expect("one was given");
    assert_eq!(world.svix.endpoint().get(app.id.clone(), uid).await.expect("the endpoint"), made);
    assert_eq!(world.svix.endpoint().list(app.id, None).await.expect("a list").data, [made]);
}

async fn change_and_go(world: &World) {
    let (app, wanted) = (world.application().await, full(world).await);
    let made = world.svix.endpoint().create(app.id.clone(), wanted, None).await.expect("an endpoint");
    let ids = || (app.id.clone(), made.id.clone());

    let other_type = vec![world.event_type().await];
    let patch = EndpointPatch {
        filter_types: JsOption::Some(other_type.clone()),
        throttle_rate: JsOption::Null,
        ..EndpointPatch::new()
    };
    let (app_id, id) = ids();
    let patched = world.svix.endpoint().patch(app_id, id, patch).await.expect("it changes");
    #[expect(deprecated)]
    let expected = EndpointOut {
        filter_types: Some(other_type),
        throttle_rate: None,
        rate_limit: None,
        updated_at: patched.updated_at.clone(),
        ..made.clone()
    };
    assert_eq!(patched, expected);

    let (app_id, id) = ids();
    let wanted = EndpointUpdate::new("http://127.0.0.1:9/after".to_owned());
    let updated = world.svix.endpoint().update(app_id, id, wanted).await.expect("it changes");
    assert_eq!((updated.id.as_str(), updated.url.as_str()), (made.id.as_str(), "http://127.0.0.1:9/after"));
    assert_eq!((&updated.uid, &updated.filter_types, &updated.channels), (&None, &None, &None));

    let (app_id, id) = ids();
    world.svix.endpoint().delete(app_id, id).await.expect("it is deleted");
    let (app_id, id) = ids();
    refused(world.svix.endpoint().get(app_id, id).await, 404, "not_found");
}

async fn send_their_headers(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let ids = || (app.id.clone(), to.id.clone());
    let headers = [("shade", "blue"), ("authorization", "Bearer of news")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();

    let (app_id, id) = ids();
    let set = world.svix.endpoint().update_headers(app_id, id, EndpointHeadersIn::new(headers)).await;
    set.expect("they are set");
    let (app_id, id) = ids();
    let shown = world.svix.endpoint().get_headers(app_id, id).await.expect("headers");
    assert_eq!(shown.headers, [("shade".to_owned(), "blue".to_owned())].into());
    assert_eq!(shown.sensitive, ["authorization"]);

    let (app_id, id) = ids();
    let patch = EndpointHeadersPatchIn {
        delete_headers: Some(vec!["authorization".to_owned()]),
        ..EndpointHeadersPatchIn::new([("shade".to_owned(), "red".to_owned())].into())
    };
    world.svix.endpoint().patch_headers(app_id, id, patch).await.expect("they change");
    world.message(&app, &world.event_type().await).await;
    let received = receiver.next();
    assert_eq!(received.header("shade"), "red");
    assert!(!received.headers.contains_key("authorization"));
}
