use std::path::PathBuf;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::platform::config::{Choices, LegacyCodes, LegacyErrors};
use crate::platform::outgoing::Outgoing;

/// What a request is answered with, and what the timeline tells of it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Body,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The call that it is about.
    pub(super) call: Option<u64>,
    /// Where nothing is documented: what was chosen.
    pub(super) choice: Option<String>,
}

#[derive(Debug)]
pub(super) enum Body {
    Json(Value),
    Audio(Outgoing),
    /// What is in a file, or else another reply.
    File(PathBuf, Box<Reply>),
}

impl Reply {
    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new(), call: None, choice: None }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// A recording; `missing` where there is none.
    pub(super) fn recording(file: PathBuf, missing: Self) -> Self {
        Self { body: Body::File(file, Box::new(missing)), ..Self::ok(Value::Null) }
    }

    /// More calls are on than there may be.
    pub(super) fn too_many(message: impl Into<String>) -> Self {
        let mut reply = Self::failed(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", message);
        reply.headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
        reply
    }

    /// Nothing is begun any more.
    pub(super) fn stopping() -> Self {
        Self::failed(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the platform stops")
    }

    /// With the file open that it is to send.
    pub(super) async fn opened(self) -> Self {
        let Body::File(file, missing) = self.body else { return self };
        // Other requests are answered meanwhile.
        let opened = tokio::task::spawn_blocking(move || Outgoing::open(&file)).await;
        match opened.ok().flatten() {
            Some(file) => Self { body: Body::Audio(file), ..Self::ok(Value::Null) },
            None => *missing,
        }
    }

    pub(super) fn about(self, call: u64) -> Self {
        Self { call: Some(call), ..self }
    }

    pub(super) fn choosing(self, choice: impl Into<String>) -> Self {
        Self { choice: Some(choice.into()), ..self }
    }

    /// A failure of v3: the SDKs show `error` or else `message`.
    pub(super) fn failed(status: StatusCode, error: &str, message: impl Into<String>) -> Self {
        Self::json(status, json!({ "error": error, "message": message.into() }))
    }

    /// Success of the first generation: `code` in the documentation, `cmi_code` in the vendor's examples.
    pub(super) fn legacy(choices: &Choices, mut body: Value) -> Self {
        number(choices, &mut body, 200, 200);
        Self::ok(body)
    }

    /// A refusal of the first generation. No page shows one; `msg` is a guess.
    pub(super) fn refused(choices: &Choices, code: u16, message: impl Into<String>) -> Self {
        let mut body = json!({ "msg": message.into() });
        number(choices, &mut body, code, cmi_code(code));
        let status = match choices.legacy_errors {
            LegacyErrors::Http200 => StatusCode::OK,
            LegacyErrors::HttpStatus => StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST),
        };
        Self::json(status, body)
    }
}

/// The pages say 420 for wrong credentials, the examples 401.
pub(super) fn cmi_code(code: u16) -> u16 {
    if code == 420 { 401 } else { code }
}

fn number(choices: &Choices, body: &mut Value, code: u16, cmi_code: u16) {
    if choices.legacy_codes != LegacyCodes::CmiCode {
        body["code"] = code.into();
    }
    if choices.legacy_codes != LegacyCodes::Code {
        body["cmi_code"] = cmi_code.into();
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Body::Json(value) => {
                (self.status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
            }
            Body::Audio(file) => {
                let whole = 0..file.length();
                (self.status, file.answer(whole)).into_response()
            }
            // It was opened before.
            Body::File(_, missing) => return missing.into_response(),
        };
        response.headers_mut().extend(self.headers);
        response
    }
}
