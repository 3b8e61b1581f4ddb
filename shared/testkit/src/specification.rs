//! Answers held against the specification, as a stranger would who has nothing but `/openapi.json`.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Value, json};
use standin::http::Reply;

/// A document of OpenAPI 3.1, and which of the answers it describes have been seen.
pub struct Specification {
    document: Value,
    seen: Mutex<BTreeSet<String>>,
}

impl Specification {
    /// Reads it from the answer of `/openapi.json`.
    pub fn of(reply: &Reply) -> Self {
        assert_eq!((reply.code, reply.header("content-type")), (200, Some("application/json")));
        let document = reply.json();
        assert_eq!(document["openapi"], "3.1.0");
        Self { document, seen: Mutex::default() }
    }

    /// Every operation: its method in capitals, and its address with the names of parameters in it.
    pub fn operations(&self) -> Vec<(String, String)> {
        let paths = self.document["paths"].as_object().unwrap();
        let each = |(path, item): (&String, &Value)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "servers");
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(each).collect()
    }

    /// Whether the document describes that answer of that operation.
    pub fn has(&self, method: &str, path: &str, code: u16) -> bool {
        self.operation(method, path)["responses"].get(code.to_string()).is_some()
    }

    /// An answer of that operation is as the document says: its status, its content type and its every member.
    #[track_caller]
    pub fn check(&self, method: &str, path: &str, reply: &Reply) {
        let name = format!("{method} {path} {}", reply.code);
        let answers = &self.operation(method, path)["responses"];
        let answer = answers.get(reply.code.to_string());
        let answer = self.follow(answer.unwrap_or_else(|| panic!("{name} is not described: {}", reply.json())));
        for (header, it) in answer["headers"].as_object().into_iter().flatten() {
            let there = reply.header(header);
            assert!(there.is_some() || header == "retry-after", "{name}: no {header}, which is {it}");
        }
        self.seen.lock().unwrap().insert(name.clone());
        let Some(contents) = answer["content"].as_object() else {
            assert!(reply.body.is_empty(), "{name}: a body where none is described");
            return;
        };
        let essence = reply.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let content = contents.get(essence).unwrap_or_else(|| panic!("{name}: {essence:?} is not described"));
        let Some(schema) = content.get("schema") else { return };
        let errors = self.errors(schema, &reply.json());
        assert!(errors.is_empty(), "{name}: {errors:#?} in {:#}", reply.json());
    }

    /// What is described and was never seen: `GET /v1/events 503`.
    pub fn unseen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let all = self.operations().into_iter().flat_map(|(method, path)| {
            let codes: Vec<_> = self.operation(&method, &path)["responses"].as_object().unwrap().keys().collect();
            codes.into_iter().map(|code| format!("{method} {path} {code}")).collect::<Vec<_>>()
        });
        all.filter(|name| !seen.contains(name)).collect()
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let operation = self.document["paths"].get(path).and_then(|item| item.get(method.to_lowercase()));
        operation.unwrap_or_else(|| panic!("{method} {path} is not described"))
    }

    fn follow<'d>(&'d self, entry: &'d Value) -> &'d Value {
        match entry["$ref"].as_str() {
            Some(place) => self.document.pointer(place.trim_start_matches('#')).expect("a reference to nowhere"),
            None => entry,
        }
    }

    fn errors(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let mut components = self.document["components"].clone();
        for schema in components["schemas"].as_object_mut().unwrap().values_mut() {
            close_members(schema);
        }
        let whole = json!({ "components": components, "allOf": [closed(schema.clone())] });
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        let validator = options.build(&whole).expect("a schema");
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// Where a value is described by another schema, it may hold nothing that this one does not describe: a client would
/// never hear of it.
fn closed(mut schema: Value) -> Value {
    close_members(&mut schema);
    let composed = ["$ref", "allOf", "oneOf", "anyOf", "properties"].iter().any(|word| schema.get(word).is_some());
    if composed && schema.get("additionalProperties").is_none() {
        schema["unevaluatedProperties"] = json!(false);
    }
    schema
}

fn close_members(schema: &mut Value) {
    for member in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(|it| it.values_mut())
    {
        *member = closed(member.take());
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(word).filter(|inner| inner.is_object()) {
            *inner = closed(inner.take());
        }
    }
    for word in ["allOf", "oneOf", "anyOf"] {
        for part in schema.get_mut(word).and_then(Value::as_array_mut).into_iter().flatten() {
            close_members(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn specification() -> Specification {
        let document = json!({
            "openapi": "3.1.0",
            "paths": { "/it": { "get": { "responses": {
                "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Whole" } } } },
                "204": {},
                "404": { "$ref": "#/components/responses/None" },
            } } } },
            "components": {
                "responses": { "None": { "content": { "application/problem+json": { "schema": { "type": "object" } } } } },
                "schemas": {
                    "Part": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } },
                    "Whole": { "allOf": [
                        { "$ref": "#/components/schemas/Part" },
                        { "type": "object", "required": ["at"], "properties": {
                            "at": { "type": ["string", "null"], "format": "date-time" },
                            "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Part" } },
                            "any": {},
                        } },
                    ] },
                },
            },
        });
        Specification::of(&reply(200, "application/json", &document.to_string()))
    }

    fn reply(code: u16, kind: &str, body: &str) -> Reply {
        let headers = [("content-type".parse().unwrap(), kind.parse().unwrap())].into_iter().collect();
        Reply { code, headers, body: Bytes::from(body.to_owned()) }
    }

    #[test]
    fn every_way_not_to_keep_to_it_is_found() {
        let keeps = |code, kind: &str, body: &str| {
            let (reply, it) = (reply(code, kind, body), specification());
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| it.check("GET", "/it", &reply))).is_ok()
        };
        let json = "application/json";
        assert!(keeps(200, json, r#"{"n":1,"at":null}"#));
        assert!(keeps(200, json, r#"{"n":1,"at":"2026-03-02T10:00:00Z","parts":[{"n":2}],"any":{"x":[1]}}"#));
        assert!(keeps(204, json, "") && keeps(404, "application/problem+json", "{}"));
        for (code, kind, body) in [
            (201, json, r#"{"n":1,"at":null}"#),
            (200, "text/html", r#"{"n":1,"at":null}"#),
            (200, json, r#"{"at":null}"#),
            (200, json, r#"{"n":1}"#),
            (200, json, r#"{"n":1.5,"at":null}"#),
            (200, json, r#"{"n":1,"at":"yesterday"}"#),
            (200, json, r#"{"n":1,"at":null,"more":1}"#),
            (200, json, r#"{"n":1,"at":null,"parts":[{"n":2,"more":1}]}"#),
            (200, json, "no JSON"),
            (204, json, "something"),
            (404, json, "{}"),
        ] {
            assert!(!keeps(code, kind, body), "{code} {kind} {body}");
        }
    }

    #[test]
    fn what_was_not_seen_is_known() {
        let it = specification();
        assert_eq!(it.operations(), [("GET".to_owned(), "/it".to_owned())]);
        it.check("GET", "/it", &reply(204, "application/json", ""));
        assert_eq!(it.unseen(), ["GET /it 200", "GET /it 404"]);
        assert!(it.has("GET", "/it", 404) && !it.has("GET", "/it", 500));
    }
}
