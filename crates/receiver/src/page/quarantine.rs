//! What is in quarantine, why, what today's reader makes of it, and having it read again.
//!
//! To read a body again is to append it as the webhook that it is now, received when it was. The store takes a webhook
//! once, whoever asks how often. The record in quarantine stays: the store only ever appends.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::future::join_all;
use http::StatusCode;
use maud::{Markup, html};

use super::Pages;
use super::ask::{Ask, Terms, href};
use super::calls::LISTED;
use super::failure::PageError;
use super::layout::{Shell, Tab};
use super::record::name;
use super::window::{Content, Digest, Looked, Window};
use crate::{Append, Entry, PiopiyWebhook, Record, WebhookRejection};

/// So many are appended at once: a batch of bodies, of a megabyte each at most.
const AT_ONCE: usize = 16;
/// A larger body is read when somebody looks at its record, and not with a hundred others for a list.
const LISTED_BYTES: usize = 64 << 10;

pub(super) async fn list(
    State(pages): State<Arc<Pages>>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    pages.look(ask.before(), move |pages, window| page(pages, window, &ask)).await
}

fn page(pages: &Pages, window: &Looked<'_>, ask: &Ask) -> Result<Response, PageError> {
    let terms = Terms::of(ask);
    let fitting: Vec<_> = kept(window).filter(|(digest, ..)| terms.all(|term| digest.has(term))).collect();
    let listed = fitting.iter().skip(ask.skip()).take(LISTED);
    let rows = listed.map(|kept| row(pages, window, ask, *kept)).collect::<Result<Vec<_>, _>>()?;
    let mut shell = Shell::of("Quarantine", Tab::Quarantine, ask, pages, window);
    shell.body = html! {
        section.card.shown id="shown" tabindex="-1" aria-labelledby="quarantine-title" {
            (Shell::search(ask, "/quarantine", "reasons", "a part of why"))
            h2 id="quarantine-title" { "Quarantine, newest first: bodies that were no webhooks when they came" }
            div id="quarantine" data-live {
                @if fitting.is_empty() {
                    p.mute { @if terms.is_empty() { "There is nothing among the records that were looked at." } @else { "Nothing fits." } }
                } @else {
                    (table(&rows))
                    div.acts {
                        form method="post" action="/quarantine" data-quiet {
                            input type="hidden" name="before" value=(window.upto);
                            button id="read-all" name="all" value="yes" { "Read all of them again" }
                        }
                    }
                    p.hint {
                        "Each is read by today's version and configuration. What is a webhook now is stored as one, once, and forwarded as any other; "
                        "what is none stays as it is."
                    }
                }
                (Shell::turn(ask, "/quarantine", rows.len(), fitting.len()))
                (Shell::reach(ask, "/quarantine", window))
            }
        }
    };
    Ok(shell.respond(StatusCode::OK))
}

/// What is in quarantine, newest first, why, and how long it is.
fn kept(window: &Window) -> impl Iterator<Item = (&Digest, &str, usize)> {
    window.digests.iter().rev().filter_map(|digest| match &digest.content {
        Content::Quarantined { reason, bytes } => Some((digest, reason.as_str(), *bytes)),
        Content::Webhook(_) => None,
    })
}

