use serde_json::{Value, json};

use crate::platform::rest::reply::cmi_code;

/// The codes with which a request of the first generation is refused: those of its page, and of none where there is no
/// page.
pub(super) fn codes(path: &str) -> &'static [u16] {
    match path {
        "/v1/make_call" | "/v1/global_make_call" => &[420, 501, 502],
        path if path.ends_with("make_call") => &[420, 422, 502],
        "/v1/call/action" | "/v1/call/global_action" => &[404, 420, 422, 502],
        "/v1/endpoint/add_sip" => &[400, 420, 502],
        path if path.ends_with("_cdr") => &[404],
        _ => &[404, 420],
    }
}

/// A refusal: a code, under one key or the other or both, and a text.
pub(super) fn refusal(codes: &[u16]) -> Value {
    let of_examples: Vec<u16> = codes.iter().map(|code| cmi_code(*code)).collect();
    with_code(
        &json!({ "code": { "enum": codes }, "cmi_code": { "enum": of_examples }, "msg": { "type": "string" } }),
        &["msg"],
    )
}

/// What is answered where nothing is wrong; none where it is no JSON.
pub(super) fn success(path: &str) -> Option<Value> {
    let text = || json!({ "type": "string" });
    let progress = || json!({ "const": "progress" });
    let data = json!({
        "type": "object",
        "required": ["status", "request_id"],
        "properties": { "status": progress(), "request_id": text() },
    });
    let done = |mut members: Value, required: &[&str]| {
        members["code"] = json!({ "const": 200 });
        members["cmi_code"] = json!({ "const": 200 });
        Some(with_code(&members, required))
    };
    let cdr = || {
        json!({
            "type": "object",
            "required": ["duration", "from", "to", "time", "leg", "direction", "status"],
            "properties": {
                "leg": { "enum": ["a", "b"] },
                "direction": { "enum": ["inbound", "outbound"] },
                "status": { "enum": ["answered", "missed"] },
                "duration": { "type": "integer" },
            },
        })
    };
    match path {
        "/v1/make_call" | "/v1/global_make_call" => done(json!({ "data": data }), &["data"]),
        path if path.ends_with("make_call") => done(
            json!({ "data": data, "status": progress(), "request_id": text() }),
            &["data", "status", "request_id"],
        ),
        "/v1/call/action" | "/v1/call/global_action" => done(
            json!({
                "status": { "const": "success" },
                "action": { "enum": ["hold", "unhold", "holdToggle", "hangup"] },
            }),
            &["status", "action"],
        ),
        "/v1/piopiy/cmiuuid_cdr" => done(json!({ "cdr": cdr() }), &["cdr"]),
        "/v1/piopiy/requestid_cdr" => done(
            json!({
                "count": { "type": "integer", "minimum": 1 },
                "cdr": { "type": "array", "minItems": 1, "items": cdr() },
            }),
            &["count", "cdr"],
        ),
        "/v1/endpoint/add_sip" => Some(json!({
            "type": "object",
            "required": ["code", "username", "password", "connect_URL", "audio", "video", "type"],
            "properties": {
                "code": { "const": "cmi-200" },
                "username": text(),
                "password": text(),
                "connect_URL": text(),
                "audio": { "const": true },
                "video": { "const": true },
                "type": { "const": "SIP" },
            },
        })),
        _ => None,
    }
}

/// An object with `code`, as the pages say, or `cmi_code`, as the vendor's examples say.
fn with_code(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": required,
        "anyOf": [{ "required": ["code"] }, { "required": ["cmi_code"] }],
        "properties": properties,
    })
}
