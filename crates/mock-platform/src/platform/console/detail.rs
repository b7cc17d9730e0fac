//! One message of a call: its bytes, its answer, its attempts.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use piopiy_events::Evidence;

use super::{Console, unknown, words};
use crate::deliver::Fault;
use crate::deliver::ledger::{Body, DeliveryOutcome, MessageEntry};
use crate::judge::reproducer::quoted;
use crate::platform::board::{CallView, Row, WebhookRow};
use crate::platform::exchange::Exchange;

/// What is to be seen of a row.
pub(super) fn detail(exchange: &Exchange, view: &CallView, row: usize) -> Markup {
    match view.rows.get(row) {
        Some(Row::Message(message)) => message_detail(view, row, message),
        Some(Row::Webhook(webhook)) => webhook_detail(exchange, view, row, webhook),
        None => html! {},
    }
}

fn message_detail(view: &CallView, row: usize, message: &MessageEntry) -> Markup {
    let at = words::seconds(message.at_ms.saturating_sub(view.begin.at_ms));
    html! {
        h2 id="detail-title" tabindex="-1" { (message.label) span.mute { " · at " (at) } }
        @if let Some(url) = &message.url { p { span.mute { "to " } code { (url) } } }
        @if let Some(choice) = &message.choice {
            p.warn { "No page documents what happens here. The choice that was made: " (choice) "." }
        }
        @if let Some(error) = &message.error { p.bad { (error) } }
        @if let Some(request) = &message.request { h3 { "Sent" } (bytes(request)) }
        @if message.status.is_some() || message.answer.is_some() {
            h3 {
                "Answered"
                @if let Some(status) = message.status { " " (status) }
                @if let Some(took) = message.took_ns { " in " (words::took(took)) }
            }
            @if let Some(answer) = &message.answer { (bytes(answer)) }
        }
        @if message.request.is_none() && message.answer.is_none() {
            p.mute { "No bytes passed: this is something that happened on the line." }
        }
        p.acts { (in_ledger(view, row)) }
    }
}

fn webhook_detail(exchange: &Exchange, view: &CallView, row: usize, webhook: &WebhookRow) -> Markup {
    let plan = &webhook.plan;
    let targets = exchange.targets(view.begin.appid, view.begin.account);
    let url = targets
        .map(|targets| if words::is_cdr(webhook) { targets.cdr.shown() } else { targets.live.shown() });
    let (evidence, meaning) = evidence(plan.evidence);
    html! {
        h2 id="detail-title" tabindex="-1" {
            (plan.name)
            span.mute { " · " (attempts_in_words(webhook)) " · " }
            span.tag.(if plan.evidence == Evidence::Documented { "ok" } else { "warn" }) title=(meaning) { (evidence) }
        }
        @for fault in &plan.faults { p.warn { "Goes wrong on purpose: " (fault_words(fault)) "." } }
        @if !webhook.attempts.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Attempts" {
            table {
                thead { tr { th scope="col" { "Attempt" } th scope="col" { "at" } th scope="col" { "answer" } th scope="col" { "why" } } }
                tbody {
                    @for attempt in &webhook.attempts {
                        @let (said, tone) = words::attempt(attempt);
                        tr {
                            th scope="row" { (attempt.attempt) }
                            td.num { (words::seconds(attempt.start_ms.saturating_sub(view.begin.at_ms))) }
                            td.num.(tone.class()) {
                                (said)
                                @if attempt.status.is_some() { span.mute { ", " (attempt.answer_bytes) " bytes" } }
                                @if let Some(error) = &attempt.error { span.mute { " " (error) } }
                            }
                            td { (words::cause(attempt).unwrap_or_else(|| "it was due".to_owned())) }
                        }
                    }
                }
            }
            }
        }
        h3 { "Sent" @if let Some(url) = &url { " to " code { (url) } } }
        (bytes(&plan.body))
        div.acts {
            form method="post" action={ "/calls/" (view.call) "/webhooks/" (plan.webhook) "/resend" } data-quiet {
                input type="hidden" name="row" value=(row);
                button id="resend" { "Resend" }
            }
            @if let Some(url) = &url {
                button type="button" id="copy-curl" hidden data-copy="curl" { "Copy curl" }
                (in_ledger(view, row))
                details.curl id="curl-details" {
                    summary { "curl" }
                    pre id="curl" tabindex="0" { (curl(url, &plan.body)) }
                }
            } @else {
                (in_ledger(view, row))
            }
        }
    }
}

