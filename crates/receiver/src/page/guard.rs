//! Who may see the page: whoever shows the token, or, without one, whoever sits at this machine; and no page of another
//! origin that makes a browser send something.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::Pages;
use crate::Token;
use crate::server::local::is_of_this_machine;

/// How long whoever shows a wrong token waits for the answer.
const GUESS: Duration = Duration::from_millis(500);
/// No form is longer.
const LONGEST_FORM: usize = 16 * 1024;

pub(super) async fn guard(State(pages): State<Arc<Pages>>, request: Request, next: Next) -> Response {
    if let Some(token) = &pages.token {
        if !shows(token, request.headers()) {
            if request.headers().contains_key(header::AUTHORIZATION) {
                tracing::warn!("a wrong token was shown to the page");
                tokio::time::sleep(GUESS).await;
            }
            let mut answer =
                refuse(StatusCode::UNAUTHORIZED, "this page asks for its token, as a password\n");
            let challenge = HeaderValue::from_static("Basic realm=\"piopiy-receiver\", charset=\"UTF-8\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return answer;
        }
    } else if !is_of_this_machine(&request) {
        return refuse(
            StatusCode::FORBIDDEN,
            "this page has no token, so it is for this machine only: ask for it as 127.0.0.1, [::1] or localhost, not by \
             another name or a proxy, or start the receiver with --page-token-file\n",
        );
    }
    if request.method().is_safe() {
        return next.run(request).await;
    }
    if is_foreign(request.headers()) {
        return refuse(StatusCode::FORBIDDEN, "a page of another origin may not change anything here\n");
    }
    // Whoever never ends a form keeps no connection.
    let (parts, body) = request.into_parts();
    let form = axum::body::to_bytes(body, LONGEST_FORM);
    match tokio::time::timeout(pages.parts.read.body_deadline, form).await {
        Ok(Ok(form)) => next.run(Request::from_parts(parts, form.into())).await,
        Ok(Err(_)) => refuse(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long, or broke off\n"),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the form did not come whole in time\n"),
    }
}

fn refuse(status: StatusCode, text: &'static str) -> Response {
    // What follows an unread body cannot be found.
    (status, [(header::CONNECTION, HeaderValue::from_static("close"))], text).into_response()
}

/// Whether the token is shown, as a password or by itself; compared in constant time.
fn shows(token: &Token, headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes) else {
        return false;
    };
    let Some(space) = value.iter().position(|byte| *byte == b' ') else {
        return false;
    };
    let (scheme, shown) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return token.is(shown);
    }
    let credentials = STANDARD.decode(shown).unwrap_or_default();
    let password = credentials.iter().position(|byte| *byte == b':').map(|colon| &credentials[colon + 1..]);
    scheme.eq_ignore_ascii_case(b"basic") && password.is_some_and(|password| token.is(password))
}

/// Whether a page of another origin makes a browser send this. Programs name no origin. The scheme is not compared: behind
/// a proxy that speaks TLS it is another one here.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(&header::HOST).unwrap_or_default();
    let is_other = headers.get(header::ORIGIN).is_some_and(|origin| {
        let authority = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
        !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    let site = text(&HeaderName::from_static("sec-fetch-site"));
    is_other || site.is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_a_password_or_a_bearer() {
        let token: Token = "s3cret".parse().unwrap();
        let is_shown = |value: &str| shows(&token, &headers(&[("authorization", value)]));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(is_shown("Bearer s3cret") && is_shown("bearer  s3cret"));
        assert!(is_shown(&basic("anyone:s3cret")) && is_shown(&basic(":s3cret")));
        for wrong in
            ["", "s3cret", "Bearer", "Bearer s3cre", "Bearer s3crets", "Basic s3cret", "Digest s3cret"]
        {
            assert!(!is_shown(wrong), "{wrong}");
        }
        for wrong in ["s3cret", "s3cret:", "a:s3cret:", ":"] {
            assert!(!is_shown(&basic(wrong)), "{wrong}");
        }
        assert!(!shows(&token, &HeaderMap::new()));
    }

    #[test]
    fn what_changes_something_comes_from_here() {
        let host = ("host", "localhost:5001");
        let foreign = |line| is_foreign(&headers(&[host, line]));
        assert!(!is_foreign(&headers(&[host])), "a program names no origin");
        for own in ["http://localhost:5001", "https://LOCALHOST:5001"] {
            assert!(!foreign(("origin", own)), "{own}");
        }
        for other in ["http://evil.example", "null", "http://localhost:5000", "http://localhost", ""] {
            assert!(foreign(("origin", other)), "{other}");
        }
        assert!(foreign(("sec-fetch-site", "cross-site")) && foreign(("sec-fetch-site", "same-site")));
        assert!(!foreign(("sec-fetch-site", "same-origin")) && !foreign(("sec-fetch-site", "none")));
    }
}
