use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Group, holds, refused_if};

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("refuses-upper-case-statuses", "PIO-001"),
        ("stores-zero-for-text-rates", "PIO-002"),
        ("wants-appid", "PIO-003"),
        ("takes-all-for-cdrs", "PIO-004"),
        ("drops-odd-extra-params", "PIO-005"),
        ("tells-answered-by-answer-time", "PIO-006"),
        ("reads-seconds-as-milliseconds", "PIO-007"),
        ("keeps-leg-a", "PIO-008"),
        ("wants-equal-ids", "PIO-009"),
        ("keeps-cdrs-only", "PIO-010"),
        ("breaks-on-streams", "PIO-011"),
        ("refuses-hangup-reasons", "PIO-012"),
        ("lists-statuses-of-leg-a", "PIO-013"),
    ],
    read: |flaw, body| {
        let is_broken = flaw == "breaks-on-streams" && holds(body, "\"ws_status\"");
        is_broken.then(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    },
    body: |flaw, body| {
        let is_refused = match flaw {
            "refuses-upper-case-statuses" => holds(&body, "STREAM_DISCONNECTED"),
            "wants-appid" => !holds(&body, "\"appid\""),
            "wants-equal-ids" => {
                let read: Value = serde_json::from_slice(&body).unwrap_or_default();
                read["cmiuuid"] != read["conversation_uuid"]
            }
            "refuses-hangup-reasons" => holds(&body, "\"hangup_reason\""),
            "lists-statuses-of-leg-a" => holds(&body, "\"out_bridged\""),
            _ => false,
        };
        refused_if(is_refused, body)
    },
    effects: |flaw, mut effect| {
        match flaw {
            "stores-zero-for-text-rates" if effect["fields"]["call_rate"] == "0.450000" => {
                effect["fields"]["call_rate"] = json!(0);
            }
            "takes-all-for-cdrs" => effect["kind"] = json!("cdr"),
            "drops-odd-extra-params" => {
                let text = effect["fields"]["extra_params"].as_str();
                if text.is_some_and(|text| serde_json::from_str::<Value>(text).is_err()) {
                    effect["fields"]["extra_params"] = Value::Null;
                }
            }
            "tells-answered-by-answer-time" if effect["fields"]["answer_time"].is_number() => {
                effect["status"] = json!("answered");
            }
            "reads-seconds-as-milliseconds" if effect["fields"]["start_time"].is_number() => {
                effect["fields"]["start_time"] = json!("1970-01-19T21:25:17Z");
            }
            "keeps-leg-a" if effect["leg"] == "b" => return Vec::new(),
            "keeps-cdrs-only" if effect["kind"] == "event" => return Vec::new(),
            _ => {}
        }
        vec![effect]
    },
    ..Group::NONE
};