fn table(rows: &[Markup]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="quarantine-title" {
            table.main-table {
                thead { tr {
                    th scope="col" { "Record" } th scope="col" { "Received (UTC)" } th scope="col" { "Bytes" }
                    th scope="col" { "Why" } th scope="col" { "Read today" }
                } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

fn row(
    pages: &Pages,
    window: &Looked<'_>,
    ask: &Ask,
    (digest, reason, bytes): (&Digest, &str, usize),
) -> Result<Markup, PageError> {
    let seq = digest.seq.to_string();
    let record = ask.here("/record", &[("seq", &seq)]);
    let today = if bytes > LISTED_BYTES {
        html! { a href=(record) { "Read it today" span.sr { ", record " (seq) } } }
    } else {
        match pages.recent.record(digest.seq)? {
            Some(record) => today(pages, window, ask, &record),
            None => html! { "it is forgotten" },
        }
    };
    Ok(html! {
        tr {
            th.num scope="row" { a id={ "record-" (seq) } href=(record) { "#" (seq) } }
            td.num { (piopiy_ladder::utc(digest.received_at)) }
            td.num { (bytes) }
            td.why { (reason) }
            td.why { (today) }
        }
    })
}

/// What today's reader makes of a record, and the button that has it read again.
pub(super) fn today(pages: &Pages, window: &Looked<'_>, ask: &Ask, record: &Record) -> Markup {
    let webhook = match pages.read(record) {
        Ok(read) => read.webhook,
        Err(rejection) => return html! { span.mute { "still none: " (rejection.text()) } },
    };
    let name = name(&webhook);
    let is = window.same(webhook).map(|seq| (seq, seq.to_string()));
    let at = |seq: u64, pairs: &[(&str, &str)]| {
        // It may be behind what is looked at.
        if seq > window.upto { href("/record", pairs.iter().copied()) } else { ask.here("/record", pairs) }
    };
    html! {
        @if let Some((seq, text)) = is {
            span.ok { "it is webhook " } a href=(at(seq, &[("seq", &text)])) { "#" (text) }
        } @else {
            form method="post" action="/quarantine" data-quiet {
                input type="hidden" name="seq" value=(record.seq);
                span.ok { "it is " (name) } " "
                button id={ "read-" (record.seq) } { "Read it again" span.sr { ", record " (record.seq) } }
            }
        }
    }
}

impl Pages {
    /// What a body is by today's version and configuration.
    fn read(&self, record: &Record) -> Result<PiopiyWebhook, WebhookRejection> {
        let allowed = self.parts.authentication.allowed_app_ids();
        PiopiyWebhook::admit(record.body.clone(), &self.parts.read, allowed)
    }

    /// The webhook that a record in quarantine is now; `None` where it is none, or was one all the time.
    fn entry(&self, seq: u64) -> Result<Option<Result<Entry, WebhookRejection>>, PageError> {
        let record = self.recent.record(seq)?.filter(|record| record.reason.is_some());
        Ok(record.map(|record| {
            let read = self.read(&record)?;
            Ok(Entry::webhook(&read.identity, read.body, record.received_at).again())
        }))
    }
}

pub(super) async fn read_again(
    State(pages): State<Arc<Pages>>,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Result<Response, PageError> {
    let number = |key: &str| fields.get(key).and_then(|text| text.parse::<u64>().ok());
    if fields.get("all").is_some_and(|all| all == "yes") {
        let count = all(&pages, number("before")).await?;
        return Ok(to("read", count));
    }
    let wrong = || PageError::Wrong("Say which record is to be read again.".to_owned());
    let seq = number("seq").ok_or_else(wrong)?;
    let entry = pages.look(None, move |pages, _| pages.entry(seq)).await?;
    let none = || PageError::NotThere(format!("There is no record {seq} in quarantine, or it is forgotten."));
    let entry = entry.ok_or_else(none)?.map_err(|rejection| {
        PageError::Wrong(format!("Record {seq} is no webhook today either: {}.", rejection.text()))
    })?;
    match pages.parts.commits.append(entry).await? {
        Append::Appended { seq: now } => {
            tracing::info!(seq, now, "read again: what was in quarantine is a webhook");
            Ok(to("became", now))
        }
        Append::Duplicate { of } => Ok(to("was", of)),
    }
}

fn to(done: &str, n: u64) -> Response {
    Redirect::to(&href("/quarantine", [("done", done), ("n", n.to_string().as_str())])).into_response()
}

/// Reads all of a window again; how many became webhooks.
async fn all(pages: &Arc<Pages>, before: Option<u64>) -> Result<u64, PageError> {
    let seqs =
        pages.look(before, |_, window| Ok(kept(window).map(|(digest, ..)| digest.seq).collect::<Vec<_>>()));
    let mut seqs = seqs.await?;
    // In the order in which they came.
    seqs.reverse();
    let mut became = 0;
    for some in seqs.chunks(AT_ONCE) {
        let some = some.to_vec();
        let entries = pages.look(None, move |pages, _| {
            let mut entries = Vec::new();
            for seq in some {
                entries.extend(pages.entry(seq)?.and_then(Result::ok));
            }
            Ok(entries)
        });
        let appended =
            join_all(entries.await?.into_iter().map(|entry| pages.parts.commits.append(entry))).await;
        for outcome in appended {
            became += u64::from(matches!(outcome?, Append::Appended { .. }));
        }
    }
    tracing::info!(became, "read again: what was in quarantine");
    Ok(became)
}
