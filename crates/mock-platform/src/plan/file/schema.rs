use piopiy_events::Profile;
use serde_json::{Value, json};

use super::SCHEMA;

/// The JSON Schema of a line of a plan file: the header, or the record of a webhook. Open: a later version may add
/// members.
#[must_use]
pub fn schema() -> Value {
    let count = |description: &str| json!({"type": "integer", "minimum": 0, "description": description});
    let key =
        |description: &str| json!({"type": "string", "pattern": "^0x[0-9a-f]+$", "description": description});
    let text = |description: &str| json!({"type": "string", "description": description});
    let profiles = Profile::ALL.map(Profile::as_str);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a plan file",
        "description": "JSON Lines: the header, then one record for each webhook. The records of a call follow each other.",
        "anyOf": [{"$ref": "#/$defs/header"}, {"$ref": "#/$defs/webhook"}],
        "$defs": {
            "header": {
                "type": "object",
                "description": "The first line: what the plan was made from.",
                "required": [
                    "schema", "generator", "seed", "nonce", "profile", "scenario", "scenario_text", "epoch_ms",
                    "documented_only", "first_call",
                ],
                "properties": {
                    "schema": {"const": SCHEMA},
                    "generator": text("The version of the generator."),
                    "seed": key("What all but the ids follows from."),
                    "nonce": key("What the ids follow from, together with the seed."),
                    "profile": {"enum": profiles, "description": "The revision of the wire."},
                    "scenario": text("The name of the scenario."),
                    "scenario_text": text("Its text (TOML); empty for what is built in."),
                    "epoch_ms": count("When the run starts, in the payloads: milliseconds since 1970."),
                    "documented_only": {"type": "boolean", "description": "Whether guesses were left out."},
                    "first_call": count("The index of the first call."),
                    "calls": count("How many calls from there on; absent where there is no end."),
                    "shard": {
                        "type": "array", "prefixItems": [count("Which part, from 0."), count("Of how many.")],
                        "minItems": 2, "maxItems": 2,
                        "description": "Which part of the calls; absent for all.",
                    },
                },
            },
            "webhook": {
                "type": "object",
                "description": "One webhook.",
                "required": ["call", "seq", "at_ms", "name", "evidence", "story"],
                "properties": {
                    "call": count("Which call of the run, from 0."),
                    "seq": count("Which webhook of its call, from 0."),
                    "at_ms": count("When its first attempt is due: virtual milliseconds from the start of the run."),
                    "name": text("live.<status> in lower case, or cdr.<direction of the call>.<outcome>."),
                    "kind": {"enum": ["event", "cdr"], "description": "Absent where the body is no webhook."},
                    "evidence": {"enum": ["documented", "partial", "guess"], "description": "What supports the payload."},
                    "story": text("What happens in the call, for people."),
                    "body": text("The payload, byte for byte."),
                    "body_hex": {
                        "type": "string", "pattern": "^([0-9a-f]{2})*$",
                        "description": "The payload in hexadecimal, where it is not UTF-8.",
                    },
                },
                "oneOf": [{"required": ["body"]}, {"required": ["body_hex"]}],
            },
        },
    })
}
