use serde_json::{Map, Value, json};

use super::{ACTIONS, ENDPOINTS, Kind, Shape};

/// The JSON Schema of a shape.
pub(in crate::platform::rest) fn schema(shape: Shape) -> Value {
    object_schema(shape, None)
}

fn object_schema(shape: Shape, constant: Option<(&str, &str)>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if let Some((key, value)) = constant {
        properties.insert(key.to_owned(), json!({ "const": value }));
        required.push(key);
    }
    for member in shape {
        properties.insert(member.key.to_owned(), kind_schema(member.kind));
        if member.required {
            required.push(member.key);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn kind_schema(kind: Kind) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Phone => json!({ "type": "string", "pattern": "^[1-9][0-9]{6,15}$" }),
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
        Kind::Text(_, usize::MAX) => json!({ "type": "string" }),
        Kind::Text(least, most) => json!({ "type": "string", "minLength": least, "maxLength": most }),
        Kind::Whole(least, i64::MAX) => json!({ "type": "integer", "minimum": least }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Url => json!({ "type": "string", "pattern": "^https?://" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Object(shape) => object_schema(shape, None),
        Kind::Typed(shape, requires) => {
            let mut schema = object_schema(shape, None);
            let rule = |(name, keys): &(&str, &[&str])| json!({ "if": { "properties": { "type": { "const": name } } }, "then": { "required": keys } });
            schema["allOf"] = requires.iter().map(rule).collect();
            schema
        }
        Kind::Headers => json!({ "type": "object" }),
        Kind::Variables | Kind::Data => {
            let is_data = matches!(kind, Kind::Data);
            let text = if is_data {
                json!({ "type": "string", "maxLength": 256 })
            } else {
                json!({ "type": "string" })
            };
            let mut schema = json!({
                "type": "object",
                "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
                "additionalProperties": { "anyOf": [text, { "type": "number" }, { "type": "boolean" }] },
            });
            if is_data {
                schema["maxProperties"] = 10.into();
            }
            schema
        }
        Kind::Words(words) => {
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": { "enum": words } })
        }
        Kind::Endpoints => {
            let kinds = ENDPOINTS.map(|(name, shape)| object_schema(shape, Some(("type", name))));
            json!({
                "type": "array",
                "minItems": 1,
                "items": { "anyOf": kinds },
                // Behind all others, which a schema cannot say.
                "contains": { "properties": { "type": { "const": "agent" } } },
                "minContains": 0,
                "maxContains": 2,
            })
        }
        Kind::Pipeline(needs_caller) => {
            let kinds = ACTIONS.map(|(name, shapes)| {
                object_schema(shapes[usize::from(needs_caller)], Some(("action", name)))
            });
            json!({ "type": "array", "minItems": 1, "items": { "anyOf": kinds } })
        }
    }
}
