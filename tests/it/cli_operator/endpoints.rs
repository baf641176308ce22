//! `hookyard endpoints`: hooks with all that can be said of them.

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::patience::until;
use crate::support::receiver::Receiver;

use super::{acme, endpoint, field, words};

#[test]
fn an_endpoint_is_made_with_all_that_can_be_said_of_one_and_changed() {
    let (server, cli) = acme();
    cli.prints(&["event-types", "create", "user.signup", "A user signed up"]);
    let url = "http://127.0.0.1:9/";

    let create = format!(
        "endpoints create {url} --uid billing --description Bills --event-type new_lead,user.* --channel eu \
         --channel us --filter @.amount>100 --metadata team=a --disabled --rate 7 --fifo --json \
         --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw --header authorization:secret"
    );
    let made: Value = cli.prints_json(&words(&create));
    for (name, value) in [
        ("uid", json!("billing")),
        ("description", json!("Bills")),
        ("eventTypes", json!(["new_lead", "user.*"])),
        ("channels", json!(["eu", "us"])),
        ("filter", json!("@.amount>100")),
        ("metadata", json!({"team": "a"})),
        ("disabled", json!(true)),
        ("throttleRate", json!(7)),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(made["delivery"]["ordering"], "fifo");
    assert_eq!(cli.prints(&["endpoints", "secret", "billing"]), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    assert_eq!(cli.prints(&["endpoints", "headers", "billing"]), "authorization\t***\n");

    let changed =
        cli.prints(&words("endpoints update billing --disabled=false --rate 8 --unset channels,filter"));
    assert_eq!((field(&changed, "status"), field(&changed, "rate")), ("enabled", "8"));
    assert_eq!((field(&changed, "channels"), field(&changed, "filter")), ("", ""));
    assert_eq!((field(&changed, "event types"), field(&changed, "url")), ("new_lead,user.*", url));
    assert!(field(&changed, "delivery").contains("fifo"));
    let other = "http://127.0.0.1:9/other";
    let replaced = cli.prints(&["endpoints", "update", "billing", "--target", other, "--replace"]);
    assert_eq!((field(&replaced, "url"), field(&replaced, "description")), (other, ""));

    let listed = cli.prints(&["endpoints", "list", "--json"]);
    let page: Value = server.api().get("/api/v1/app/acme/endpoint").expect(200);
    assert_eq!(serde_json::from_str::<Value>(&listed).expect("it is JSON"), page["data"]);
    let id = text(&made, "id");
    assert_eq!(cli.prints(&["endpoints", "delete", id]), format!("deleted {id}\n"));
    assert_eq!(cli.prints(&["endpoints"]), "");
}

#[test]
fn the_secret_and_the_headers_of_an_endpoint_are_changed() {
    let (_server, cli) = acme();
    let id = endpoint(&cli, "http://127.0.0.1:9/");

    let secret = cli.prints(&["endpoints", "secret", &id]);
    let rotated = cli.prints(&["endpoints", "rotate-secret", &id, "--overlap", "1h"]);
    assert!(rotated.starts_with("whsec_") && rotated != secret);
    assert_eq!(cli.prints(&["endpoints", "secret", &id]), rotated);
    assert!(cli.fails(2, &["endpoints", "rotate-secret", &id, "--overlap", "8d"]).contains("at most 604800"));

    cli.prints(&["endpoints", "set-headers", &id, "--header", "x-a: 1", "--header", "x-b: 2"]);
    cli.prints(&["endpoints", "update-headers", &id, "--header", "x-c: 3", "--remove", "x-a"]);
    assert_eq!(cli.prints(&["endpoints", "headers", &id]), "x-b\t2\nx-c\t3\n");
    assert_eq!(cli.prints(&["endpoints", "set-headers", &id, "--json"]), "");
    assert_eq!(cli.prints(&["endpoints", "headers", &id, "--json"]), "{\"headers\":{},\"sensitive\":[]}\n");
}

#[test]
fn what_was_given_up_is_recovered_and_an_example_is_sent() {
    let (_server, cli) = acme();
    let receiver = Receiver::answering([500, 200]);
    let once = ["endpoints", "create", &receiver.url("/"), "--no-retries", "--deactivate", "never", "--json"];
    let made: Value = cli.prints_json(&once);
    let id = text(&made, "id");
    let message = cli.prints(&["messages", "create", "a", "{}"]);
    until("it is given up", || !cli.prints(&["messages", "--endpoint", id, "--status", "fail"]).is_empty());

    assert_eq!(
        cli.prints(&["endpoints", "recover", id, "--since", "1h"]),
        "what was given up is due again\n"
    );
    assert_eq!(receiver.wait_for(2)[1].webhook_id(), message.trim_end());
    let example = cli.prints(&["endpoints", "send-example", id, "svix.ping"]);
    let sent = receiver.wait_for(3);
    assert_eq!((sent[2].webhook_id(), sent[2].text()), (example.trim_end(), r#"{"success":true}"#));
}

#[test]
fn an_endpoints_id_names_its_hook_and_a_messages_its_event() {
    let (_server, cli) = acme();
    let id = endpoint(&cli, "http://127.0.0.1:9/");
    let message = cli.prints(&["messages", "create", "a", "{}"]);

    assert!(cli.prints(&["hooks", "pause", &id]).contains("is paused"));
    cli.prints(&["hooks", "set-delivery", &id, "--fifo"]);
    assert!(field(&cli.prints(&["endpoints", "get", &id]), "delivery").contains("fifo"));
    assert_eq!(field(&cli.prints(&["events", "get", message.trim_end()]), "event"), "a");
}
