use serde_json::{Map, Value, json};

use super::document;
use crate::{Cdr, Evidence, Form, FormField, FormValue, Kind, LiveEvent, OpenObject, Profile, WsStatus};

/// The schema of one documented form of a webhook.
#[must_use]
pub fn form(form: &Form) -> Value {
    document(&title(form), body(form))
}

/// The schema of a profile's webhooks: any of its forms, each under `$defs`.
#[must_use]
pub fn profile(profile: Profile) -> Value {
    let forms = Form::all(profile);
    let references: Vec<_> =
        forms.iter().map(|form| json!({ "$ref": format!("#/$defs/{}", name(form)) })).collect();
    let definitions: Map<String, Value> = forms
        .iter()
        .map(|form| {
            let mut schema = Map::from_iter([("title".to_owned(), title(form).into())]);
            if let Value::Object(members) = body(form) {
                schema.extend(members);
            }
            (name(form), Value::Object(schema))
        })
        .collect();
    let schema = json!({
        "description": "A webhook of any form that the profile has. Unofficial: not affiliated with TeleCMI.",
        "anyOf": references,
        "$defs": definitions,
    });
    document(&format!("Webhooks of profile {profile}"), schema)
}

/// A name that no other form of the profile has: name, direction of the call, legs.
pub(super) fn name(form: &Form) -> String {
    format!("{}.{}.{}", form.name, form.call, form.legs.concat())
}

fn title(form: &Form) -> String {
    format!("{} of profile {}, {} call, leg {}", form.name, form.profile, form.call, form.legs.join(" or "))
}

/// What supports the form, and where; the source of a guess says that it is one.
pub(super) fn evidence(form: &Form) -> String {
    match form.evidence {
        Evidence::Guess => form.source.to_owned(),
        evidence => format!("{evidence}, {}", form.source),
    }
}

/// The schema without dialect and title.
pub(super) fn body(form: &Form) -> Value {
    let properties: Map<String, Value> =
        form.fields.iter().map(|field| (field.key.to_owned(), property(form, field))).collect();
    let required: Vec<_> = form.fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    json!({
        "description": format!("Evidence: {}", evidence(form)),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": true,
        "x-evidence": form.evidence.as_str(),
        "x-source": form.source,
    })
}

fn property(form: &Form, field: &FormField) -> Value {
    let fields = match form.kind {
        Kind::LiveEvent => LiveEvent::FIELDS,
        Kind::Cdr => Cdr::FIELDS,
    };
    let documented = fields.iter().find(|documented| documented.key == field.key);
    let text = documented.map_or("", |documented| documented.doc.trim());
    let mut schema = value(form, field);
    schema["description"] = text.into();
    schema
}

fn value(form: &Form, field: &FormField) -> Value {
    let pattern =
        |pattern: &str, example: &str| json!({"type": "string", "pattern": pattern, "examples": [example]});
    let whole = |least: i64, most: i64, example: i64| json!({"type": "integer", "minimum": least, "maximum": most, "examples": [example]});
    match field.value {
        FormValue::Status => json!({"type": "string", "const": form.status}),
        FormValue::Direction => json!({"type": "string", "const": form.direction}),
        FormValue::Leg => json!({"type": "string", "enum": form.legs}),
        FormValue::Type => json!({"type": "string", "const": form.kind.as_str()}),
        FormValue::AppId => json!({"type": "integer", "minimum": 1, "examples": [2_222_223]}),
        FormValue::EpochMillis => whole(1_000_000_000_000, 9_999_999_999_999, 1_725_975_496_000),
        FormValue::EpochSeconds => whole(1_000_000_000, 9_999_999_999, 1_725_975_496),
        FormValue::Phone => whole(1_000_000, 999_999_999_999_999, 447_700_900_123),
        FormValue::PhoneText => pattern("^[0-9]{7,15}$", "447700900123"),
        FormValue::PhoneNational => pattern("^0[0-9]*$", "04471000000"),
        FormValue::Seconds => json!({"type": "integer", "minimum": 0, "examples": [9]}),
        FormValue::Zero => json!({"type": "integer", "const": 0}),
        FormValue::Decimal => pattern(r"^-?[0-9]+\.[0-9]{6}$", "0.450000"),
        FormValue::Uuid => pattern(
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0",
        ),
        FormValue::RequestId => pattern("^[0-9A-Za-z]{43}$", "FrTckxcdYpJQFwSwki7ee2qY90MOYhgRyFzqgSlK5uT"),
        FormValue::Text => json!({"type": "string", "examples": ["{\"key\":\"value\"}"]}),
        FormValue::True => json!({"type": "boolean", "const": true}),
        FormValue::WsConnected => {
            let mut schema = pattern(
                r#"^[ \t\r\n]*\{[ \t\r\n]*"status"[ \t\r\n]*:[ \t\r\n]*"connected"[ \t\r\n]*\}[ \t\r\n]*$"#,
                &WsStatus::connected().text(),
            );
            schema["contentMediaType"] = "application/json".into();
            schema
        }
        FormValue::WsDisconnected => {
            ws_status("disconnected", "reason", &WsStatus::disconnected(1006, "Abnormal closure"))
        }
        FormValue::WsError => ws_status("error", "error", &WsStatus::error(6, "connect failed")),
    }
}

/// A JSON document in a string. Validators take `contentSchema` as a hint; `validate` looks inside.
fn ws_status(status: &str, words: &str, example: &WsStatus) -> Value {
    json!({
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {
            "type": "object",
            "properties": {
                "status": { "const": status },
                "message": {
                    "type": "object",
                    "properties": { "code": { "type": "integer", "minimum": 0 }, words: { "type": "string" } },
                    "required": ["code", words],
                    "additionalProperties": false,
                },
            },
            "required": ["status", "message"],
            "additionalProperties": false,
        },
        "examples": [example.text()],
    })
}
