//! One record: what it is, its bytes as they were received, and what can be done about it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};
use piopiy_events::Webhook;

use super::ask::{Ask, href};
use super::calls::calls;
use super::failure::PageError;
use super::layout::{Shell, Tab};
use super::window::{Looked, short};
use super::{Pages, quarantine};
use crate::{ForwardState, Record};

pub(super) async fn one(
    State(pages): State<Arc<Pages>>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    pages.look(ask.before(), move |pages, window| page(pages, window, &ask)).await
}

fn page(pages: &Pages, window: &Looked<'_>, ask: &Ask) -> Result<Response, PageError> {
    let record = kept(pages, ask)?;
    let detail = detail(record.seq, Some(&record), pages.forward_state()?.as_ref())?;
    let tab = if record.reason.is_some() { Tab::Quarantine } else { Tab::Webhooks };
    let title = format!("Record {}", record.seq);
    let mut shell = Shell::of(&title, tab, ask, pages, window);
    let calls = calls(window);
    let call = calls.iter().find(|call| call.webhooks.iter().any(|(digest, _)| digest.seq == record.seq));
    shell.body = html! {
        section.card.shown id="shown" tabindex="-1" aria-label=(title) {
            div.detail id="detail" data-live {
                (detail)
                @if let Some(call) = call {
                    p.acts { a.button href=(ask.to("/call", &[("id", call.key), ("seq", &record.seq.to_string())])) { "Show its call" } }
                }
                @if record.reason.is_some() { (quarantine::today(pages, window, ask, &record)) }
            }
        }
    };
    Ok(shell.respond(StatusCode::OK))
}

/// The bytes alone, as a file: no browser takes them for anything else.
pub(super) async fn body(
    State(pages): State<Arc<Pages>>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    let record = pages.look(ask.before(), move |pages, _| kept(pages, &ask)).await?;
    let name = format!("attachment; filename=\"record-{}.json\"", record.seq);
    let headers = [
        super::SAME_ORIGIN,
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    Ok((headers, record.body).into_response())
}

fn kept(pages: &Pages, ask: &Ask) -> Result<Record, PageError> {
    let seq = ask.seq().ok_or_else(|| PageError::NotThere("Which record? Give ?seq=NUMBER.".to_owned()))?;
    pages.recent.record(seq)?.ok_or_else(|| gone(seq))
}

fn gone(seq: u64) -> PageError {
    PageError::NotThere(format!("There is no record {seq}, or it is forgotten."))
}

/// What there is to see of a record.
pub(super) fn detail(
    seq: u64,
    record: Option<&Record>,
    forwarding: Option<&ForwardState>,
) -> Result<Markup, PageError> {
    let Some(record) = record else {
        return Ok(html! { p.bad { (gone(seq)) } });
    };
    let webhook = record.webhook();
    let number = seq.to_string();
    let (destinations, dead) = match forwarding.filter(|_| webhook.is_some()) {
        Some(state) => (state.status()?, state.dead_for(seq)?),
        None => (Vec::new(), Vec::new()),
    };
    Ok(html! {
        h2 id="detail-title" tabindex="-1" {
            "#" (seq) " · "
            @match &webhook {
                Some(webhook) => { (name(webhook)) }
                None => { "in quarantine" }
            }
        }
        p.facts-of {
            span { span.mute { "received " } span.num { (piopiy_ladder::utc(record.received_at)) " UTC" } }
            span { span.mute { "bytes " } span.num { (record.body.len()) } }
            @if let Some(identity) = webhook.as_ref().and_then(Webhook::identity) {
                span { span.mute { "cmiuuid " } (short(identity.cmiuuid())) }
            }
        }
        @if let Some(reason) = &record.reason { p.warn { "Why it is there: " (reason) } }
        @for (name, letter) in &dead {
            p.bad { "Given up for " (name) " after " (letter.attempts) " attempts, the last: " (letter.error) }
        }
        h3 id="raw-title" { "As it was received" }
        pre.raw id="raw" tabindex="0" role="region" aria-labelledby="raw-title" { (bytes(&record.body)) }
        div.acts {
            a.button href=(href("/record/body", [("seq", number.as_str())])) download { "Download" }
            @for destination in &destinations {
                form method="post" action="/forwarding" data-quiet {
                    input type="hidden" name="to" value=(destination.name);
                    input type="hidden" name="seq" value=(seq);
                    button id={ "again-" (destination.name) } name="do" value="replay" { "Deliver again to " (destination.name) }
                }
            }
        }
    })
}

/// `CDR answered · leg a`.
pub(super) fn name(webhook: &Webhook) -> String {
    let text = |key| webhook.text(key).map(|text| short(&text).into_owned());
    let status = text("status").unwrap_or_default();
    let is_cdr = webhook.kind() == Some(piopiy_events::Kind::Cdr);
    let mut name = if is_cdr { format!("CDR {status}") } else { status };
    if let Some(leg) = text("leg") {
        name.push_str(&format!(" · leg {leg}"));
    }
    name
}

fn bytes(body: &[u8]) -> Markup {
    html! {
        @match std::str::from_utf8(body) {
            Ok("") => { span.mute { "(nothing)" } }
            Ok(text) => { (text) }
            Err(_) => {
                span.mute { "not UTF-8, in hexadecimal:\n" }
                @for byte in body { (format!("{byte:02x}")) }
            }
        }
    }
}
