//! The page at `/docs`: the document for people to read. It is made here, runs no script and fetches nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};

const STYLE: &str = include_str!("docs.css");

/// One way of calling one path.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    about: &'a Value,
}

/// The page of a document that is found at `path`.
pub fn page(document: &Value, path: &str) -> Markup {
    let tags = items(&document["tags"]);
    let schemas = members(&document["components"]["schemas"]);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "hookyard: the API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                nav { (contents(document)) }
                main {
                    h1 { "hookyard " small { "API " (text(&document["info"]["version"])) } }
                    (prose(text(&document["info"]["description"])))
                    p { "For programs: " a href=(path) { "openapi.json" } }
                    h2 { "The key" }
                    (prose(text(&document["components"]["securitySchemes"]["key"]["description"])))
                    @for tag in tags {
                        h2 { (text(&tag["name"])) }
                        (prose(text(&tag["description"])))
                        @for operation in operations(document, tag) { (operation.show(document)) }
                    }
                    h2 { "Shapes" }
                    p { "Members with a star are always there, or have to be." }
                    @for (name, schema) in schemas { (shape(name, schema)) }
                }
            }
        }
    }
}

fn contents(document: &Value) -> Markup {
    html! {
        @for tag in items(&document["tags"]) {
            strong { (text(&tag["name"])) }
            ul {
                @for operation in operations(document, tag) {
                    li { a href={ "#" (operation.id()) } { (text(&operation.about["summary"]).trim_end_matches('.')) } }
                }
            }
        }
        strong { "Shapes" }
        ul {
            @for (name, _) in members(&document["components"]["schemas"]) {
                li { a href={ "#" (name) } { (name) } }
            }
        }
    }
}

fn operations<'a>(document: &'a Value, tag: &Value) -> Vec<Operation<'a>> {
    let paths = members(&document["paths"]);
    let all = paths.flat_map(|(path, methods)| {
        members(methods).map(move |(method, about)| Operation { method, path, about })
    });
    all.filter(|operation| operation.about["tags"][0] == tag["name"]).collect()
}

impl Operation<'_> {
    fn id(&self) -> &str {
        text(&self.about["operationId"])
    }

    fn show(&self, document: &Value) -> Markup {
        let body = &self.about["requestBody"]["content"]["application/json"]["schema"];
        html! {
            article id=(self.id()) {
                h3 { span class={ "method " (self.method) } { (self.method.to_uppercase()) } code { (self.path) } }
                p { (inline(text(&self.about["summary"]))) (self.scopes()) }
                (prose(text(&self.about["description"])))
                @if let Some(parameters) = self.about["parameters"].as_array() {
                    h4 { "Parameters" }
                    table { @for parameter in parameters { (parameter_row(parameter)) } }
                }
                @if !body.is_null() {
                    h4 { "Body" }
                    p { (kind(body)) @if self.about["requestBody"]["required"] != true { ", or none" } }
                }
                h4 { "Answers" }
                table {
                    @for (status, answer) in members(&self.about["responses"]) {
                        (answer_row(status, resolved(document, answer)))
                    }
                }
            }
        }
    }

    fn scopes(&self) -> Markup {
        let keys = items(&self.about["security"]);
        let scopes: Vec<&str> = keys.flat_map(|key| items(&key["key"])).map(text).collect();
        html! {
            @if scopes.is_empty() { " " em { "No key is needed." } }
            @else { " " em { "Needs a key with the scope " code { (scopes.join(" or ")) } "." } }
        }
    }
}

fn parameter_row(parameter: &Value) -> Markup {
    html! {
        tr {
            td { code { (text(&parameter["name"])) } }
            td { (inline(text(&parameter["description"]))) " " span.type {
                "In the " (text(&parameter["in"])) ": " (kind(&parameter["schema"]))
            } }
        }
    }
}

fn answer_row(status: &str, answer: &Value) -> Markup {
    html! {
        tr {
            td { code { (status) } }
            td { (inline(text(&answer["description"]))) " " span.type {
                @for (media_type, content) in members(&answer["content"]) {
                    @if media_type == "application/json" { (kind(&content["schema"])) } @else { code { (media_type) } }
                }
            } }
        }
    }
}

fn shape(name: &str, schema: &Value) -> Markup {
    let required: Vec<&str> = items(&schema["required"]).map(text).collect();
    html! {
        article id=(name) {
            h3 { code { (name) } }
            (prose(text(&schema["description"])))
            @if schema.get("properties").is_none() { p.type { (kind(schema)) } }
            table {
                @for (member, about) in members(&schema["properties"]) {
                    tr {
                        td { code { (member) } @if required.contains(&member) { " *" } }
                        td { (inline(text(&about["description"]))) " " span.type { (kind(about)) } }
                    }
                }
            }
            @if let Some(example) = schema.get("example") { pre { (example) } }
        }
    }
}

/// What a schema allows, in a few words.
fn kind(schema: &Value) -> Markup {
    let choices = items(&schema["oneOf"]).chain(items(&schema["anyOf"]));
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        name => name.as_str().into_iter().collect(),
    };
    let named = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next());
    let parts = members(&schema["properties"]).map(|(name, _)| name);
    html! {
        @if let Some(name) = named { a href={ "#" (name) } { (name) } }
        (alternatives(types.iter().map(|name| html! { (name) @if *name == "array" { " of " (kind(&schema["items"])) } })))
        (alternatives(choices.map(kind)))
        @for (at, part) in parts.enumerate() { @if at == 0 { ": " } @else { ", " } code { (part) } }
        @if schema.get("enum").is_some() { ": " }
        (alternatives(items(&schema["enum"]).map(|value| html! { code { (value) } })))
        @if let Some(format) = schema["format"].as_str() { ", " (format) }
        @if schema["maxLength"] == 0 { ", empty" }
        @if let Some(pattern) = schema["pattern"].as_str() { ", " code { (pattern) } }
    }
}

fn alternatives(choices: impl Iterator<Item = Markup>) -> Markup {
    html! { @for (at, choice) in choices.enumerate() { @if at > 0 { " or " } (choice) } }
}

/// What an answer is, be it described in place or among the components.
fn resolved<'a>(document: &'a Value, answer: &'a Value) -> &'a Value {
    let pointer = answer["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(answer)
}

fn prose(text: &str) -> Markup {
    html! { @for paragraph in text.split("\n\n").filter(|text| !text.is_empty()) { p { (inline(paragraph)) } } }
}

/// Text in which back-ticks mark code.
fn inline(text: &str) -> Markup {
    html! { @for (at, piece) in text.split('`').enumerate() { @if at % 2 == 0 { (piece) } @else { code { (piece) } } } }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}
