//! The API's own description, and answers held against it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::api::{Api, JSON, Reply, text};

/// The document as a server serves it, and which of its answers were seen.
pub struct Document {
    whole: Value,
    /// The components, with every object closed: a member that is not described is a mistake.
    closed: Value,
    seen: RefCell<BTreeSet<(String, u16)>>,
}

/// A method of a path.
pub struct Operation<'a> {
    pub method: String,
    pub path: &'a str,
    pub about: &'a Value,
}

impl Document {
    /// Reads the document of the server that `api` talks to.
    pub fn of(api: &Api) -> Self {
        let whole: Value = api.get("/openapi.json").expect(200);
        let mut closed = whole["components"].clone();
        close(&mut closed["schemas"]);
        Self { whole, closed, seen: RefCell::default() }
    }

    pub fn paths(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        let paths = self.whole["paths"].as_object().expect("a document has paths");
        paths.iter().map(|(path, methods)| (path.as_str(), methods.as_object().expect("a path has methods")))
    }

    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.paths().flat_map(|(path, methods)| {
            let operation =
                move |(method, about): (&String, _)| Operation { method: method.to_uppercase(), path, about };
            methods.iter().map(operation)
        })
    }

    /// Sends a request and asserts that its answer is one that the document has.
    #[track_caller]
    pub fn send(&self, api: &Api, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let (headers, bytes) = match body {
            Some(body) => (JSON, Some(body.to_string().into_bytes())),
            None if method == "POST" => (&[][..], Some(Vec::new())),
            None => (&[][..], None),
        };
        let reply = api.send(method, path, headers, bytes.as_deref());
        self.hold(method, path, &reply);
        reply
    }

    /// Asserts that an answer is one that the document has for this request.
    #[track_caller]
    pub fn hold(&self, method: &str, path: &str, reply: &Reply) {
        let operation = self.operation(method, path);
        let what = format!("{method} {path}: {}", reply.describe());
        let answer = &operation.about["responses"][reply.status.to_string()];
        assert!(!answer.is_null(), "this status is not described: {what}");
        let answer = self.resolve(answer);
        for name in answer["headers"].as_object().into_iter().flat_map(Map::keys) {
            // The last page has no next one.
            assert!(name == "link" || reply.header(name).is_some(), "without {name}: {what}");
        }
        let media_type = reply.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default();
        let content = &answer["content"][media_type];
        assert!(!content.is_null(), "{media_type} is not described: {what}");
        if media_type == "application/json" {
            let body: Value = reply.expect(reply.status);
            let errors: Vec<String> = self
                .validator(&content["schema"])
                .iter_errors(&body)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?}: {what}");
        }
        if reply.status >= 400 {
            let code = format!("`{}`", reply.refused(reply.status).code);
            assert!(text(answer, "description").contains(&code), "this code is not described: {what}");
        }
        self.seen.borrow_mut().insert((operation.id().to_owned(), reply.status));
    }

    /// The described answers that were not seen: an operation's name and a status.
    pub fn unseen(&self) -> BTreeSet<(String, u16)> {
        let all = self.operations().flat_map(|operation| {
            let id = operation.id().to_owned();
            operation.statuses().into_iter().map(move |status| (id.clone(), status))
        });
        let seen = self.seen.borrow();
        all.filter(|answer| !seen.contains(answer)).collect()
    }

    /// The example of the body that an operation takes.
    pub fn example(&self, operation: &Operation<'_>) -> Option<Value> {
        let body = &operation.about["requestBody"]["content"]["application/json"]["schema"];
        let schema = self.resolve(body);
        let schema = schema["oneOf"].get(0).map_or(schema, |first| self.resolve(first));
        schema.get("example").cloned()
    }

    /// The operation of a request: the path that is spelled so, or else the one whose pieces fit.
    fn operation(&self, method: &str, path: &str) -> Operation<'_> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |template: &str| {
            let (pieces, templates) = (path.split('/'), template.split('/'));
            pieces.clone().count() == templates.clone().count()
                && pieces
                    .zip(templates)
                    .all(|(piece, template)| template.starts_with('{') || piece == template)
        };
        let mut found: Vec<_> = self
            .operations()
            .filter(|operation| operation.method == method && fits(operation.path))
            .collect();
        found.sort_by_key(|operation| operation.path != path);
        found.into_iter().next().unwrap_or_else(|| panic!("{method} {path} is not described"))
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(target) => {
                self.whole.pointer(&target[1..]).unwrap_or_else(|| panic!("{target} leads nowhere"))
            }
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        schema["components"] = self.closed.clone();
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{error} in {schema}"))
    }
}

impl Operation<'_> {
    pub fn id(&self) -> &str {
        text(self.about, "operationId")
    }

    pub fn statuses(&self) -> Vec<u16> {
        let responses = self.about["responses"].as_object().expect("an operation has responses");
        responses.keys().map(|status| status.parse().expect("a status is a number")).collect()
    }

    /// The scopes of which a key needs one; none where no key is needed.
    pub fn scopes(&self) -> Vec<&str> {
        let keys = self.about["security"].as_array().expect("an operation says who may use it");
        keys.iter().filter_map(|key| key["key"][0].as_str()).collect()
    }

    pub fn takes_body(&self) -> bool {
        self.about.get("requestBody").is_some()
    }

    pub fn has_parameter(&self, name: &str) -> bool {
        let parameters = self.about["parameters"].as_array();
        parameters.is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == name))
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") {
                members.insert("unevaluatedProperties".into(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
