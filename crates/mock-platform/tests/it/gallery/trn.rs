use axum::http::{Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use piopiy_events::{Kind, Webhook};

use super::Group;

mod front;

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("redirects", "TRN-001"),
        ("knows-cdrs-alone", "TRN-002"),
        ("takes-any-method", "TRN-003"),
        ("refuses-without-allow", "TRN-004"),
        ("breaks-on-options", "TRN-005"),
        ("takes-no-query", "TRN-006"),
        ("redirects", "TRN-007"),
        ("wants-content-length", "TRN-008"),
        ("reads-small-hex", "TRN-009"),
        ("breaks-on-chunk-extensions", "TRN-010"),
        ("ends-chunks-itself", "TRN-011"),
        ("goes-by-what-came", "TRN-012"),
        ("goes-by-what-came", "TRN-013"),
        ("prefers-chunks", "TRN-014"),
        ("breaks-without-host", "TRN-015"),
        ("breaks-on-http-1.0", "TRN-016"),
        ("never-says-continue", "TRN-017"),
        ("reads-once", "TRN-018"),
        ("closes-without-a-word", "TRN-019"),
        ("swaps-answers", "TRN-020"),
        ("leaves-bodies-unread", "TRN-021"),
        ("half-an-answer-when-idle", "TRN-022"),
        ("refuses-half-closed", "TRN-023"),
        ("stores-repeats", "TRN-024"),
        ("ends-chunks-itself", "TRN-025"),
        ("breaks-on-gzip", "TRN-026"),
        ("wants-capitals", "TRN-027"),
        ("counts-too-short", "TRN-028"),
        ("sets-a-cookie", "TRN-029"),
    ],
    answer: |flaw, parts| {
        let has = |name| parts.headers.contains_key(name);
        match flaw {
            "redirects" => {
                Some((StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/elsewhere")]).into_response())
            }
            "refuses-without-allow" => status(parts.method != Method::POST, StatusCode::METHOD_NOT_ALLOWED),
            "breaks-on-options" => status(parts.method == Method::OPTIONS, StatusCode::INTERNAL_SERVER_ERROR),
            "takes-no-query" => status(parts.uri.query().is_some(), StatusCode::NOT_FOUND),
            "wants-content-length" => status(!has(header::CONTENT_LENGTH), StatusCode::LENGTH_REQUIRED),
            "breaks-without-host" => status(!has(header::HOST), StatusCode::INTERNAL_SERVER_ERROR),
            "breaks-on-http-1.0" => {
                status(parts.version == Version::HTTP_10, StatusCode::INTERNAL_SERVER_ERROR)
            }
            "breaks-on-gzip" => status(has(header::CONTENT_ENCODING), StatusCode::INTERNAL_SERVER_ERROR),
            "sets-a-cookie" => Some([(header::SET_COOKIE, "session=1")].into_response()),
            _ => None,
        }
    },
    body: |flaw, body| {
        let is_cdr = || Webhook::parse(&body).is_ok_and(|webhook| webhook.kind() == Some(Kind::Cdr));
        if flaw == "knows-cdrs-alone" && !is_cdr() { Vec::new() } else { body }
    },
    serve: |flaw| front::door(flaw).map(|door| front::serve(door).boxed()),
    ..Group::NONE
};

fn status(is_so: bool, status: StatusCode) -> Option<Response> {
    is_so.then(|| status.into_response())
}
