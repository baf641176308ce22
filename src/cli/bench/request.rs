//! The requests of a bench, with gaps for the digits of each event.

use super::router::ADMIN_KEY;
use super::template::{HOOK, NUMBER, data};

/// What an event and a hook are for, unless the scenario says otherwise.
pub const EVENT: &str = "new_lead";
/// What requests to a router call it.
const HOST: &str = "127.0.0.1";

/// A request that emits one event per request.
pub struct Emit<'a> {
    pub event: &'a str,
    pub account: Option<&'a str>,
    pub data_bytes: usize,
    /// Whether each event has an idempotency key of its own.
    pub is_keyed: bool,
}

impl Emit<'_> {
    pub fn text(&self) -> String {
        let account = self.account.map_or_else(String::new, |account| format!(r#""account":"{account}","#));
        let body = format!(r#"{{"event":"{}",{account}"data":{}}}"#, self.event, data(self.data_bytes));
        let key = if self.is_keyed { format!("idempotency-key: bench-{NUMBER}\r\n") } else { String::new() };
        post(HOST, "/api/v1/events", &format!("{}{key}", authorization()), &body)
    }

    /// So many of the same event in one request.
    pub fn batch_text(&self, events: u16) -> String {
        let event = format!(
            r#"{{"event":"{}","account":"{}","data":{{}}}}"#,
            self.event,
            self.account.unwrap_or("default")
        );
        let pad = self.data_bytes.saturating_sub(r#"{"pad":""}"#.len());
        let event = event.replace("{}", &format!(r#"{{"pad":"{}"}}"#, "x".repeat(pad)));
        let body = match events {
            1 => event,
            events => format!("[{}]", vec![event; events.into()].join(",")),
        };
        post(HOST, "/api/v1/events", &authorization(), &body)
    }
}

/// The event type of a hook among many.
pub fn event_of(hook: u32) -> String {
    format!("bench_{hook:06}")
}

/// The event type of each hook in its turn.
pub fn event_in_turn() -> String {
    format!("bench_{HOOK}")
}

/// A request that looks like a delivery.
pub fn delivery(host: &str, path: &str, data_bytes: usize) -> String {
    let headers = format!(
        "user-agent: hookyard/{}\r\nwebhook-id: evt_00000000000000000{NUMBER}\r\nwebhook-timestamp: 1700000000\r\n\
         webhook-signature: v1,{}=\r\nx-fetchply-signature: sha256={}\r\n",
        env!("CARGO_PKG_VERSION"),
        "a".repeat(43),
        "0".repeat(64),
    );
    post(host, path, &headers, &delivered_body(data_bytes))
}

/// What a receiver is sent of an event.
pub fn delivered_body(data_bytes: usize) -> String {
    format!(r#"{{"event":"{EVENT}","timestamp":"2025-01-15T10:30:00Z","data":{}}}"#, data(data_bytes))
}

/// A request that subscribes a hook whose URL ends in its number.
pub fn subscribe(base: &str, event: &str) -> String {
    let body = format!(r#"{{"url":"{base}/{NUMBER}","event":"{event}"}}"#);
    post(HOST, "/api/v1/hooks/subscribe", &authorization(), &body)
}

fn authorization() -> String {
    format!("authorization: Bearer {ADMIN_KEY}\r\n")
}

fn post(host: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::super::template::{Template, Told};
    use super::*;

    #[test]
    fn an_event_is_one_json_object_of_the_size_that_was_asked_for() {
        let emit = Emit { event: EVENT, account: Some("quiet"), data_bytes: 300, is_keyed: true };
        let mut template = Template::new(&emit.text(), 1);
        let text = String::from_utf8(template.fill(Told { number: 3, due_ns: 5 }).to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("idempotency-key: bench-1000000003\r\n"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["data"].to_string().len(), 300);
        assert_eq!(body["account"], "quiet");
    }

    #[test]
    fn a_batch_is_an_array_and_one_event_alone_is_none() {
        let emit = Emit { event: EVENT, account: None, data_bytes: 300, is_keyed: false };
        let body = |events| {
            let text = emit.batch_text(events);
            serde_json::from_str::<serde_json::Value>(text.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        assert_eq!(body(1)["data"].to_string().len(), 300);
        assert_eq!(body(3).as_array().map(Vec::len), Some(3));
    }
}
