mod plain;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde_json::json;

use super::Group;

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("breaks-on-large-bodies", "SEC-001"),
        ("waits-for-any-length", "SEC-002"),
        ("reads-for-ever", "SEC-003"),
        ("keeps-silent-connections", "SEC-005"),
        ("waits-for-heads", "SEC-006"),
        ("waits-for-bodies", "SEC-007"),
        ("serves-ten-connections", "SEC-008"),
        ("waits-for-readers", "SEC-009"),
        ("breaks-on-long-headers", "SEC-010"),
        ("shows-its-trace", "SEC-011"),
        ("pastes-into-queries", "SEC-012"),
        ("builds-links-from-host", "SEC-013"),
        ("lets-any-origin-read", "SEC-014"),
        ("asks-for-no-secret", "SEC-015"),
        ("takes-any-appid", "SEC-016"),
        ("doubles-what-is-old", "SEC-017"),
        ("echoes-trace", "SEC-019"),
        ("desyncs", "SEC-020"),
        ("takes-controls-in-headers", "SEC-021"),
        ("sends-bodies-back", "SEC-022"),
    ],
    effects: |flaw, effect| {
        let is_old = effect["fields"].as_object().is_some_and(|fields| {
            let times = ["time", "start_time"].into_iter().filter_map(|key| fields.get(key)?.as_u64());
            times.map(|time| if time < 100_000_000_000 { time * 1_000 } else { time }).any(is_old)
        });
        if flaw == "doubles-what-is-old" && is_old { vec![effect.clone(), effect] } else { vec![effect] }
    },
    wrap: |flaw, receiver| match flaw {
        "breaks-on-large-bodies"
        | "breaks-on-long-headers"
        | "shows-its-trace"
        | "pastes-into-queries"
        | "builds-links-from-host"
        | "lets-any-origin-read"
        | "echoes-trace"
        | "sends-bodies-back" => receiver.layer(from_fn(move |request, next| around(flaw, request, next))),
        _ => receiver,
    },
    serve: |flaw| {
        matches!(
            flaw,
            "waits-for-any-length"
                | "reads-for-ever"
                | "serves-ten-connections"
                | "desyncs"
                | "takes-controls-in-headers"
        )
        .then(|| plain::serve(flaw).boxed())
    },
    ..Group::NONE
};

/// Older than the plainest webhook that is not old: known from one.
fn is_old(time_ms: u64) -> bool {
    const DAY_MS: u64 = 86_400_000;
    let options = piopiy_mock_platform::plan::SingleOptions::default();
    time_ms + DAY_MS < options.now_ms
}

async fn around(flaw: &'static str, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/webhook") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    if (flaw == "breaks-on-large-bodies" && length > 5_000_000)
        || (flaw == "breaks-on-long-headers" && parts.headers.values().any(|value| value.len() > 10_000))
    {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if flaw == "echoes-trace" && parts.method == "TRACE" {
        return format!("{:?}", parts.headers).into_response();
    }
    let host = header("x-forwarded-host").or_else(|| header("host")).unwrap_or_default();
    let Ok(bytes) = to_bytes(body, 4 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if flaw == "pastes-into-queries" && text.contains("x'; SELECT") {
        return (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": "syntax" }).to_string()).into_response();
    }
    let mut answer = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    match flaw {
        "shows-its-trace" if answer.status().is_client_error() => {
            (answer.status(), "Traceback (most recent call last):\n  File \"app.py\"").into_response()
        }
        "builds-links-from-host" => (answer.status(), format!("see https://{host}/calls")).into_response(),
        "lets-any-origin-read" => {
            let headers = answer.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            answer
        }
        "sends-bodies-back" if answer.status().is_success() && text.contains("cmiuuid") => {
            (answer.status(), text).into_response()
        }
        _ => answer,
    }
}
