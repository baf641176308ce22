//! `hookyard messages` and `hookyard attempts`: what is sent, and what becomes of it.

use crate::support::patience::until;
use crate::support::receiver::Receiver;

use super::{acme, endpoint, field};

#[test]
fn a_message_is_sent_looked_at_sent_again_and_forgotten() {
    let (_server, cli) = acme();
    let receiver = Receiver::answering([500, 200]);
    let id = endpoint(&cli, &receiver.url("/"));

    let send = ["messages", "create", "user.signup", "-", "--event-id", "m1", "--channel", "eu"];
    let message = cli.run_with_input(&send, "{ \"user\": 7.0 }").succeeded(&send);
    let message = message.trim_end();
    assert_eq!(receiver.wait_for(2)[1].text(), "{ \"user\": 7.0 }");
    until("it has succeeded", || {
        !cli.prints(&["attempts", "--message", "m1", "--status", "success"]).is_empty()
    });

    let shown = cli.prints(&["messages", "get", "m1"]);
    assert_eq!((field(&shown, "id"), field(&shown, "channels")), (message, "eu"));
    assert_eq!(field(&shown, "payload"), "{ \"user\": 7.0 }");
    assert!(cli.prints(&["messages", "--event-type", "user.signup", "--since", "1h"]).starts_with(message));
    assert_eq!(cli.prints(&["messages", "--channel", "us"]), "");
    let at_endpoint = cli.prints(&["messages", "--endpoint", &id, "--status", "success"]);
    assert!(at_endpoint.starts_with(&format!("{message}\tsuccess\t")), "{at_endpoint}");
    let destinations = cli.prints(&["messages", "destinations", "m1"]);
    assert!(destinations.starts_with(&format!("{id}\tsuccess\t")), "{destinations}");
    assert_eq!(field(&cli.prints(&["endpoints", "stats", &id, "--since", "1h"]), "success"), "1");

    let failed = cli.prints(&["attempts", "--endpoint", &id, "--status-code-class", "500"]);
    assert_eq!(failed.lines().count(), 1, "{failed}");
    let attempt = failed.split('\t').next().unwrap_or_default();
    let shown = cli.prints(&["attempts", "get", message, attempt]);
    assert_eq!((field(&shown, "status"), field(&shown, "code")), ("fail", "500"));
    assert_eq!((field(&shown, "message"), field(&shown, "endpoint")), (message, id.as_str()));
    cli.prints(&["attempts", "expunge", message, attempt]);

    cli.prints(&["messages", "resend", message, &id]);
    assert_eq!(receiver.wait_for(3)[2].webhook_id(), message);
    assert!(cli.prints(&["messages", "expunge", message]).contains("forgotten"));
    assert_eq!(field(&cli.prints(&["messages", "get", message]), "payload"), r#"{"expired":true}"#);
    assert!(cli.fails(2, &["messages", "resend", message, &id]).contains("Payload is missing"));
}

#[test]
fn a_message_is_sent_once_under_an_idempotency_key() {
    let (_server, cli) = acme();

    let send = || cli.prints(&["messages", "create", "a", "{}", "--idempotency-key", "k"]);

    assert_eq!(send(), send());
    assert_eq!(cli.prints(&["messages"]).lines().count(), 1);
}
