use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Group, holds, refused_if, rewritten};

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("denies-unknown-members", "SCH-001"),
        ("maps-unknown-statuses", "SCH-002"),
        ("lists-directions", "SCH-003"),
        ("refuses-unknown-types", "SCH-004"),
        ("wants-numbers", "SCH-005"),
        ("wants-callerid-as-number", "SCH-006"),
        ("stores-phone-numbers-as-numbers", "SCH-007"),
        ("stores-zero-for-null", "SCH-008"),
        ("guesses-the-status", "SCH-009"),
        ("wants-true-booleans", "SCH-010"),
        ("stores-unsigned-durations", "SCH-011"),
        ("multiplies-milliseconds", "SCH-012"),
        ("refuses-the-seventies", "SCH-013"),
        ("breaks-on-objects", "SCH-014"),
        ("cuts-texts", "SCH-015"),
    ],
    read: |flaw, body| {
        let is_broken = flaw == "breaks-on-objects" && holds(body, "\"from\":{");
        is_broken.then(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    },
    body: |flaw, body| {
        let is_refused = match flaw {
            "denies-unknown-members" => holds(&body, "something_new"),
            "lists-directions" => holds(&body, "\"internal\""),
            "refuses-unknown-types" => holds(&body, "\"voicemail\""),
            "wants-numbers" => holds(&body, "\"duration\":\""),
            "wants-callerid-as-number" => holds(&body, "\"callerid\":\""),
            "wants-true-booleans" => holds(&body, "\"out\":\""),
            "refuses-the-seventies" => holds(&body, "\"start_time\":1,"),
            "guesses-the-status" if body.starts_with(b"{") && !holds(&body, "\"status\"") => {
                return [b"{\"status\":\"missed\",", &body[1..]].concat();
            }
            _ => false,
        };
        refused_if(is_refused, body)
    },
    effects: |flaw, mut effect| {
        match flaw {
            "maps-unknown-statuses" if effect["status"] == "busy" => effect["status"] = json!("missed"),
            "stores-phone-numbers-as-numbers" => rewritten(&mut effect["fields"], "from", |text| {
                text.trim_start_matches(['+', '0']).to_owned()
            }),
            "stores-zero-for-null" if effect["fields"].get("answer_time") == Some(&Value::Null) => {
                effect["fields"]["answer_time"] = json!(0);
            }
            "stores-unsigned-durations" => {
                if let Some(duration) = effect["fields"]["duration"].as_i64().filter(|duration| *duration < 0)
                {
                    effect["fields"]["duration"] = json!(duration + (1 << 32));
                }
            }
            "multiplies-milliseconds"
                if effect["fields"]["start_time"].as_i64().is_some_and(|time| time > 1_000_000_000_000) =>
            {
                effect["fields"]["start_time"] = json!("+053696-08-27T00:00:00Z");
            }
            "cuts-texts" => {
                rewritten(&mut effect["fields"], "extra_params", |text| text.chars().take(255).collect());
            }
            _ => {}
        }
        vec![effect]
    },
    ..Group::NONE
};
