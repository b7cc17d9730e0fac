use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Group, holds, refused_if, rewritten};

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("wants-bare-json-type", "JSN-001"),
        ("loses-without-content-type", "JSN-002"),
        ("loses-other-content-types", "JSN-003"),
        ("takes-forms", "JSN-004"),
        ("takes-emptiness", "JSN-005"),
        ("acknowledges-any-json", "JSN-006"),
        ("forgives-trailing-commas", "JSN-007"),
        ("reads-the-first-document", "JSN-008"),
        ("wants-a-brace-first", "JSN-009"),
        ("stumbles-over-a-mark", "JSN-010"),
        ("guesses-the-encoding", "JSN-011"),
        ("decodes-lossily", "JSN-012"),
        ("cannot-write-surrogates", "JSN-013"),
        ("ends-texts-at-nul", "JSN-014"),
        ("stores-three-bytes-of-utf8", "JSN-015"),
        ("takes-nan-for-null", "JSN-016"),
        ("stores-doubles", "JSN-017"),
        ("stores-null-for-infinity", "JSN-018"),
        ("wants-integers-bare", "JSN-019"),
        ("refuses-any-repeat", "JSN-020"),
        ("follows-proto", "JSN-021"),
        ("calls-itself-for-each-level", "JSN-022"),
        ("takes-the-square-of-the-size", "JSN-023"),
        ("hashes-like-java", "JSN-024"),
        ("wants-members-in-order", "JSN-025"),
    ],
    answer: |flaw, parts| {
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or(""));
        let is_json = content_type.is_some_and(|name| name.to_lowercase().starts_with("application/json"));
        match flaw {
            "wants-bare-json-type" if content_type.is_some_and(|name| name != "application/json") => {
                Some(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response())
            }
            "loses-without-content-type" if content_type.is_none() => Some(StatusCode::OK.into_response()),
            "loses-other-content-types" if content_type.is_some() && !is_json => {
                Some(StatusCode::OK.into_response())
            }
            _ => None,
        }
    },
    read,
    body,
    effects: |flaw, mut effect| {
        if flaw == "takes-emptiness" && effect["cmiuuid"] == NOTHING {
            effect["cmiuuid"] = Value::Null;
        }
        let fields = &mut effect["fields"];
        match flaw {
            "ends-texts-at-nul" => {
                rewritten(fields, "extra_params", |text| text.split('\0').next().unwrap().into());
            }
            "stores-three-bytes-of-utf8" => {
                rewritten(fields, "extra_params", |text| text.chars().filter(|c| c.len_utf8() < 4).collect());
            }
            "stores-doubles" => {
                let number: Option<f64> = fields["to"].as_str().and_then(|text| text.parse().ok());
                if let Some(number) = number {
                    fields["to"] = json!(format!("{number:.0}"));
                }
            }
            "stores-null-for-infinity"
                if fields["to"].as_str().is_some_and(|text| text.parse().is_ok_and(f64::is_infinite)) =>
            {
                fields["to"] = Value::Null;
            }
            _ => {}
        }
        vec![effect]
    },
    ..Group::NONE
};

const NOTHING: &str = "nothing";

fn read(flaw: &str, body: &[u8]) -> Option<Response> {
    let failed = |is_so: bool| is_so.then(|| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    match flaw {
        "cannot-write-surrogates" => failed(holds(body, r"\ud800")),
        "follows-proto" => failed(holds(body, "__proto__")),
        "calls-itself-for-each-level" => failed(body.iter().filter(|byte| **byte == b'[').count() > 900),
        _ => None,
    }
}

fn body(flaw: &str, body: Vec<u8>) -> Vec<u8> {
    match flaw {
        "decodes-lossily" => String::from_utf8_lossy(&body).into_owned().into_bytes(),
        "takes-forms" if !body.starts_with(b"{") => {
            let text = String::from_utf8_lossy(&body).into_owned();
            let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
            let members: serde_json::Map<String, Value> =
                pairs.map(|(key, value)| (key.to_owned(), json!(value))).collect();
            Value::from(members).to_string().into_bytes()
        }
        "takes-emptiness" if body.is_empty() => {
            json!({ "cmiuuid": NOTHING, "leg": "a", "status": "missed", "duration": 0 })
                .to_string()
                .into_bytes()
        }
        "forgives-trailing-commas" => String::from_utf8_lossy(&body).replace(",}", "}").into_bytes(),
        "reads-the-first-document" => {
            let mut documents = serde_json::Deserializer::from_slice(&body).into_iter::<Value>();
            let _ = documents.next();
            let end = documents.byte_offset();
            body[..end].to_vec()
        }
        "wants-a-brace-first" => {
            let is_refused = !body.starts_with(b"{");
            refused_if(is_refused, body)
        }
        "stumbles-over-a-mark" => {
            let is_refused = body.starts_with(b"\xef\xbb\xbf");
            refused_if(is_refused, body)
        }
        "guesses-the-encoding" => body.into_iter().filter(|byte| *byte != 0).collect(),
        "takes-nan-for-null" => String::from_utf8_lossy(&body).replace(":NaN", ":null").into_bytes(),
        "wants-integers-bare" => {
            let is_refused = holds(&body, ":12.0");
            refused_if(is_refused, body)
        }
        "refuses-any-repeat" => {
            let is_refused = String::from_utf8_lossy(&body).matches("\"status\"").count() > 1;
            refused_if(is_refused, body)
        }
        "takes-the-square-of-the-size" => {
            let size = u64::try_from(body.len() / 1_000).unwrap();
            std::thread::sleep(Duration::from_micros(size * size * 6 / 10));
            body
        }
        "hashes-like-java" => {
            if holds(&body, "AaAaAaBBAaAa") {
                std::thread::sleep(Duration::from_millis(600));
            }
            body
        }
        "wants-members-in-order" => {
            let is_refused = body.starts_with(b"{\"status\"");
            refused_if(is_refused, body)
        }
        _ => body,
    }
}
