//! The documented calls, word for word but for the host, made with the program that the documentation names.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::api::{JSON, text};
use crate::support::server::Server;
use crate::support::settings::Settings;

const CURL: &str = "/usr/bin/curl";
const BODY: &str = r#"{"url": "https://your-server.com/webhook", "event": "new_lead"}"#;

/// A server as in production, and a key as a customer has it.
struct Documented {
    server: Server,
    key: String,
}

impl Documented {
    fn start() -> Self {
        let server = Server::start_with(Settings::quick().without_dev());
        let wish = json!({"account": "default", "scopes": ["hooks", "events"]});
        let made: Value = server.api().post("/api/v1/keys", &wish).expect(201);
        let key = text(&made, "key").to_owned();
        Self { server, key }
    }

    /// `curl -X METHOD https://HOST/PATH -H "Authorization: Bearer fp_…" -H "Content-Type: application/json" -d BODY`
    fn curl(&self, method: Option<&str>, path: &str, body: Option<&str>) -> (u16, Value) {
        if !Path::new(CURL).exists() {
            let api = self.server.api_with_key(&self.key);
            let headers = if body.is_some() { JSON } else { &[] };
            let reply = api.send(method.unwrap_or("GET"), path, headers, body.map(str::as_bytes));
            return (reply.status, reply.expect(reply.status));
        }
        let mut curl = Command::new(CURL);
        // Beside the documented words: no proxy, no progress, and the status on a line of its own.
        curl.args(["--noproxy", "*", "--silent", "--show-error", "--write-out", "\n%{http_code}"]);
        curl.args(method.into_iter().flat_map(|method| ["-X", method]));
        curl.arg(format!("http://{}{path}", self.server.address()));
        curl.args(["-H", &format!("Authorization: Bearer {}", self.key)]);
        curl.args(body.into_iter().flat_map(|body| ["-H", "Content-Type: application/json", "-d", body]));
        let output = curl.output().expect("curl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let (body, status) = printed.rsplit_once('\n').expect("the status is on a line of its own");
        (status.parse().expect("a status"), serde_json::from_str(body).expect("a JSON body"))
    }
}

#[test]
fn the_documented_subscribe_works() {
    let documented = Documented::start();

    let (status, hook) = documented.curl(Some("POST"), "/api/v1/hooks/subscribe", Some(BODY));
    let (status_again, again) = documented.curl(Some("POST"), "/api/v1/hooks/subscribe", Some(BODY));

    assert_eq!((status, status_again), (201, 200));
    assert_eq!((text(&hook, "url"), text(&hook, "event")), ("https://your-server.com/webhook", "new_lead"));
    assert_eq!(
        (&hook["active"], &again["id"], &again["secret"]),
        (&json!(true), &hook["id"], &hook["secret"])
    );
}

#[test]
fn the_documented_unsubscribe_works() {
    let documented = Documented::start();
    documented.curl(Some("POST"), "/api/v1/hooks/subscribe", Some(BODY));

    let first = documented.curl(Some("DELETE"), "/api/v1/hooks/subscribe", Some(BODY));
    let second = documented.curl(Some("DELETE"), "/api/v1/hooks/subscribe", Some(BODY));

    assert_eq!(first, (200, json!({"success": true, "deleted": 1})));
    assert_eq!(second, (200, json!({"success": true, "deleted": 0})));
}

#[test]
fn the_documented_list_works() {
    let documented = Documented::start();
    let (_, hook) = documented.curl(Some("POST"), "/api/v1/hooks/subscribe", Some(BODY));

    let (status, list) = documented.curl(None, "/api/v1/hooks", None);

    assert_eq!(status, 200);
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert_eq!((&list[0]["id"], &list[0]["event"]), (&hook["id"], &json!("new_lead")));
}
