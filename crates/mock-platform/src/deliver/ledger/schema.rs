use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{
    AttemptEntry, CallEntry, FaultEntry, MessageEntry, ObserveEntry, OutcomeEntry, OverEntry, PlanEntry,
    RunEntry, SCHEMA, SummaryEntry,
};

/// The JSON Schema (2020-12) of one line of a ledger.
///
/// Additive by design: lines of other kinds, and other keys, are valid.
///
/// # Examples
/// ```
/// let schema = piopiy_mock_platform::deliver::ledger::schema();
/// assert_eq!(schema["title"], "piopiy-mock.ledger/v1");
/// ```
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = [
        case::<RunEntry>(&mut generator, "run"),
        case::<PlanEntry>(&mut generator, "plan"),
        case::<AttemptEntry>(&mut generator, "attempt"),
        case::<FaultEntry>(&mut generator, "fault"),
        case::<OutcomeEntry>(&mut generator, "outcome"),
        case::<ObserveEntry>(&mut generator, "observe"),
        case::<CallEntry>(&mut generator, "call"),
        case::<MessageEntry>(&mut generator, "message"),
        case::<OverEntry>(&mut generator, "over"),
        case::<SummaryEntry>(&mut generator, "summary"),
    ];
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": "One line of a ledger: what was planned, sent, answered and observed.",
        "type": "object",
        "required": ["seq", "t_ns", "kind"],
        "properties": {
            "seq": { "type": "integer", "minimum": 0, "description": "Which line, from 0." },
            "t_ns": {
                "type": "integer",
                "minimum": 0,
                "description": "Monotonic nanoseconds from the opening of the ledger.",
            },
            "kind": { "type": "string", "description": "What the line tells; unknown kinds are passed over." },
        },
        "allOf": kinds,
        "$defs": generator.take_definitions(true),
    });
    leave_out_examples(&mut schema);
    schema
}

/// Descriptions come from the documentation of the types; its Rust examples are no help to who reads a schema.
pub(crate) fn leave_out_examples(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description")
                && let Some(end) = text.find("\n\n# ")
            {
                text.truncate(end);
            }
            members.values_mut().for_each(leave_out_examples);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_examples),
        _ => {}
    }
}

fn case<T: JsonSchema>(generator: &mut SchemaGenerator, kind: &str) -> Value {
    json!({
        "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
        "then": generator.subschema_for::<T>(),
    })
}
