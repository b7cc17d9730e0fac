//! How forwarding goes, what was given up, and having webhooks delivered again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};

use super::Pages;
use super::ask::{Ask, href};
use super::calls::{calls, find};
use super::failure::PageError;
use super::layout::{Shell, Tab};
use super::window::Window;
use crate::{DeadLetter, DestinationStatus, ForwardState};

/// So many of what was given up are listed.
const LISTED: usize = 100;

pub(super) async fn list(
    State(pages): State<Arc<Pages>>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    pages.look(ask.before(), move |pages, window| page(pages, window, &ask)).await
}

fn page(pages: &Pages, window: &Window, ask: &Ask) -> Result<Response, PageError> {
    let state = pages.forward_state()?;
    let mut destinations = Vec::new();
    if let Some(state) = &state {
        for status in state.status()? {
            let dead = state.last_dead_letters(&status.name, LISTED)?;
            let is_held_up = state.has_store_gone_back(&status.name, pages.recent.records())?;
            destinations.push((status, is_held_up, dead));
        }
    }
    let last = pages.recent.last_seq()?;
    let mut shell = Shell::of("Forwarding", Tab::Forwarding, ask, pages, window);
    shell.body = html! {
        section.card.shown id="shown" tabindex="-1" aria-labelledby="forwarding-title" {
            h2 id="forwarding-title" { "Forwarding" }
            div id="forwarding" data-live {
                @if state.is_none() {
                    p.mute {
                        @if pages.parts.is_forwarding { "What was delivered is kept in memory alone, so there is nothing to see here." }
                        @else { "Nothing is forwarded: start the receiver with --forward-to URL." }
                    }
                }
                @for (status, is_held_up, dead) in &destinations { (destination(status, *is_held_up, dead, last, ask)) }
            }
        }
    };
    Ok(shell.respond(StatusCode::OK))
}

fn destination(
    status: &DestinationStatus,
    is_held_up: bool,
    dead: &[DeadLetter],
    last: u64,
    ask: &Ask,
) -> Markup {
    let name = &status.name;
    let behind = last.saturating_sub(status.read_through);
    let button = |what: &str, label: Markup, fields: &[(&str, &str)]| {
        html! {
            form method="post" action="/forwarding" data-quiet {
                input type="hidden" name="to" value=(name);
                // Where the call was found.
                @if let Some(before) = ask.before() { input type="hidden" name="before" value=(before); }
                @for (key, value) in fields { input type="hidden" name=(key) value=(value); }
                button id={ (what) "-" (name) @for (_, value) in fields { "-" (value) } } name="do" value=(what) { (label) }
            }
        }
    };
    html! {
        h3 data-say {
            (name) " "
            @if is_held_up { span.tag.bad { "held up: the store went back" } }
            @else if !status.is_wanted { span.tag.warn { "not forwarded to any more" } }
            @else if status.is_paused { span.tag.warn { "paused" } } @else if status.dead > 0 { span.tag.bad { (status.dead) " given up" } }
            @else { span.tag.ok { "delivering" } }
        }
        p.facts-of.num {
            span { span.mute { "came to record " } (status.read_through) " of " (last) }
            span { span.mute { "behind " } (behind) }
            span { span.mute { "to deliver " } (status.unsettled) }
            span { span.mute { "given up " } (status.dead) }
        }
        div.acts {
            @if status.is_paused { (button("resume", html! { "Resume" }, &[])) } @else { (button("pause", html! { "Pause" }, &[])) }
            @if !dead.is_empty() { (button("replay", html! { "Deliver again what was given up" }, &[("dead", "yes")])) }
            @if !ask.id.is_empty() { (button("replay", html! { "Deliver call " (ask.id) " again" }, &[("call", ask.id.as_str())])) }
        }
        @if !dead.is_empty() {
            div.scroll tabindex="0" role="region" aria-label={ "Given up for " (name) } {
                table.main-table {
                    thead { tr {
                        th scope="col" { "Record" } th scope="col" { "Given up (UTC)" } th scope="col" { "Attempts" }
                        th scope="col" { "The last one" } th scope="col" { span.sr { "What can be done" } }
                    } }
                    tbody {
                        @for letter in dead {
                            @let seq = letter.seq.to_string();
                            tr {
                                th.num scope="row" { a href=(ask.here("/record", &[("seq", &seq)])) { "#" (seq) } }
                                td.num { (piopiy_ladder::utc(letter.died_at)) }
                                td.num { (letter.attempts) }
                                td.why { (letter.error) }
                                td { (button("replay", html! { "Deliver again" span.sr { ", record " (seq) } }, &[("seq", seq.as_str())])) }
                            }
                        }
                    }
                }
            }
            @let others = status.dead.saturating_sub(dead.len() as u64);
            @if others > 0 { p.mute { (others) " older ones are not listed." } }
        }
    }
}

pub(super) async fn act(
    State(pages): State<Arc<Pages>>,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Result<Response, PageError> {
    let before = fields.get("before").and_then(|text| text.parse().ok());
    let done = pages.look(before, move |pages, window| carry_out(pages, window, &fields)).await?;
    let (what, count) = done;
    Ok(Redirect::to(&href("/forwarding", [("done", what), ("n", count.to_string().as_str())]))
        .into_response())
}

/// What was done, and to how many.
fn carry_out(
    pages: &Pages,
    window: &Window,
    fields: &BTreeMap<String, String>,
) -> Result<(&'static str, u64), PageError> {
    let field = |key: &str| fields.get(key).map_or("", String::as_str);
    let nothing =
        || PageError::Wrong("Nothing is forwarded here, or its state is in memory alone.".to_owned());
    let mut state = ForwardState::open_existing(pages.forward_file().ok_or_else(nothing)?)?;
    let name = field("to");
    match field("do") {
        "pause" => state.set_paused(name, true).map(|()| ("paused", 1)),
        "resume" => state.set_paused(name, false).map(|()| ("resumed", 1)),
        "replay" => {
            let seqs: Vec<u64> = if field("dead") == "yes" {
                state.dead_letters(name)?.iter().map(|letter| letter.seq).collect()
            } else if let Ok(seq) = field("seq").parse() {
                // What is in quarantine is forwarded nowhere.
                let record = pages.recent.record(seq)?.filter(|record| record.reason.is_none());
                record.map(|record| record.seq).into_iter().collect()
            } else {
                let calls = calls(window);
                let call = find(&calls, field("call"));
                call.into_iter().flat_map(|call| call.webhooks.iter().map(|(digest, _)| digest.seq)).collect()
            };
            if seqs.is_empty() {
                return Err(PageError::Wrong(
                    "There is no such webhook among the records that were looked at.".to_owned(),
                ));
            }
            let count = state.replay(name, seqs)?;
            tracing::info!(destination = name, count, "it was asked for: these are delivered again");
            Ok(("replayed", count))
        }
        _ => return Err(PageError::Wrong("Say what is to be done: pause, resume or replay.".to_owned())),
    }
    .map_err(PageError::from)
}
