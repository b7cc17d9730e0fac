//! The calls, newest first, and the ladder of one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use piopiy_events::{CallState, Kind, Phase};

use super::ask::{Ask, Terms, has};
use super::failure::PageError;
use super::layout::{Shell, Tab};
use super::window::{About, Digest, Window, short};
use super::{Pages, record, rungs};

/// So many are listed at once.
pub(super) const LISTED: usize = 100;

/// A call, as far as its webhooks are in the window.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// What it is called: its `conversation_uuid`, or the `cmiuuid` of its leg.
    pub(super) key: &'a str,
    /// In the order of the store.
    pub(super) webhooks: Vec<(&'a Digest, &'a About)>,
}

impl<'a> Call<'a> {
    pub(super) fn phase(&self) -> Phase {
        let mut state = CallState::default();
        for (_, about) in &self.webhooks {
            state.insert(about.identity.clone());
        }
        state.phase()
    }

    /// The first that one of its webhooks says, those of leg b after the others: there, the numbers are other ones.
    fn first<T>(&self, what: impl Fn(&'a About) -> Option<T>) -> Option<T> {
        let (b, others): (Vec<&About>, Vec<&About>) =
            self.webhooks.iter().map(|(_, about)| *about).partition(|about| about.is_of_leg_b());
        others.into_iter().chain(b).find_map(what)
    }

    /// How long leg a talked, in seconds.
    fn duration(&self) -> Option<&'a str> {
        self.first(|about| about.duration.as_deref().filter(|_| !about.is_of_leg_b()))
    }

    fn fits(&self, terms: &Terms) -> bool {
        let has_term = |term: &str| self.webhooks.iter().any(|(digest, _)| digest.has(term));
        terms.all(|term| has_term(term) || has(self.phase().as_str(), term))
    }
}

/// All calls of the window, those with the newest webhooks first. Which call a webhook is of is what
/// [`Calls`](piopiy_events::Calls) says.
pub(super) fn calls(window: &Window) -> Vec<Call<'_>> {
    let webhooks = || window.digests.iter().rev().filter_map(|digest| Some((digest, digest.about()?)));
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (_, about) in webhooks() {
        if let Some(conversation) = about.conversation.as_deref() {
            let owner = owners.entry(about.identity.cmiuuid()).or_insert(conversation);
            *owner = conversation.min(*owner);
        }
    }
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut calls: Vec<Call<'_>> = Vec::new();
    for (digest, about) in webhooks() {
        let leg = about.identity.cmiuuid();
        let key = about.conversation.as_deref().or_else(|| owners.get(leg).copied()).unwrap_or(leg);
        let place = *places.entry(key).or_insert_with(|| {
            calls.push(Call { key, webhooks: Vec::new() });
            calls.len() - 1
        });
        calls[place].webhooks.push((digest, about));
    }
    for call in &mut calls {
        call.webhooks.reverse();
    }
    calls
}

/// The call with this name: a conversation's, or that of one of its legs.
pub(super) fn find<'a, 'b>(calls: &'b [Call<'a>], id: &str) -> Option<&'b Call<'a>> {
    let has_leg = |call: &&Call<'_>| call.webhooks.iter().any(|(_, about)| about.identity.cmiuuid() == id);
    calls.iter().find(|call| call.key == id).or_else(|| calls.iter().find(has_leg))
}

/// The calls, and the one that is asked for.
pub(super) async fn list(
    State(pages): State<Arc<Pages>>,
    Query(ask): Query<Ask>,
) -> Result<Response, PageError> {
    pages.look(ask.before(), move |pages, window| page(pages, window, &ask)).await
}

fn page(pages: &Pages, window: &Window, ask: &Ask) -> Result<Response, PageError> {
    let calls = calls(window);
    let call = find(&calls, &short(&ask.id));
    let record = match ask.seq() {
        Some(seq) => Some((seq, pages.recent.record(seq)?)),
        None => None,
    };
    let is_lost = call.is_none() && !ask.id.is_empty();
    let title = call.map_or_else(|| "Calls".to_owned(), |call| format!("Call {}", call.key));
    let mut shell = Shell::of(&title, Tab::Calls, ask, pages, window);
    if is_lost {
        shell.refusal =
            Some(format!("There is no call {} among the records that were looked at.", short(&ask.id)));
    }
    let state = if call.is_some() || record.is_some() { pages.forward_state()? } else { None };
    let mut dead = BTreeSet::new();
    if let (Some(state), Some(call)) = (&state, call) {
        for (digest, _) in &call.webhooks {
            dead.extend((!state.dead_for(digest.seq)?.is_empty()).then_some(digest.seq));
        }
    }
    let detail = match &record {
        Some((seq, record)) => record::detail(*seq, record.as_ref(), state.as_ref())?,
        None => html! {},
    };
    shell.body = html! {
        section.card.list aria-labelledby="calls-title" {
            (Shell::search(ask, "/", "calls", "number, id, status, date"))
            h2 id="calls-title" { "Calls, newest first" }
            div id="calls" data-live { (listed(&calls, call, ask, window)) }
        }
        section.card.shown id="shown" tabindex="-1" aria-label="Call ladder" {
            div.ladders id="ladder" data-live { (rungs::ladder(call, ask, pages.parts.is_forwarding, &dead)) }
            div.detail id="detail" data-live { (detail) }
        }
    };
    Ok(shell.respond(if is_lost { StatusCode::NOT_FOUND } else { StatusCode::OK }))
}

