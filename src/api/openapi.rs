//! The document: this API described in OpenAPI 3.1.
//!
//! It is made from the handlers' annotations and the shapes that they answer with. What a handler reads has no shape
//! of its own, since bodies are read in place; those descriptions, and the refusals that handlers share, stand in
//! `components.json`. Every route that is registered is in the document, and nothing else.

pub mod asked;
pub mod refused;
pub mod vocabulary;

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::account::Scope;
use crate::event::Receipt;

use super::{accounts, answer, backup, deliveries, docs, error, events, health, hooks, keys, metrics};

/// The path of the document, below the place where the routes are mounted.
pub const PATH: &str = "/openapi.json";
/// The path of the page that is made of it.
pub const PAGE: &str = "/docs";

/// The whole document. It depends on the program alone, so it is made once.
static DOCUMENT: LazyLock<Value> = LazyLock::new(build);

#[derive(OpenApi)]
#[openapi(
    info(description = "Events go in, signed webhooks come out, and nothing that was acknowledged is lost.

Bodies are JSON. Members that are not known are ignored, and one that is `null` counts as absent. A trailing slash in \
a path is nothing, and neither is an empty query parameter. Lists are bare arrays, newest first; the header `Link` \
leads to the next page. Errors have one shape, whatever was asked: a method that a path does not take is 405 with \
`Allow`, a path that is unknown is 404. Where GET is answered without a key, so is HEAD."),
    tags(
        (name = "Hooks", description = "Who gets which events, and where."),
        (name = "Events", description = "What happened: emitting it, and which types there are."),
        (name = "Deliveries", description = "What became of the events: one delivery for each hook that an event matched."),
        (name = "Administration", description = "Accounts and API keys, for `admin` keys."),
        (name = "Server", description = "Health, metrics and documentation. None of these needs a key."),
    ),
    paths(
        hooks::subscribe, hooks::unsubscribe, hooks::list, hooks::get, hooks::delete, hooks::pause, hooks::resume,
        hooks::handling::sample, hooks::handling::test, hooks::handling::rotate_secret, hooks::headers::set_headers,
        hooks::client_certificate::get_client_certificate, hooks::client_certificate::set_client_certificate,
        hooks::client_certificate::delete_client_certificate, hooks::delivery::set_delivery, hooks::filter::set_filter, hooks::handling::replay,
        hooks::stats::stats, hooks::stats::account_stats,
        deliveries::list, deliveries::of_hook, deliveries::get, deliveries::retry,
        deliveries::expunge, events::expunge, events::emit, events::list, events::get, events::replay, events::types,
        accounts::create, accounts::list, accounts::set_retention, keys::create, keys::list, keys::delete, backup::backup,
        health::live, health::ready, metrics::show, health::page, serve, serve_page,
    ),
    components(schemas(Receipt, Scope, error::Shape<'static>)),
)]
struct Annotations;

/// This description of the API.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Server", operation_id = "get_document", security(()),
    responses((status = 200, description = "The document, in OpenAPI 3.1.", body = Object)),
)]
pub async fn serve(request: HttpRequest) -> HttpResponse {
    let mount = mount(&request, PATH);
    if mount.is_empty() {
        return answer::json(StatusCode::OK, &*DOCUMENT);
    }
    let mut document = DOCUMENT.clone();
    document["servers"] = json!([{ "url": mount }]);
    answer::json(StatusCode::OK, &document)
}

/// The API's documentation, as a page.
#[utoipa::path(
    get, path = "/docs", tag = "Server", operation_id = "get_docs", security(()),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub async fn serve_page(request: HttpRequest) -> HttpResponse {
    let path = [mount(&request, PAGE), PATH].concat();
    let page = docs::page(&DOCUMENT, &path);
    HttpResponse::Ok().content_type(ContentType::html()).body(page.into_string())
}

/// Where the routes are mounted, as the request for the one at `path` tells.
fn mount<'a>(request: &'a HttpRequest, path: &str) -> &'a str {
    request.path().strip_suffix(path).unwrap_or_default()
}

/// Whether the document has this path with exactly these methods; HEAD goes without saying.
pub fn describes(path: &str, allow: &str) -> bool {
    let allowed = allow.split(", ").filter(|method| *method != "HEAD");
    let mut allowed: Vec<String> = allowed.map(str::to_ascii_lowercase).collect();
    allowed.sort();
    let described = DOCUMENT["paths"][path].as_object();
    described.is_some_and(|operations| operations.keys().eq(&allowed))
}

