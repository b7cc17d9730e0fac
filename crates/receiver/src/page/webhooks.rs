//! The webhooks, newest first.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use piopiy_events::Kind;

use super::Pages;
use super::ask::{Ask, Terms};
use super::calls::{LISTED, number};
use super::failure::PageError;
use super::layout::{Shell, Tab};
use super::window::{About, Digest, Window};

pub(super) async fn list(
    State(pages): State<Arc<Pages>>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    let page = pages.look(ask.before(), move |pages, window| {
        let mut shell = Shell::of("Webhooks", Tab::Webhooks, &ask, pages, window);
        shell.body = html! {
            section.card.shown id="shown" tabindex="-1" aria-labelledby="webhooks-title" {
                (Shell::search(&ask, "/webhooks", "webhooks", "number, id, status, date"))
                h2 id="webhooks-title" { "Webhooks, newest first" }
                div id="webhooks" data-live { (listed(window, &ask)) }
            }
        };
        Ok(shell.respond(StatusCode::OK))
    });
    page.await
}

fn listed(window: &Window, ask: &Ask) -> Markup {
    let terms = Terms::of(ask);
    let webhooks = window.digests.iter().rev().filter_map(|digest| Some((digest, digest.about()?)));
    let fitting: Vec<(&Digest, &About)> =
        webhooks.filter(|(digest, _)| terms.all(|term| digest.has(term))).collect();
    let listed: Vec<_> = fitting.iter().skip(ask.skip()).take(LISTED).collect();
    html! {
        @if fitting.is_empty() {
            p.mute { @if window.digests.is_empty() && ask.before().is_none() { "No webhook yet." } @else { "No webhook fits." } }
        } @else {
            div.scroll tabindex="0" role="region" aria-labelledby="webhooks-title" {
                table.main-table {
                    thead { tr {
                        th scope="col" { "Record" } th scope="col" { "Received (UTC)" } th scope="col" { "Webhook" }
                        th scope="col" { "Leg" } th scope="col" { "From → to" } th scope="col" { "Call" }
                    } }
                    tbody { @for (digest, about) in &listed { (row(digest, about, ask)) } }
                }
            }
        }
        (Shell::turn(ask, "/webhooks", listed.len(), fitting.len()))
        (Shell::reach(ask, "/webhooks", window))
    }
}

fn row(digest: &Digest, about: &About, ask: &Ask) -> Markup {
    let seq = digest.seq.to_string();
    let call = about.conversation.as_deref().unwrap_or(about.identity.cmiuuid());
    html! {
        tr {
            th.num scope="row" { a id={ "record-" (seq) } href=(ask.here("/record", &[("seq", &seq)])) { "#" (seq) } }
            td.num { (piopiy_ladder::utc(digest.received_at)) }
            td { @if about.identity.kind() == Kind::Cdr { "CDR " } (about.identity.status()) }
            td { (about.identity.leg().unwrap_or("-")) }
            td.num {
                @if about.from.is_none() && about.to.is_none() { "-" }
                @else { (number(about.from.as_deref())) " → " (number(about.to.as_deref())) }
            }
            td { a href=(ask.here("/call", &[("id", call), ("seq", &seq)])) { (call) } }
        }
    }
}
