use serde_json::{Map, Value, json};

use crate::pcmo::Action;
use crate::stream::{CommandKind, StreamAudio, StreamCommand};
use crate::{Field, OpenObject, Shape};

/// The schema of an open object: each documented field with its documented types, none required.
///
/// # Examples
/// ```
/// use piopiy_events::{answer::DtmfRequest, schema};
/// let schema = schema::object::<DtmfRequest>();
/// assert_eq!(schema["properties"]["dtmf"]["type"], "string");
/// assert_eq!(schema["additionalProperties"], true);
/// ```
#[must_use]
pub fn object<T: OpenObject>() -> Value {
    fields(T::FIELDS)
}

/// The schema of a call-flow action: one of those documented, by its `action`, or any other object that has one.
#[must_use]
pub fn action() -> Value {
    let documented = Action::DOCUMENTED.iter().map(|action| {
        json!({
            "if": { "properties": { "action": { "const": action.name } }, "required": ["action"] },
            "then": fields(action.fields),
        })
    });
    let names: Vec<_> = Action::DOCUMENTED.iter().map(|action| action.name).collect();
    json!({
        "type": "object",
        "properties": { "action": { "type": "string", "examples": names } },
        "required": ["action"],
        "allOf": documented.collect::<Vec<_>>(),
        "additionalProperties": true,
    })
}

/// The schema of a call flow.
#[must_use]
pub fn pcmo() -> Value {
    shaped(Shape::List(&Shape::Action))
}

/// The schema of a text frame from the application to the platform over a stream's WebSocket.
#[must_use]
pub fn stream_message() -> Value {
    let mut audio = fields(StreamAudio::FIELDS);
    audio["properties"]["type"]["const"] = "streamAudio".into();
    audio["required"] = json!(["type"]);
    let mut command = fields(StreamCommand::FIELDS);
    let commands: Vec<_> = CommandKind::ALL.iter().map(|kind| kind.as_str()).collect();
    command["properties"]["action"]["enum"] = json!(commands);
    command["required"] = json!(["action"]);
    json!({ "anyOf": [audio, command, pcmo()] })
}

fn fields(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = shaped(field.shape);
            schema["description"] = field.doc.trim().into();
            (field.key.to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": true })
}

fn shaped(shape: Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text => json!({"type": "string"}),
        Shape::Integer => json!({"type": "integer"}),
        Shape::Decimal => json!({"type": ["number", "string"]}),
        Shape::Digits => json!({"type": ["integer", "string"]}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Map => json!({"type": "object", "additionalProperties": true}),
        Shape::Object(nested) => fields(nested),
        Shape::List(item) => json!({"type": "array", "items": shaped(*item)}),
        Shape::Action => action(),
        Shape::OneOrMany(nested) => {
            json!({"anyOf": [fields(nested), {"type": "array", "items": fields(nested)}]})
        }
    }
}
