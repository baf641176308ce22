//! The description of the operator's API in OpenAPI 3.1. Every route that is registered is in it, and nothing else.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::api::answer;

/// The path of the description.
pub const PATH: &str = "/api/v1/openapi.json";

/// What any operation may be refused with, and the schema of the refusal.
const REFUSALS: [(&str, &str); 11] = [
    ("400", "HttpErrorOut"),
    ("401", "HttpErrorOut"),
    ("403", "HttpErrorOut"),
    ("404", "HttpErrorOut"),
    ("408", "HttpErrorOut"),
    ("409", "HttpErrorOut"),
    ("413", "HttpErrorOut"),
    ("415", "HttpErrorOut"),
    ("422", "HTTPValidationError"),
    ("429", "HttpErrorOut"),
    ("503", "HttpErrorOut"),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);

/// Serves the description.
pub async fn serve() -> HttpResponse {
    answer::json(StatusCode::OK, &*DOCUMENT)
}

/// Whether the description has this path with exactly these methods; HEAD goes without saying.
pub fn describes(path: &str, allow: &str) -> bool {
    let mut allowed: Vec<String> =
        allow.split(", ").filter(|method| *method != "HEAD").map(str::to_ascii_lowercase).collect();
    allowed.sort_unstable();
    let described = DOCUMENT["paths"][path].as_object();
    described.is_some_and(|operations| operations.keys().eq(&allowed))
}

/// The description, with the refusals that all operations share.
fn build() -> Value {
    let mut document: Value = serde_json::from_str(include_str!("openapi.json")).expect("it is JSON");
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        for (status, schema) in REFUSALS {
            let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
            operation["responses"][status] =
                json!({ "description": "Refused.", "content": { "application/json": { "schema": schema } } });
        }
    }
    document
}
