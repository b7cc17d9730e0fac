//! The OpenAPI document of the REST APIs.

mod legacy;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::endpoint::{ENDPOINTS, Endpoint, Kind, Request};
use super::reply::Reply;
use super::v3;

/// `GET /openapi.json`.
pub(super) fn served(_: &Request<'_>) -> Reply {
    Reply::ok(document())
}

/// The OpenAPI 3.1 document of the REST APIs that the mock platform serves.
///
/// # Examples
/// ```
/// let document = piopiy_mock_platform::platform::rest_openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert!(document["paths"]["/v3/voice/pcmo/call"]["post"].is_object());
/// ```
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation(endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "PIOPIY REST APIs, offline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the mock platform answers. Unofficial: made of the documentation's pages and of what the SDKs send.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": {
                "Failure": {
                    "type": "object",
                    "required": ["error"],
                    "properties": { "error": { "type": "string" }, "message": { "type": "string" } },
                },
            },
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut operation = json!({
        "summary": endpoint.summary,
        "tags": [tag(endpoint.kind)],
        "responses": responses(endpoint),
    });
    let mut parameters = Vec::new();
    if endpoint.path.contains("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "schema": { "type": "string" },
        }));
    }
    if endpoint.kind == Kind::LegacyQuery {
        for name in ["appid", "token", "secret", "file"] {
            parameters.push(json!({ "name": name, "in": "query", "schema": { "type": "string" } }));
        }
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if endpoint.kind == Kind::V3 {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    if let Some(schema) = body(endpoint) {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn tag(kind: Kind) -> &'static str {
    match kind {
        Kind::Legacy | Kind::LegacyQuery => "v1 and v2",
        Kind::V3 => "v3",
        Kind::Open => "about",
    }
}

fn body(endpoint: &Endpoint) -> Option<Value> {
    let number = json!({ "type": "integer", "minimum": 1_000_000, "maximum": 999_999_999_999_999_u64 });
    let text = || json!({ "type": "string" });
    let call = |last: &str, of: Value| {
        let mut schema = credentials(&["from", "to", last]);
        schema["properties"]["from"] = number.clone();
        schema["properties"]["to"] = number.clone();
        schema["properties"]["duration"] = json!({ "type": "integer", "minimum": 1, "maximum": 86_400 });
        schema["properties"]["extra_params"] = json!({ "type": "object" });
        schema["properties"][last] = of;
        schema
    };
    Some(match endpoint.path {
        "/v3/voice/agent/call" => json!({ "type": "object" }),
        path if endpoint.kind == Kind::V3 => v3::body_schema(path)?,
        "/v1/make_call" | "/v1/global_make_call" => {
            call("answer_url", json!({ "type": "string", "format": "uri" }))
        }
        path if path.ends_with("make_call") => {
            let action =
                json!({ "type": "object", "required": ["action"], "properties": { "action": text() } });
            call("pcmo", json!({ "type": "array", "items": action }))
        }
        "/v1/call/action" | "/v1/call/global_action" => {
            let mut schema = credentials(&["action"]);
            schema["properties"]["action"] = json!({ "enum": ["hold", "unhold", "holdToggle", "hangup"] });
            schema["properties"]["cmiuuid"] = text();
            schema["properties"]["cmiuid"] = text();
            schema
        }
        "/v1/piopiy/cmiuuid_cdr" => with_text(credentials(&["cmiuuid"]), "cmiuuid"),
        "/v1/piopiy/requestid_cdr" => with_text(credentials(&["request_id"]), "request_id"),
        "/v1/endpoint/add_sip" => {
            with_text(with_text(credentials(&["username", "password"]), "username"), "password")
        }
        _ => return None,
    })
}

fn credentials(more: &[&str]) -> Value {
    let required: Vec<&str> = ["appid", "secret"].iter().chain(more).copied().collect();
    json!({
        "type": "object",
        "required": required,
        "properties": { "appid": { "type": "integer" }, "secret": { "type": "string" } },
    })
}

fn with_text(mut schema: Value, key: &str) -> Value {
    schema["properties"][key] = json!({ "type": "string" });
    schema
}

fn responses(endpoint: &Endpoint) -> Value {
    let json_of = |description: &str, schema: Value| json!({ "description": description, "content": { "application/json": { "schema": schema } } });
    let failure = |description: &str| json_of(description, json!({ "$ref": "#/components/schemas/Failure" }));
    let mut responses = json!({
        "413": failure("the body is longer than 256 KiB"),
        "429": failure("more requests than the rate limit, where one was set, or 1000 calls are on"),
        "default": failure("a failure that was asked for"),
    });
    if endpoint.method == Method::POST {
        responses["403"] = failure("a page of a browser asks");
    }
    match endpoint.kind {
        Kind::Open => responses["200"] = json_of("the document", json!({ "type": "object" })),
        Kind::Legacy | Kind::LegacyQuery => {
            let codes = legacy::codes(endpoint.path);
            responses["200"] = match legacy::success(endpoint.path) {
                Some(success) => json_of(
                    "done, or refused with another code",
                    json!({ "anyOf": [success, legacy::refusal(codes)] }),
                ),
                None => json!({
                    "description": "the recording, or JSON with a code",
                    "content": {
                        "audio/wav": { "schema": { "type": "string", "format": "binary" } },
                        "application/json": { "schema": legacy::refusal(codes) },
                    },
                }),
            };
            for code in codes {
                let text = "refused, where `legacy-errors` is `http-status`";
                responses[code.to_string()] = json_of(text, legacy::refusal(&[*code]));
            }
        }
        Kind::V3 => {
            responses["401"] = failure("the bearer token is wrong");
            if endpoint.path.ends_with("/agent/call") {
                responses["501"] = failure("nobody documents it");
                return responses;
            }
            responses["200"] = json_of("done, or queued", json!({ "type": "object" }));
            if endpoint.method == Method::POST {
                responses["400"] = failure("the body is not what it has to be; `message` says where");
            }
            if endpoint.path.starts_with("/v3/voice") && endpoint.path.ends_with("/call") {
                responses["403"] = failure("the app is not that of the token, or a page of a browser asks");
            } else {
                responses["404"] = failure("no such call or transfer");
            }
            if endpoint.path.ends_with("transfer") {
                responses["409"] = failure("a transfer of the call is not settled");
            }
        }
    }
    responses
}
