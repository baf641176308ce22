//! The headers that an endpoint gets with every message.

use std::collections::BTreeMap;

use svix::models::{EndpointHeadersIn, EndpointHeadersOut, EndpointHeadersPatchIn};

use super::world::World;
use crate::receiver::Receiver;

pub async fn walk(world: &World) {
    let (app, receiver) = (world.application().await, Receiver::answering([200]));
    let to = world.endpoint(&app, &receiver.url).await;
    let event_type = world.event_type().await;
    let ids = || (app.id.clone(), to.id.clone());
    let shown = async || {
        let (app_id, endpoint_id) = ids();
        world.svix.endpoint().get_headers(app_id, endpoint_id).await.expect("headers")
    };
    assert_eq!(shown().await, headers_out(&[], &[]));

    let (app_id, endpoint_id) = ids();
    let secret = "Bearer of news";
    let wanted =
        EndpointHeadersIn::new(headers(&[("shade", "blue"), ("size", "12"), ("authorization", secret)]));
    world.svix.endpoint().set_headers(app_id, endpoint_id, wanted).await.expect("they are set");
    assert_eq!(shown().await, headers_out(&[("shade", "blue"), ("size", "12")], &["authorization"]));
    let message = world.message(&app, &event_type).await;
    let received = receiver.next_of(&message.id);
    let delivered = ["shade", "size", "authorization"].map(|name| received.header(name));
    assert_eq!(delivered, ["blue", "12", secret]);

    let (app_id, endpoint_id) = ids();
    let patch = EndpointHeadersPatchIn {
        delete_headers: Some(vec!["authorization".to_owned(), "shade".to_owned()]),
        ..EndpointHeadersPatchIn::new(headers(&[("size", "13"), ("shape", "round")]))
    };
    world.svix.endpoint().patch_headers(app_id, endpoint_id, patch).await.expect("they change");
    assert_eq!(shown().await, headers_out(&[("size", "13"), ("shape", "round")], &[]));
    let message = world.message(&app, &event_type).await;
    let received = receiver.next_of(&message.id);
    assert_eq!(["size", "shape"].map(|name| received.header(name)), ["13", "round"]);
    assert!(!received.headers.contains_key("shade") && !received.headers.contains_key("authorization"));
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn headers_out(shown: &[(&str, &str)], sensitive: &[&str]) -> EndpointHeadersOut {
    let sensitive = sensitive.iter().map(|name| name.to_string()).collect();
    EndpointHeadersOut { headers: headers(shown), sensitive }
}
