//! The operator's API: each resource over HTTP, and what is delivered because of it.

mod applications;
mod attempts;
mod endpoints;
mod event_types;
mod messages;
mod svix_crate;
mod tokens;

use serde_json::{Value, json};

use crate::support::api::{Api, Reply, text};
use crate::support::server::Server;
use crate::support::settings::Settings;

/// A server with quick retries, and an application on it.
fn application() -> (Server, Operator) {
    let server = Server::start_with(Settings::quick().set("retry.schedule", r#"["50ms", "50ms"]"#));
    let operator = Operator(server.api());
    operator.create("/api/v1/app", &json!({"name": "Acme", "uid": "acme"}));
    (server, operator)
}

/// A caller of the operator's API.
struct Operator(Api);

impl Operator {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(|body| body.to_string().into_bytes());
        self.0.send(method, path, &[("content-type", "application/json")], body.as_deref())
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).expect(200)
    }

    fn create(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, Some(body)).expect(201)
    }

    fn put(&self, path: &str, body: &Value) -> Reply {
        self.call("PUT", path, Some(body))
    }

    fn patch(&self, path: &str, body: &Value) -> Value {
        self.call("PATCH", path, Some(body)).expect(200)
    }

    /// An action that has nothing to say.
    fn act(&self, method: &str, path: &str, body: Option<&Value>) {
        let reply = self.call(method, path, body);
        assert_eq!((reply.status, reply.text().as_str()), (204, ""), "{}", reply.describe());
    }

    fn send(&self, application: &str, body: &Value) -> Value {
        self.call("POST", &format!("/api/v1/app/{application}/msg"), Some(body)).expect(202)
    }

    /// The id of a new endpoint.
    fn endpoint(&self, application: &str, body: &Value) -> String {
        let endpoint = self.create(&format!("/api/v1/app/{application}/endpoint"), body);
        text(&endpoint, "id").to_owned()
    }

    /// What a call that is refused with 422 is told, by where the fault is.
    fn faults(&self, method: &str, path: &str, body: &Value) -> Vec<(String, String)> {
        let refused: Value = self.call(method, path, Some(body)).expect(422);
        let place = |fault: &Value| {
            let names: Vec<&str> =
                fault["loc"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            names.join(".")
        };
        let faults = refused["detail"].as_array().expect("a list of faults");
        faults.iter().map(|fault| (place(fault), text(fault, "msg").to_owned())).collect()
    }

    fn refused(&self, status: u16, method: &str, path: &str, body: Option<&Value>) -> (String, String) {
        let refused: Value = self.call(method, path, body).expect(status);
        (text(&refused, "code").to_owned(), text(&refused, "detail").to_owned())
    }
}

/// The entries of a page, by a member of each.
fn of_page<'a>(page: &'a Value, member: &str) -> Vec<&'a str> {
    page["data"].as_array().expect("a page").iter().map(|entry| text(entry, member)).collect()
}

fn not_found() -> (String, String) {
    ("not_found".to_owned(), "Entity not found".to_owned())
}

#[test]
fn health_and_the_description_need_no_token() {
    let server = Server::start();
    let anonymous = server.anonymous();
    for path in ["/api/v1/health", "/api/v1/health/ping", "/api/v1/health/"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(anonymous.send(method, path, &[], None).status, 204, "{method} {path}");
        }
    }
    let document: Value = anonymous.get("/api/v1/openapi.json").expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v1/app/{app_id}/msg"]["post"].is_object());
}

#[test]
fn what_a_path_does_not_take_is_told_in_the_dialect() {
    let (_server, operator) = application();
    let reply = operator.call("DELETE", "/api/v1/app", None);
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST")));
    assert_eq!(text(&reply.expect(405), "code"), "method_not_allowed");
}
