//! The programs of `examples/`, run as they are: a delivery arrives, and they end in order.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::api::{Api, text};
use crate::support::command::{Running, example};
use crate::support::patience::until;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[test]
fn the_embedded_router_delivers_and_ends() {
    let receiver = Receiver::answering([200]);

    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut embedded = example("embedded");
    let mut example = Running::start(embedded.arg(receiver.url("/")).current_dir(directory.path()));

    assert!(example.end().status.success());
    let request = &receiver.requests()[0];
    assert_eq!(request.json()["event"], "order_paid");
    assert_eq!(request.data(), json!({"number": 42, "total_cents": 1999}));
    assert_eq!(example.printed(), format!("{} matched 1 hooks\n", request.webhook_id()));
}

#[test]
fn the_application_takes_subscriptions_and_emits_from_its_own_routes() {
    let receiver = Receiver::answering([200]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut application = example("actix_web");
    let mut example = Running::start(application.arg("127.0.0.1:0").current_dir(directory.path()));
    let address = address(&example);
    let key = example.wait_for("with the key ");
    let customer = Api::at(address, Some(&key));
    let shopper = Api::at(address, None);

    let wish = json!({"url": receiver.url("/"), "event": "order_paid"});
    let subscribed = customer.post("/webhooks/api/v1/hooks/subscribe", &wish);
    let order = json!({"number": 7, "total_cents": 1200});
    let [first, again] = [(); 2].map(|()| shopper.post("/orders", &order).expect::<Value>(201));
    let other = shopper.post("/orders", &json!({"number": 7, "total_cents": 9}));

    let location = subscribed.header("location").expect("it says where the hook is").to_owned();
    let hook: Value = subscribed.expect(201);
    assert_eq!(customer.get(&location).expect::<Value>(200)["id"], hook["id"]);
    assert_eq!((&first["told"], &again["event"]), (&json!(1), &first["event"]));
    assert_eq!(other.status, 409);
    let request = &receiver.wait_for(1)[0];
    assert_eq!((request.webhook_id(), request.data()), (text(&first, "event"), order));
    request.assert_signed_with(text(&hook, "secret"));
    example.signal(libc::SIGTERM);
    assert!(example.end().status.success());
}

#[test]
fn the_receiver_takes_each_event_once_and_nothing_forged() {
    let server = Server::start();
    let example = Running::start(example("receiver").arg("127.0.0.1:0").env("WEBHOOK_SECRET", SECRET));
    let url = format!("http://{}/webhook", address(&example));
    let wish = json!({"url": url, "event": "new_lead", "secret": SECRET});
    assert_eq!(server.api().subscribing(&wish).status, 201);

    let receipt = server.api().emit("new_lead", &json!({"n": 1}));
    example.wait_for(r#""data":{"n":1}}"#);
    wait_until_delivered(&server, 1);
    assert_eq!(server.api().act(&format!("/api/v1/events/{}/replay", receipt.id)).status, 202);
    wait_until_delivered(&server, 2);
    server.api().emit("new_lead", &json!({"n": 2}));
    example.wait_for(r#""data":{"n":2}}"#);

    assert_eq!(example.printed().matches(r#""data":{"n":1}}"#).count(), 1, "{}", example.printed());
    let forged = Api::at(address(&example), None).post("/webhook", &json!({"event": "new_lead", "data": 3}));
    assert_eq!(forged.status, 401);
}

/// Where it says that it listens.
#[track_caller]
fn address(example: &Running) -> SocketAddr {
    example.wait_for("listening on http://").parse().expect("an address")
}

/// Waits until the newest delivery is done, after so many attempts.
#[track_caller]
fn wait_until_delivered(server: &Server, attempts: u64) {
    until(&format!("it is delivered after {attempts} attempts"), || {
        let deliveries: Value = server.api().get("/api/v1/deliveries").expect(200);
        deliveries[0]["attempts"] == attempts && deliveries[0]["status"] == "delivered"
    });
}