fn listed(calls: &[Call<'_>], selected: Option<&Call<'_>>, ask: &Ask, window: &Window) -> Markup {
    let terms = Terms::of(ask);
    let fitting: Vec<&Call<'_>> = calls.iter().filter(|call| call.fits(&terms)).collect();
    let listed: Vec<_> = fitting.iter().skip(ask.skip()).take(LISTED).collect();
    html! {
        @if fitting.is_empty() {
            p.mute { @if calls.is_empty() && ask.before().is_none() { "No webhook yet." } @else { "No call fits." } }
        }
        ol.calls {
            @for call in &listed {
                @let is_selected = selected.is_some_and(|selected| selected.key == call.key);
                li { (line(call, is_selected, ask)) }
            }
        }
        (Shell::turn(ask, "/", listed.len(), fitting.len()))
        (Shell::reach(ask, if ask.id.is_empty() { "/" } else { "/call" }, window))
    }
}

fn line(call: &Call<'_>, is_selected: bool, ask: &Ask) -> Markup {
    let (state, colour) = piopiy_ladder::in_words(call.phase());
    let last = call.webhooks.last().map_or(0, |(digest, _)| digest.received_at);
    html! {
        a.call.selected[is_selected] id={ "call-" (call.key) } href=(ask.to("/call", &[("id", call.key)]))
            aria-current=[is_selected.then_some("true")] data-in-place {
            span.dot.(colour) {}
            span.who {
                (number(call.first(|about| about.from.as_deref()))) " → "
                (number(call.first(|about| about.to.as_deref())))
            }
            span.mute.num { (call.duration().map_or_else(String::new, |it| format!("{it} s"))) }
            span.state.mute {
                @if let Some(direction) = call.first(|about| about.direction.as_deref()) { (direction) " · " }
                (state) " · " (webhooks_in_words(call)) " · " span.num { (piopiy_ladder::utc(last)) }
            }
        }
    }
}

/// A telephone number as people write it; anything else as it is.
pub(super) fn number(text: Option<&str>) -> String {
    let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        Some(text) if is_number(&text) => format!("+{text}"),
        Some(text) => text.to_owned(),
        None => "?".to_owned(),
    }
}

/// `3 events, 1 CDR`.
pub(super) fn webhooks_in_words(call: &Call<'_>) -> String {
    let cdrs = call.webhooks.iter().filter(|(_, about)| about.identity.kind() == Kind::Cdr).count();
    let count = |number: usize, of: &str| format!("{number} {of}{}", if number == 1 { "" } else { "s" });
    format!("{}, {}", count(call.webhooks.len() - cdrs, "event"), count(cdrs, "CDR"))
}

#[cfg(test)]
mod tests {
    use super::{calls, find};
    use crate::page::window::Recent;
    use crate::{Entry, MemoryStore, Store as _};
    use piopiy_events::{Calls, Webhook};

    #[test]
    fn webhooks_are_of_the_call_that_the_fold_says() {
        let bodies = [
            r#"{"cmiuuid":"s","leg":"b","status":"stream_connected","time":1}"#,
            r#"{"cmiuuid":"a1","conversation_uuid":"one","leg":"a","status":"in_started","time":1}"#,
            r#"{"cmiuuid":"a1","leg":"a","status":"stream_connected","time":2}"#,
            r#"{"cmiuuid":"shared","conversation_uuid":"two","leg":"a","status":"in_started","time":1}"#,
            r#"{"cmiuuid":"shared","conversation_uuid":"one","leg":"b","status":"in_bridged","time":3}"#,
            r#"{"cmiuuid":"shared","leg":"b","status":"stream_connected","time":4}"#,
            r#"{"cmiuuid":"two","leg":"a","status":"missed","duration":0}"#,
        ];
        let (mut store, mut fold) = (MemoryStore::new(), Calls::default());
        let recent = Recent::new(store.records());
        for body in bodies {
            let webhook = Webhook::parse(body.as_bytes()).unwrap();
            fold.apply(&webhook);
            store.append(&[Entry::webhook(&webhook.identity().unwrap(), body.into(), 0)]).unwrap();
        }
        recent
            .look(None, |window| {
                let calls = calls(window);
                let keys: Vec<_> = calls.iter().map(|call| call.key).collect();
                assert_eq!(keys, ["two", "one", "s"], "the newest first");
                for call in &calls {
                    let state = fold.state(call.key).unwrap();
                    assert_eq!(call.webhooks.len(), state.seen().len(), "{}", call.key);
                    assert_eq!(call.phase(), state.phase(), "{}", call.key);
                }
                assert_eq!(find(&calls, "a1").unwrap().key, "one", "by the name of a leg");
                assert!(find(&calls, "nobody").is_none());
            })
            .unwrap();
    }
}
