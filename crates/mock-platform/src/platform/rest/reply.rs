use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::platform::config::{Choices, LegacyCodes, LegacyErrors};

/// What a request is answered with, and what the timeline tells of it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Body,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The call that it is about.
    pub(super) call: Option<u64>,
    /// Where nothing is documented: what was chosen.
    pub(super) choice: Option<&'static str>,
}

#[derive(Debug)]
pub(super) enum Body {
    Json(Value),
    Audio(Vec<u8>),
}

impl Reply {
    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new(), call: None, choice: None }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(super) fn about(self, call: u64) -> Self {
        Self { call: Some(call), ..self }
    }

    pub(super) fn choosing(self, choice: &'static str) -> Self {
        Self { choice: Some(choice), ..self }
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
        // The pages say 420 for wrong credentials, the examples 401.
        let cmi_code = if code == 420 { 401 } else { code };
        let mut body = json!({ "msg": message.into() });
        number(choices, &mut body, code, cmi_code);
        let status = match choices.legacy_errors {
            LegacyErrors::Http200 => StatusCode::OK,
            LegacyErrors::HttpStatus => StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST),
        };
        Self::json(status, body)
    }
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
        let (kind, bytes) = match self.body {
            Body::Json(value) => ("application/json", value.to_string().into_bytes()),
            Body::Audio(bytes) => ("audio/wav", bytes),
        };
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], bytes).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}