fn build() -> Value {
    let mut document = serde_json::to_value(Annotations::openapi()).expect("a document has string keys");
    let components: Map<String, Value> =
        serde_json::from_str(include_str!("openapi/components.json")).expect("it is a JSON object");
    for (section, parts) in components {
        let Value::Object(parts) = parts else { continue };
        match &mut document["components"][section] {
            Value::Object(section) => section.extend(parts),
            absent => *absent = Value::Object(parts),
        }
    }
    let schemas = document["components"]["schemas"].clone();
    members(&mut document["components"]["schemas"]).for_each(|schema| *schema = flat(schema, &schemas));
    for operation in members(&mut document["paths"]).flat_map(members) {
        with_next_page(operation);
        with_optional_body(operation, &schemas);
        with_request_ids(&mut operation["responses"]);
    }
    with_request_ids(&mut document["components"]["responses"]);
    document
}

/// What can be asked for by pages says where the next one is.
fn with_next_page(operation: &mut Value) {
    let parameters = operation["parameters"].as_array();
    if parameters.is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == "cursor")) {
        operation["responses"]["200"]["headers"]["link"] = json!({ "$ref": "#/components/headers/NextPage" });
    }
}

/// A body that has to hold something has to be there.
fn with_optional_body(operation: &mut Value, schemas: &Value) {
    let Some(body) = operation.get_mut("requestBody") else { return };
    let schema = named(&body["content"]["application/json"]["schema"], schemas);
    body["required"] = schema.get("oneOf").or(schema.get("required")).is_some().into();
}

/// A shape that holds others, as the one object that it is on the wire.
fn flat(schema: &Value, schemas: &Value) -> Value {
    let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        let part = flat(named(part, schemas), schemas);
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
    }
    let description = &schema["description"];
    json!({ "type": "object", "description": description, "properties": properties, "required": required })
}

/// The schema that a reference leads to; others are themselves.
fn named<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next());
    target.and_then(|name| schemas.get(name)).unwrap_or(schema)
}

/// Every answer has an id.
fn with_request_ids(responses: &mut Value) {
    for response in members(responses).filter(|response| response.get("$ref").is_none()) {
        response["headers"]["x-request-id"] = json!({ "$ref": "#/components/headers/RequestId" });
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(Map::values_mut)
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_and_read_body_json, init_service};
    use actix_web::{App, web};

    use super::*;

    #[test]
    fn a_body_is_described_with_the_members_that_are_read() {
        let bodies: [(&str, &[&str]); 13] = [
            ("CreateAccount", &accounts::MEMBERS),
            ("SetRetention", &accounts::REPLACEMENT),
            ("CreateKey", &keys::MEMBERS),
            ("Emit", &events::MEMBERS),
            ("Subscribe", &hooks::WISH),
            ("Unsubscribe", &hooks::NAMING),
            ("RotateSecret", &hooks::handling::ROTATION),
            ("SetHeaders", &hooks::headers::REPLACEMENT),
            ("SetClientCertificate", &hooks::client_certificate::REPLACEMENT),
            ("SetDelivery", &hooks::delivery::REPLACEMENT),
            ("SetFilter", &hooks::filter::REPLACEMENT),
            ("ReplayHook", &hooks::handling::REPLAY),
            ("ReplayEvent", &events::REPLAYING),
        ];
        for (name, read) in bodies {
            let described = DOCUMENT["components"]["schemas"][name]["properties"].as_object().unwrap();
            let mut read = read.to_vec();
            read.sort_unstable();
            assert_eq!(described.keys().collect::<Vec<_>>(), read, "{name}");
        }
    }

    #[test]
    fn a_route_is_described_with_all_its_methods_or_not_at_all() {
        assert!(describes("/api/v1/hooks/{id}", "GET, DELETE"));
        assert!(describes("/health/live", "GET, HEAD"));
        assert!(!describes("/api/v1/hooks/{id}", "GET"));
        assert!(!describes("/health/live", "GET, POST, HEAD"));
        assert!(!describes("/api/v1/nothing", "GET"));
    }

    #[actix_web::test]
    async fn where_the_routes_are_mounted_is_the_server() {
        let servers = async |mount: &'static str| -> Value {
            let scope = web::scope(mount).route(PATH, web::get().to(serve));
            let app = init_service(App::new().service(scope)).await;
            let request = TestRequest::get().uri(&format!("{mount}{PATH}")).to_request();
            let document: Value = call_and_read_body_json(&app, request).await;
            document["servers"].clone()
        };
        assert_eq!(servers("").await, Value::Null);
        assert_eq!(servers("/webhooks").await, json!([{ "url": "/webhooks" }]));
    }

    #[test]
    fn names_in_the_document_lead_somewhere() {
        fn check(value: &Value) {
            if let Some(target) = value["$ref"].as_str() {
                assert!(DOCUMENT.pointer(&target[1..]).is_some(), "{target}");
            }
            items(value).for_each(check);
        }
        fn items(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
            match value {
                Value::Object(members) => Box::new(members.values()),
                Value::Array(items) => Box::new(items.iter()),
                _ => Box::new(std::iter::empty()),
            }
        }
        check(&DOCUMENT);
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let paths = DOCUMENT["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let mut names: Vec<&str> = operations.map(|about| about["operationId"].as_str().unwrap()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
