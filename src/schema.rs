//! Schemas: what the data of events has to look like, in JSON Schema.

use std::fmt;

use jsonschema::Validator;
use serde_json::Value;

/// A JSON Schema, made ready. References to others are not followed.
pub struct Schema(Validator);

/// The value is no JSON Schema; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Schema: {0}")]
pub struct NotASchema(String);

/// Data that does not match its schema. Says no value of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mismatch {
    /// Where the first fault is, as a JSON Pointer (RFC 6901); empty for all of it.
    pub path: String,
    pub why: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.why),
            path => write!(f, "{path}: {}", self.why),
        }
    }
}

impl Schema {
    /// Reads a schema, of the draft that it names.
    ///
    /// # Errors
    /// When it is none, or refers to another document.
    pub fn new(schema: &Value) -> Result<Self, NotASchema> {
        let validator = jsonschema::validator_for(schema);
        validator.map(Self).map_err(|error| NotASchema(error.masked().to_string()))
    }

    /// Nothing, if this is data that matches.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self, data: &Value) -> Result<(), Mismatch> {
        self.0.validate(data).map_err(|error| {
            let why = error.masked_with("it").to_string();
            Mismatch { path: error.instance_path().to_string(), why }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_fault_is_told_with_its_place_and_without_its_value() {
        let schema = json!({"type": "object", "properties": {"lead": {"type": "object", "required": ["email"], "properties": {"age": {"type": "integer"}}}}});
        let schema = Schema::new(&schema).unwrap();
        assert_eq!(schema.check(&json!({"lead": {"email": "a@b.c"}})), Ok(()));
        let fault = schema.check(&json!({"lead": {"email": "a@b.c", "age": "marker"}})).unwrap_err();
        assert_eq!(fault.path, "/lead/age");
        assert!(fault.why.contains("integer") && !fault.why.contains("marker"), "{fault}");
        assert_eq!(schema.check(&json!({"lead": {}})).unwrap_err().path, "/lead");
        assert_eq!(schema.check(&json!(5)).unwrap_err().path, "");
    }

    #[test]
    fn what_is_no_schema_is_refused_and_nothing_is_fetched() {
        assert!(Schema::new(&json!({"type": "nothing"})).is_err());
        assert!(Schema::new(&json!({"$ref": "http://127.0.0.1:9/schema.json"})).is_err());
        assert!(Schema::new(&json!({"$ref": "file:///etc/hostname"})).is_err());
    }
}