fn attempts_in_words(webhook: &WebhookRow) -> String {
    let made = match webhook.attempts.len() {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    };
    match webhook.outcome {
        Some(DeliveryOutcome::Acknowledged) => format!("{made}, acknowledged"),
        Some(DeliveryOutcome::Unacknowledged) => format!("{made}, never acknowledged"),
        Some(DeliveryOutcome::InjectedLoss) => "never sent, on purpose".to_owned(),
        Some(DeliveryOutcome::Interrupted) => format!("{made}, interrupted"),
        None => format!("{made} so far"),
    }
}

fn evidence(evidence: Evidence) -> (&'static str, &'static str) {
    match evidence {
        Evidence::Documented => ("documented", "A whole sample of this payload is documented."),
        Evidence::Partial => ("partial", "A sample of this payload is documented, but captured in part."),
        _ => ("guess", "No page shows this payload: it is inferred from its neighbours."),
    }
}

fn fault_words(fault: &Fault) -> String {
    match fault {
        Fault::Duplicate { after_ms: 0 } => "a second copy is sent at once".to_owned(),
        Fault::Duplicate { after_ms } => format!("a second copy is sent {} later", words::seconds(*after_ms)),
        Fault::Reorder { .. } => "it is sent behind a later webhook".to_owned(),
        Fault::Delay { by_ms } => format!("it is held back for {}", words::seconds(*by_ms)),
        Fault::Loss => "it is never sent".to_owned(),
    }
}

fn in_ledger(view: &CallView, row: usize) -> Markup {
    html! { a.button href={ "/calls/" (view.call) "/rows/" (row) "/ledger" } { "Open in ledger" } }
}

/// Bytes as they went over the wire.
pub(super) fn bytes(body: &Body) -> Markup {
    html! {
        pre.bytes tabindex="0" {
            @match std::str::from_utf8(body.as_bytes()) {
                Ok("") => { span.mute { "(nothing)" } }
                Ok(text) => { (text) }
                Err(_) => {
                    span.mute { "not UTF-8, in hexadecimal:\n" }
                    @for byte in body.as_bytes() { (format!("{byte:02x}")) }
                }
            }
        }
    }
}

/// A command that sends the same.
fn curl(url: &str, body: &Body) -> String {
    let data = String::from_utf8_lossy(body.as_bytes());
    format!(
        "curl -i -X POST {} -H 'content-type: application/json' --data-binary {}",
        quoted(url),
        quoted(&data)
    )
}

/// What the ledger tells of a row, as it stands there.
pub(super) async fn ledger(
    State(console): State<Console>,
    Path((call, row)): Path<(u64, usize)>,
) -> Response {
    let view = console.exchange.board().call(call);
    let lines = match view.as_ref().and_then(|view| view.rows.get(row)) {
        Some(Row::Message(message)) => vec![serde_json::to_string(&**message)],
        Some(Row::Webhook(webhook)) => std::iter::once(serde_json::to_string(&webhook.plan))
            .chain(webhook.faults.iter().map(serde_json::to_string))
            .chain(webhook.attempts.iter().map(serde_json::to_string))
            .collect(),
        None => {
            return unknown(&console, &format!("Call {call} has no message {row}, or it is forgotten."))
                .await;
        }
    };
    match lines.into_iter().collect::<Result<Vec<_>, _>>() {
        Ok(lines) => {
            let headers = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
            ];
            (headers, lines.join("\n") + "\n").into_response()
        }
        Err(error) => {
            tracing::error!("a ledger entry cannot be written: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
